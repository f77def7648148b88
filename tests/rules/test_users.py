"""People: their names, who is active, who is a superuser (R9)."""

import unicodedata
from collections.abc import Callable
from functools import partial

import pytest

from authapp import invitations, logins, names, passwords, settings, user_passwords, users
from authapp.audit import Actor
from authapp.config.overlay import Effective
from authapp.config.sections import Config
from authapp.database import Database
from authapp.errors import (
    BadUsername,
    LastSuperuser,
    LoginFailed,
    NotAllowed,
    Pinned,
    UsernameTaken,
    UserNotFound,
    WeakPassword,
    WrongPassword,
)
from authapp.invitations import NewUser
from authapp.models import Role, User
from tests.world import (
    ADA,
    BOB,
    CHARLIE,
    DORA,
    OTHER_PASSWORD,
    PASSWORD,
    SHELL,
    WEAK_PASSWORD,
    World,
    at_once,
)

Change = Callable[[Database, str, Actor], User]
REMOVES: dict[str, Change] = {
    "deactivates": partial(users.set_active, active=False),
    "demotes": partial(users.set_superuser, superuser=False),
}
ROBIN = Actor("form", name="robin", address="192.0.2.7")


def acting(user: User) -> Actor:
    """Somebody who acts on the admin pages."""
    return Actor("form", user.id, user.username, "192.0.2.1")


def create(world: World, by: Actor) -> User:
    """Create Erin, as the options say."""
    wanted = NewUser("erin", password=PASSWORD)
    return invitations.invite(world.database, world.snapshot.effective, [wanted], by)[0].user


def sign_in(world: World, username: str, password: str = PASSWORD) -> str:
    """Sign somebody in; return the session's token."""
    return logins.sign_in(world.database, world.snapshot.effective, username, password, ROBIN)


# -- names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "a",
        "ada@example.com",
        "admin@localhost",
        "Zoë",
        "Łucja Żółć",
        "山田太郎",
        "O'Neil",
        "a b",
        "€",
        "😀",
        "x" * 256,
    ],
)
def test_names_that_are_taken_as_they_are(name: str) -> None:
    """Nearly any text of 1 to 256 characters is a user name."""
    assert names.clean_username(name) == name


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("", "empty"),
        ("x" * 257, "256"),
        ("ﷺ" * 15, "256"),
        (" ada", "space"),
        ("ada ", "space"),
        ("\u00a0ada", "space"),
        ("ada\u3000", "space"),
        ("a:b", "colon"),
        ("a\uff1ab", "colon"),
        ("a\x00b", "control"),
        ("a\tb", "control"),
        ("a\x7fb", "control"),
        ("a\u200bb", "invisible"),
        ("a\u200db", "invisible"),
        ("a\u202eb", "invisible"),
        ("a\ufeffb", "invisible"),
        ("a\ue000b", "invisible"),
        ("a\udc80b", "invisible"),
        ("a\u0378b", "invisible"),
    ],
)
def test_names_that_are_refused(name: str, rule: str) -> None:
    """A refused name is told the rule it breaks."""
    with pytest.raises(BadUsername, match=rule):
        names.clean_username(name)


def test_names_are_stored_in_their_composed_form(cast: World) -> None:
    """A name is kept in Unicode's form NFKC."""
    created = cast.add(unicodedata.normalize("NFD", "Zoë"))
    assert created.username == unicodedata.normalize("NFC", "Zoë")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Zoë", "zoë"),
        ("Zoë", unicodedata.normalize("NFD", "ZOË")),
        ("straße", "STRASSE"),
        ("erin", "\uff45\uff52\uff49\uff4e"),
        ("ﬁona", "FIONA"),
        ("Σίσυφος", "ΣΊΣΥΦΟΣ"),
        ("\u0345x", "\u03b9x"),
    ],
)
def test_names_that_only_look_different_are_one(cast: World, first: str, second: str) -> None:
    """Names that differ only in case, width or Unicode form cannot both exist, and each finds the user."""
    created = cast.add(first)
    with pytest.raises(UsernameTaken):
        cast.add(second)
    assert cast.user(second).id == created.id


def test_the_owners_name_is_taken_too(cast: World) -> None:
    """Nobody can be created under the owner's name."""
    with pytest.raises(UsernameTaken):
        cast.add(ADA.upper())


def test_two_requests_for_one_name(cast: World) -> None:
    """Of two people created under one name at the same moment, one is."""
    outcomes = at_once(partial(cast.add, "erin"), partial(cast.add, "ERIN"))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["User", "UsernameTaken"]


# -- creating -------------------------------------------------------------------------------------------------


def test_new_users_are_inactive(cast: World) -> None:
    """A new user is no superuser, and cannot sign in before somebody activates them."""
    created = create(cast, SHELL)
    assert (created.is_active, created.is_superuser) == (False, False)


def test_new_users_may_be_active(world: World) -> None:
    """With `auth.new-user-is-active` a new user may sign in at once."""
    world.write_config("auth:\n  new-user-is-active: true\n")
    world.set_up()
    created = create(world, SHELL)
    assert created.is_active


@pytest.mark.parametrize(("name", "password"), [("erin", WEAK_PASSWORD), ("Erin-the-Weaver", "erin-the-weaver")])
def test_new_users_passwords_are_judged(cast: World, name: str, password: str) -> None:
    """Nobody is created with a password that breaks the policy."""
    with pytest.raises(WeakPassword):
        cast.add(name, password=password)
    with cast.database.reading() as db:
        assert users.find(db, name) is None


@pytest.mark.parametrize("name", [BOB, "a:b"])
def test_a_refused_name_costs_no_hash(cast: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A name that is taken or broken is refused before the slow hash."""
    monkeypatch.setattr(passwords, "hash_password", pytest.fail)
    with pytest.raises((UsernameTaken, BadUsername)):
        cast.add(name)


def test_creating_is_recorded(cast: World) -> None:
    """The audit table says who created whom."""
    ada = cast.user(ADA)
    create(cast, acting(ada))
    entry = cast.audit("user.created")[-1]
    assert (entry.actor_id, entry.actor, entry.target, entry.address) == (ada.id, ADA, "erin", "192.0.2.1")


# -- activating, promoting ------------------------------------------------------------------------------------


def test_activating(cast: World) -> None:
    """A user who was activated may sign in."""
    users.set_active(cast.database, cast.user(CHARLIE).id, acting(cast.user(ADA)), active=True)
    assert cast.user(CHARLIE).is_active
    assert sign_in(cast, CHARLIE)
    assert "user.activated success" in cast.events()


def test_deactivating_ends_the_sessions(cast: World) -> None:
    """A user who was deactivated has no session left, and gets no new one."""
    sign_in(cast, BOB)
    sign_in(cast, DORA)
    users.set_active(cast.database, cast.user(BOB).id, SHELL, active=False)
    assert (cast.sessions_of(BOB), cast.sessions_of(DORA)) == (0, 1)
    with pytest.raises(LoginFailed):
        sign_in(cast, BOB)


def test_activating_again_brings_no_session_back(cast: World) -> None:
    """Sessions that ended by deactivating stay ended."""
    sign_in(cast, BOB)
    for active in (False, True):
        users.set_active(cast.database, cast.user(BOB).id, SHELL, active=active)
    assert cast.sessions_of(BOB) == 0


def test_promoting_and_demoting(cast: World) -> None:
    """A user can be made a superuser, and that can be taken back."""
    bob = cast.user(BOB).id
    users.set_superuser(cast.database, bob, SHELL, superuser=True)
    assert cast.user(BOB).role == Role.ADMIN
    users.set_superuser(cast.database, bob, SHELL, superuser=False)
    assert cast.user(BOB).role == Role.USER
    assert cast.events()[-2:] == ["user.promoted success", "user.demoted success"]


@pytest.mark.parametrize(("name", "change"), [(BOB, "active"), (DORA, "superuser")])
def test_what_is_so_already_is_not_recorded(cast: World, name: str, change: str) -> None:
    """A switch that stands already does nothing."""
    before = cast.events()
    if change == "active":
        users.set_active(cast.database, cast.user(name).id, SHELL, active=True)
    else:
        users.set_superuser(cast.database, cast.user(name).id, SHELL, superuser=True)
    assert cast.events() == before


@pytest.mark.parametrize(
    "change",
    [
        partial(users.set_active, by=SHELL, active=False),
        partial(users.set_superuser, by=SHELL, superuser=True),
        partial(user_passwords.set_password, effective=Effective(Config()), password=PASSWORD, by=SHELL),
    ],
)
def test_nobody_to_change(cast: World, change: Callable[..., object]) -> None:
    """A user who does not exist, or not any more, is told so."""
    with pytest.raises(UserNotFound):
        change(cast.database, user_id="no such id")


# -- who may ---------------------------------------------------------------------------------------------------


@pytest.fixture(params=["demoted", "deactivated", "never was one"])
def no_superuser(request: pytest.FixtureRequest, cast: World) -> Actor:
    """Somebody who is no active superuser, or not any more."""
    if request.param == "demoted":
        users.set_superuser(cast.database, cast.user(DORA).id, SHELL, superuser=False)
    elif request.param == "deactivated":
        users.set_active(cast.database, cast.user(DORA).id, SHELL, active=False)
    return acting(cast.user(BOB if request.param == "never was one" else DORA))


@pytest.mark.parametrize("change", [REMOVES["deactivates"], partial(users.set_superuser, superuser=True)])
def test_only_active_superusers_change_users(cast: World, no_superuser: Actor, change: Change) -> None:
    """Whoever is no active superuser any more changes nobody, whatever page they still have open."""
    before = cast.tables()
    with pytest.raises(NotAllowed):
        change(cast.database, cast.user(BOB).id, no_superuser)
    assert cast.tables() == before


def test_only_active_superusers_create_users(cast: World, no_superuser: Actor) -> None:
    """Whoever is no active superuser any more creates nobody."""
    before = cast.tables()
    with pytest.raises(NotAllowed):
        create(cast, no_superuser)
    assert cast.tables() == before


# -- the last superuser cannot be lost ------------------------------------------------------------------------


@pytest.mark.parametrize("change", REMOVES.values())
@pytest.mark.parametrize("by", [ADA, DORA, None])
def test_the_owner_stays(cast: World, change: Change, by: str | None) -> None:
    """Nobody deactivates or demotes the owner: no other superuser, no shell, not even the owner."""
    with pytest.raises(LastSuperuser, match="owner"):
        change(cast.database, cast.user(ADA).id, acting(cast.user(by)) if by else SHELL)
    assert (cast.user(ADA).is_active, cast.user(ADA).is_superuser) == (True, True)


@pytest.mark.parametrize("change", REMOVES.values())
def test_the_last_superuser_stays(world: World, change: Change) -> None:
    """Where there is no owner, the last active superuser can be neither deactivated nor demoted."""
    world.add(DORA, superuser=True)
    world.add("erin", superuser=True, active=False)
    with pytest.raises(LastSuperuser, match="last active superuser"):
        change(world.database, world.user(DORA).id, SHELL)


def test_an_inactive_superuser_is_expendable(world: World) -> None:
    """A superuser who is inactive can be demoted, because that loses nobody."""
    world.add(DORA, superuser=True)
    erin = world.add("erin", superuser=True, active=False)
    users.set_superuser(world.database, erin.id, SHELL, superuser=False)
    assert not world.user("erin").is_superuser


@pytest.mark.parametrize("first", ["deactivates", "demotes"])
@pytest.mark.parametrize("second", ["deactivates", "demotes"])
@pytest.mark.parametrize("entitled", [True, False])
def test_two_superusers_turn_on_each_other(world: World, first: str, second: str, entitled: bool) -> None:
    """When two superusers remove each other at the same moment, one active superuser remains."""
    dora, erin = world.add(DORA, superuser=True), world.add("erin", superuser=True)
    outcomes = at_once(
        partial(REMOVES[first], world.connect(), erin.id, acting(dora) if entitled else SHELL),
        partial(REMOVES[second], world.connect(), dora.id, acting(erin) if entitled else SHELL),
    )
    refusals = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    assert [type(refusal) for refusal in refusals] == [NotAllowed if entitled else LastSuperuser]
    with world.database.reading() as db:
        assert len(users.other_superusers(db, "nobody")) == 1


# -- passwords ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [ADA, BOB])
def test_a_new_password(cast: World, name: str) -> None:
    """After a change the new password signs in, the old one does not, and the old sessions are over."""
    sign_in(cast, name)
    user_passwords.set_password(cast.database, cast.snapshot.effective, cast.user(name).id, OTHER_PASSWORD, SHELL)
    assert cast.sessions_of(name) == 0
    assert sign_in(cast, name, OTHER_PASSWORD)
    with pytest.raises(LoginFailed):
        sign_in(cast, name)


def test_a_new_password_is_judged(cast: World) -> None:
    """A new password that breaks the policy is refused, and nothing changes."""
    before = cast.tables()
    with pytest.raises(WeakPassword):
        user_passwords.set_password(cast.database, cast.snapshot.effective, cast.user(BOB).id, WEAK_PASSWORD, SHELL)
    assert cast.tables() == before


def test_the_owners_hash_lives_in_the_settings_table_alone(cast: World) -> None:
    """The owner's row has no hash, before and after a change of the password."""
    user_passwords.set_password(cast.database, cast.snapshot.effective, cast.user(ADA).id, OTHER_PASSWORD, SHELL)
    assert cast.user(ADA).password_hash is None
    with cast.database.reading() as db:
        stored = settings.credentials(db)
        assert stored is not None
        assert users.password_hash_of(db, cast.user(ADA)) == stored.password_hash


def test_a_pinned_password_stays(world: World) -> None:
    """While the file gives the owner's password, it cannot be changed elsewhere; other people's can."""
    world.write_credentials()
    effective = world.snapshot.effective
    with pytest.raises(Pinned, match=r"config\.yml, line 4"):
        user_passwords.set_password(world.database, effective, world.user(ADA).id, OTHER_PASSWORD, SHELL)
    user_passwords.set_password(world.database, effective, world.add(BOB).id, OTHER_PASSWORD, SHELL)
    assert sign_in(world, BOB, OTHER_PASSWORD)


def test_the_other_superusers_are_the_active_ones(cast: World) -> None:
    """Beside the owner, only active superusers are listed for review."""
    cast.add("erin", superuser=True, active=False)
    with cast.database.reading() as db:
        assert [user.username for user in users.other_superusers(db, cast.user(ADA).id)] == [DORA]


def test_a_password_change_that_was_overtaken_is_refused(cast: World) -> None:
    """A change that was checked against a password which the config file replaced meanwhile writes nothing."""
    ada = cast.user(ADA)
    checked = logins.confirm(cast.database, cast.snapshot.effective, ADA, PASSWORD, SHELL).password_hash
    cast.write_credentials(password=OTHER_PASSWORD)
    stored = cast.setting("server.basic-auth")
    with pytest.raises(WrongPassword):
        user_passwords.set_password(
            cast.database, Effective(Config()), ada.id, "Third time (lucky)", SHELL, instead_of=checked
        )
    assert cast.setting("server.basic-auth") == stored
