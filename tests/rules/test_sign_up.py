"""Signing up: strangers make themselves a user, learn nothing of who is there, and take nothing over."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import time_machine

from authapp import directory, logins, names, sign_up, user_names, users
from authapp.audit import Actor
from authapp.database import Database
from authapp.errors import (
    BadFullName,
    BadUsername,
    LoginFailed,
    Refused,
    SignUpClosed,
    TooManyTries,
    UserNotFound,
    WeakPassword,
)
from authapp.models import Role, User
from tests.hasher import CountingHasher
from tests.world import ADA, BOB, CHARLIE, DORA, OTHER_PASSWORD, PASSWORD, SHELL, WEAK_PASSWORD, World, at_once

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
OPEN = "auth: {sign-up: true}\n"


@pytest.fixture
def opened(cast: World) -> World:
    """An installation with Ada, Bob, Charlie and Dora where strangers may sign up."""
    cast.write_config(OPEN)
    return cast


def with_owner(username: str) -> str:
    """Write a config file that gives the owner a name and a password, and lets strangers sign up."""
    return f"{OPEN}server: {{basic-auth: {{username: '{username}', password: '{OTHER_PASSWORD}'}}}}\n"


def stranger(address: str = "192.0.2.1") -> Actor:
    """Whoever opens the sign-up page."""
    return Actor("form", address=address)


def enter(
    world: World,
    username: str = "erin",
    password: str = PASSWORD,
    *,
    full_name: str = "",
    address: str = "192.0.2.1",
    database: Database | None = None,
) -> None:
    """Sign up."""
    by = stranger(address)
    sign_up.sign_up(database or world.database, world.snapshot, username, password, by, full_name=full_name)


def everybody(world: World) -> list[str]:
    """Return everybody's user name."""
    with world.database.reading() as db:
        page = directory.page(db, world.snapshot.effective, directory.Query(), SHELL)
    return [one.user.username for one in page.users]


def rows(world: World) -> list[list[str]]:
    """Return every row about people."""
    return [world.tables()[name] for name in ("users", "name_parts", "known_names", "sessions", "settings")]


def can_sign_in(world: World, username: str, password: str = PASSWORD) -> bool:
    """Tell whether a user name and password open the door."""
    try:
        logins.sign_in(world.database, world.snapshot.effective, username, password, stranger("192.0.2.99"))
    except LoginFailed:
        return False
    return True


# -- off and on -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", ["", "auth: {sign-up: false}\n"])
def test_it_is_closed(cast: World, config: str) -> None:
    """Unless `auth.sign-up` is on, nobody signs up."""
    cast.write_config(config)
    before = cast.tables()
    with pytest.raises(SignUpClosed):
        enter(cast)
    assert cast.tables() == before


def test_it_closes_at_once(opened: World) -> None:
    """When `auth.sign-up` is switched off, the next one who tries is refused."""
    enter(opened)
    opened.write_config("auth: {sign-up: false}\n")
    with pytest.raises(SignUpClosed):
        enter(opened, "frank")


def test_signing_up(opened: World) -> None:
    """Who signs up is a user, no superuser, waits for activation, and has a password of their own."""
    enter(opened, "Erin", full_name=" Erin Weaver ")
    erin = opened.user("erin")
    assert (erin.username, erin.full_name, erin.role) == ("Erin", "Erin Weaver", Role.USER)
    assert (erin.is_active, erin.must_change_password) == (False, False)
    users.set_active(opened.database, erin.id, SHELL, active=True)
    assert can_sign_in(opened, "erin")


@pytest.mark.parametrize("active", [True, False])
def test_active_as_the_option_says(cast: World, active: bool) -> None:
    """With `auth.new-user-is-active` who signed up may sign in at once, and without it not."""
    cast.write_config(f"auth: {{sign-up: true, new-user-is-active: {str(active).lower()}}}\n")
    enter(cast)
    assert can_sign_in(cast, "erin") is active


def test_signing_up_is_recorded(opened: World) -> None:
    """The audit table says who signed up, and from where."""
    enter(opened)
    (entry,) = opened.audit("user.signed-up")
    assert (entry.outcome, entry.target, entry.actor_id, entry.address) == ("success", "erin", None, "192.0.2.1")


@pytest.mark.parametrize(
    ("username", "password", "full_name", "refusal"),
    [
        ("a:b", PASSWORD, "", BadUsername),
        ("", PASSWORD, "", BadUsername),
        ("a\0b", PASSWORD, "", BadUsername),
        ("a\udc80b", PASSWORD, "", BadUsername),
        ("erin", PASSWORD, "x" * 201, BadFullName),
        ("erin", WEAK_PASSWORD, "", WeakPassword),
        ("erin", "", "", WeakPassword),
        (PASSWORD, PASSWORD, "", WeakPassword),
        (BOB, WEAK_PASSWORD, "", WeakPassword),
    ],
)
def test_the_rules_for_everybody_hold(
    opened: World, username: str, password: str, full_name: str, refusal: type[Refused]
) -> None:
    """Names and passwords are judged as everywhere, and before anybody asks whether the name is taken."""
    before = opened.tables()
    with pytest.raises(refusal):
        enter(opened, username, password, full_name=full_name)
    assert opened.tables() == before


# -- names that are not free ----------------------------------------------------------------------------------


def former_names(world: World) -> None:
    """Rename Bob, and delete Charlie."""
    user_names.edit(world.database, world.snapshot.effective, world.user(BOB).id, SHELL, username="robert")
    users.delete_all(world.database, [world.user(CHARLIE).id], SHELL)


@pytest.mark.parametrize(
    "name",
    [
        *(ADA, BOB, CHARLIE, DORA, "robert"),
        *(ADA.upper(), "BOB", "\uff42\uff4f\uff42", "CHARLIE", "Robert"),
        *("owner@example.com", "OWNER@example.com"),
    ],
)
def test_a_name_that_is_not_free(opened: World, hasher: CountingHasher, name: str) -> None:
    """For a name somebody bears or bore, or the config gives, the answer is a success's, after the same work."""
    former_names(opened)
    opened.write_config(with_owner("owner@example.com"))
    before, events, hasher.hashed = rows(opened), opened.events(), 0
    enter(opened, name)
    assert rows(opened) == before
    assert opened.events() == [*events, "user.signed-up name taken"]
    assert hasher.hashed == 1


def test_a_name_the_config_keeps_for_the_owner(world: World) -> None:
    """The name that the config gives an owner who is still to come is no stranger's either."""
    world.write_config(OPEN + "server: {basic-auth: {username: owner}}\n")
    for name in ("owner", "OWNER"):
        enter(world, name)
    assert everybody(world) == []
    enter(world, "erin")
    assert everybody(world) == ["erin"]


def test_taken_names_are_not_written_down(opened: World) -> None:
    """The audit table does not hold the taken names that strangers try: people type passwords there."""
    enter(opened, BOB)
    assert opened.audit("user.signed-up")[0].target == ""


def test_signing_up_twice(opened: World) -> None:
    """Who signs up again changes nothing: the first password stays."""
    enter(opened)
    enter(opened, "ERIN", OTHER_PASSWORD)
    users.set_active(opened.database, opened.user("erin").id, SHELL, active=True)
    assert can_sign_in(opened, "erin")
    assert not can_sign_in(opened, "erin", OTHER_PASSWORD)


def test_two_strangers_with_one_name(opened: World) -> None:
    """Of two strangers who take one name at the same moment one gets it, and both hear the same."""
    outcomes = at_once(
        partial(enter, opened, "erin", database=opened.connect()),
        partial(enter, opened, "ERIN", database=opened.connect(), address="192.0.2.2"),
    )
    assert outcomes == [None, None]
    assert sorted(opened.events()[-2:]) == ["user.signed-up name taken", "user.signed-up success"]


def test_a_superuser_may_give_a_known_name(opened: World) -> None:
    """What is kept from strangers is free for superusers: they know whose name it was."""
    former_names(opened)
    assert opened.add(CHARLIE).username == CHARLIE


# -- how many -------------------------------------------------------------------------------------------------


def test_too_many_from_one_network(opened: World) -> None:
    """A network that signs up too often has to wait, whatever names it takes; another one need not."""
    with time_machine.travel(NOON, tick=False) as clock:
        for number in range(10):
            enter(opened, f"user{number}")
        with pytest.raises(TooManyTries) as raised:
            enter(opened, "one-more")
        assert raised.value.retry_after == timedelta(minutes=15)
        enter(opened, "elsewhere", address="192.0.2.2")
        clock.shift(timedelta(minutes=15))
        enter(opened, "later")
    assert not {"one-more"} & set(everybody(opened))


def test_taken_names_count_too(opened: World) -> None:
    """Asking for names that are taken costs tries like any other, so that nobody can try out many."""
    for _ in range(10):
        enter(opened, BOB)
    with pytest.raises(TooManyTries):
        enter(opened, "erin")


def test_signing_up_locks_nobody(opened: World) -> None:
    """Whoever signs up too often keeps nobody from signing in, from the same network either."""
    for _ in range(10):
        enter(opened, BOB)
    assert logins.sign_in(opened.database, opened.snapshot.effective, BOB, PASSWORD, stranger())


# -- the config file later gives the owner a stranger's name --------------------------------------------------


def test_a_stranger_does_not_become_the_owner(opened: World) -> None:
    """When the file gives the owner the name of somebody who signed up, that one is renamed and deactivated."""
    enter(opened)
    erin, ada = opened.user("erin"), opened.user(ADA)
    users.set_active(opened.database, erin.id, SHELL, active=True)
    assert can_sign_in(opened, "erin")
    opened.write_config(with_owner("erin"))
    assert opened.user("erin").id == ada.id
    aside = opened.user("erin (signed up 1)")
    assert (aside.id, aside.is_active, opened.sessions_of(aside.username)) == (erin.id, False, 0)
    assert (can_sign_in(opened, "erin"), can_sign_in(opened, "erin", OTHER_PASSWORD)) == (False, True)


def test_even_a_promoted_stranger_is_put_aside(opened: World) -> None:
    """A stranger who was made a superuser is put aside like every other: only the file says who the owner is."""
    enter(opened)
    users.set_superuser(opened.database, opened.user("erin").id, SHELL, superuser=True)
    users.set_active(opened.database, opened.user("erin").id, SHELL, active=True)
    opened.write_config(with_owner("ERIN"))
    assert opened.user("erin").username == "ERIN"
    assert not opened.user("erin (signed up 1)").is_active


def test_a_name_alone_puts_a_stranger_aside(opened: World) -> None:
    """A file that gives the owner a name and no password is not held up by a stranger who signed up under it."""
    enter(opened)
    ada = opened.user(ADA)
    opened.write_config(OPEN + "server: {basic-auth: {username: erin}}\n")
    assert opened.snapshot.problems == ()
    assert opened.user("erin").id == ada.id
    assert can_sign_in(opened, "erin")


def test_strangers_are_put_aside_again_and_again(opened: World) -> None:
    """However often the file gives the owner a stranger's name, the stranger makes room, and nobody is lost."""
    enter(opened)
    erin = opened.user("erin")
    opened.write_config(with_owner("erin"))
    opened.write_config(with_owner("erin (signed up 1)"))
    assert opened.snapshot.problems == ()
    assert [entry.target_id for entry in opened.audit("user.put-aside")] == [erin.id] * 2
    assert by_id(opened, erin).username == "erin (signed up 1) (signed up 1)"


def test_two_strangers_are_put_aside_for_one_name(opened: World) -> None:
    """A second stranger who came to bear the owner's name is put aside under a name that is still free."""
    enter(opened)
    enter(opened, "frank")
    opened.write_config(with_owner("erin"))
    opened.write_config(with_owner("owner"))
    user_names.edit(opened.database, opened.snapshot.effective, opened.user("frank").id, SHELL, username="erin")
    opened.write_config(with_owner("erin"))
    assert {"erin", "erin (signed up 1)", "erin (signed up 2)"} <= set(everybody(opened))


def test_a_long_name_is_put_aside_too(opened: World) -> None:
    """A stranger with the longest name makes room as well, under a name that is a good one."""
    enter(opened, "x" * 256)
    stranger = opened.user("x" * 256)
    opened.write_config(with_owner("x" * 256))
    aside = by_id(opened, stranger).username
    assert (names.clean_username(aside), len(aside) < 256) == (aside, True)


def test_an_invited_user_becomes_the_owner(opened: World) -> None:
    """Whom a superuser created is no stranger: when the file gives name and password, that user is the owner."""
    bob = opened.user(BOB)
    opened.write_config(with_owner(BOB))
    with opened.database.reading() as db:
        assert users.is_owner(db, bob.id)


def by_id(world: World, user: User) -> User:
    """Return a user as the database has it now, whatever the name is."""
    with world.database.reading() as db:
        if found := db.get(User, user.id):
            return found
    raise UserNotFound
