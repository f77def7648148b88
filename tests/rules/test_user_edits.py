"""Several changes of one user at once: all of them, or after a refusal none."""

from functools import partial
from typing import Any

import pytest
from sqlalchemy import select

from authapp import logins, sessions, tokens, user_edits
from authapp.audit import Actor
from authapp.errors import (
    BadFullName,
    BadUsername,
    LastSuperuser,
    LoginFailed,
    NotAllowed,
    Pinned,
    Refused,
    UsernameTaken,
    UserNotFound,
)
from authapp.models import NamePart, Role, Token, TokenKind, User
from authapp.user_edits import Edit
from tests.world import ADA, BOB, CHARLIE, DORA, PASSWORD, SHELL, World, at_once

VISITOR = Actor("api", address="192.0.2.1")


def acting(world: World, username: str | None) -> Actor:
    """Somebody who acts by the API; nobody is whoever has a shell."""
    return Actor("api", world.user(username).id, username, "192.0.2.7") if username else SHELL


def apply(world: World, whom: str, by: str | None = None, **changes: Any) -> User:
    """Change a user."""
    effective = world.snapshot.effective
    return user_edits.apply(world.database, effective, world.user(whom).id, Edit(**changes), acting(world, by))


def happened(world: World) -> list[str]:
    """Return what was recorded about users, oldest first, without how they came to be."""
    names = [event.removesuffix(" success") for event in world.events()]
    return [name for name in names if name.startswith("user.") and name != "user.created"]


# -- all of them ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [ADA, DORA, None])
def test_several_changes(cast: World, by: str | None) -> None:
    """Names, role and whether somebody is active can be changed at once; what comes back is how it is now."""
    changed = apply(cast, CHARLIE, by, username="charles", full_name="Charles B.", role=Role.ADMIN, active=True)
    now = cast.user("charles")
    for user in (changed, now):
        assert (user.username, user.full_name, user.role, user.is_active) == (
            "charles",
            "Charles B.",
            "admin",
            True,
        )
    assert happened(cast) == ["user.edited", "user.promoted", "user.activated"]


def test_each_change_is_recorded_with_who_made_it(cast: World) -> None:
    """Each of the changes is told in the history of the user, with who made it."""
    dora = cast.user(DORA)
    apply(cast, CHARLIE, DORA, full_name="Charles", active=True)
    for event in ("user.edited", "user.activated"):
        (entry,) = cast.audit(event)
        assert (entry.actor_id, entry.target, entry.road, entry.address) == (dora.id, CHARLIE, "api", "192.0.2.7")


def test_what_is_not_said_stays(cast: World) -> None:
    """A change of one thing leaves the others as they are."""
    before = cast.user(BOB)
    apply(cast, BOB, role=Role.ADMIN)
    now = cast.user(BOB)
    assert (now.username, now.full_name, now.is_active) == (before.username, before.full_name, before.is_active)
    assert happened(cast) == ["user.promoted"]


def test_a_full_name_alone(cast: World) -> None:
    """A full name alone is changed, and found at once by its words; the user name stays."""
    assert apply(cast, BOB, full_name=" Robert Smith ").full_name == "Robert Smith"
    with cast.database.reading() as db:
        parts = set(db.scalars(select(NamePart.part).where(NamePart.user_id == cast.user(BOB).id)))
    assert parts == {"bob", "robert smith", "smith"}
    assert apply(cast, BOB, full_name="").full_name == ""


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"username": BOB},
        {"full_name": ""},
        {"role": Role.USER},
        {"active": True},
        {"username": BOB, "full_name": "", "role": Role.USER, "active": True},
    ],
)
def test_nothing_to_change(cast: World, changes: dict[str, Any]) -> None:
    """Whoever asks for what is so already changes nothing, and nothing is recorded."""
    before = cast.tables()
    apply(cast, BOB, DORA, **changes)
    assert cast.tables() == before


def test_only_what_changes_is_recorded(cast: World) -> None:
    """Of several wishes only those are recorded that were not fulfilled already."""
    apply(cast, BOB, username=BOB, full_name="", role=Role.ADMIN, active=True)
    assert happened(cast) == ["user.promoted"]


# -- or none --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("whom", "by", "changes", "refusal"),
    [
        (BOB, None, {"username": CHARLIE, "role": Role.ADMIN}, UsernameTaken),
        (BOB, None, {"username": "CHARLIE", "full_name": "Robert", "active": False}, UsernameTaken),
        (BOB, None, {"username": "a:b", "role": Role.ADMIN}, BadUsername),
        (BOB, None, {"username": "", "active": False}, BadUsername),
        (BOB, None, {"full_name": "a\0b", "active": False}, BadFullName),
        (ADA, None, {"full_name": "Countess", "role": Role.USER}, LastSuperuser),
        (ADA, None, {"username": "countess", "active": False}, LastSuperuser),
        (ADA, ADA, {"username": "countess", "full_name": "Ada L.", "role": Role.USER}, LastSuperuser),
        (ADA, DORA, {"username": "countess", "full_name": "Ada L."}, NotAllowed),
        (ADA, DORA, {"full_name": "Ada L.", "active": False}, LastSuperuser),
    ],
)
def test_all_or_none(
    cast: World, whom: str, by: str | None, changes: dict[str, Any], refusal: type[Refused]
) -> None:
    """When one of the changes is refused, none is made, also not those that came before it."""
    before = cast.tables()
    with pytest.raises(refusal):
        apply(cast, whom, by, **changes)
    assert cast.tables() == before


def test_a_refusal_ends_nothing(cast: World) -> None:
    """Where a change is refused after one that ends sessions and tokens, these go on."""
    let_in(cast, BOB)
    before = cast.tables()
    with pytest.raises(UsernameTaken):
        apply(cast, BOB, username=DORA, active=False)
    assert cast.tables() == before


@pytest.mark.parametrize("changes", [{"role": Role.USER}, {"active": False}, {"role": Role.USER, "active": False}])
def test_the_last_superuser(world: World, changes: dict[str, Any]) -> None:
    """Where there is no owner, the last active superuser stays one, whatever else is changed."""
    world.add(DORA, superuser=True)
    before = world.tables()
    with pytest.raises(LastSuperuser, match="last active superuser"):
        apply(world, DORA, full_name="Dora", **changes)
    assert world.tables() == before


@pytest.mark.parametrize("user_id", ["", "no such id", "\0", "\udc80"])
def test_somebody_unknown(cast: World, user_id: str) -> None:
    """Whoever is not there cannot be changed, whatever the id looks like."""
    with pytest.raises(UserNotFound):
        user_edits.apply(cast.database, cast.snapshot.effective, user_id, Edit(full_name="Robert"), SHELL)


# -- who may --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [BOB, CHARLIE])
@pytest.mark.parametrize(
    "changes", [{}, {"username": "x"}, {"full_name": "X"}, {"role": Role.ADMIN}, {"active": True}], ids=str
)
def test_who_may_not(cast: World, by: str, changes: dict[str, Any]) -> None:
    """Nobody changes a user who is no active superuser, and nobody makes themselves one."""
    before = cast.tables()
    for whom in (by, DORA):
        with pytest.raises(NotAllowed):
            apply(cast, whom, by, **changes)
    assert cast.tables() == before


@pytest.mark.parametrize(
    ("changes", "events"),
    [
        ({"username": "dorothy", "role": Role.USER}, ["user.edited", "user.demoted"]),
        ({"username": "dorothy", "active": False}, ["user.edited", "user.deactivated"]),
        ({"role": Role.USER, "active": False}, ["user.demoted", "user.deactivated"]),
    ],
)
def test_giving_up_ones_own_role(cast: World, changes: dict[str, Any], events: list[str]) -> None:
    """A superuser may give up the role together with other changes: what counts is the role before them."""
    dora = acting(cast, DORA)
    apply(cast, DORA, DORA, **changes)
    assert happened(cast) == events
    with pytest.raises(NotAllowed):
        user_edits.apply(cast.database, cast.snapshot.effective, cast.user(BOB).id, Edit(full_name="Robert"), dora)


def test_two_superusers_demote_each_other(world: World) -> None:
    """When two superusers take each other's role and name at the same moment, one of them remains."""
    for name in (DORA, "erin"):
        world.add(name, superuser=True)
    apply_to = partial(user_edits.apply, effective=world.snapshot.effective)
    outcomes = at_once(
        *(
            partial(
                apply_to,
                world.connect(),
                user_id=world.user(whom).id,
                edit=Edit(username=f"former {whom}", role=Role.USER),
                by=acting(world, by),
            )
            for whom, by in ((DORA, "erin"), ("erin", DORA))
        )
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NotAllowed", "User"]
    with world.database.reading() as db:
        assert len(db.scalars(select(User).where(User.role == Role.ADMIN)).all()) == 1


def test_nobody_in_mode_none(world: World) -> None:
    """In mode none there is nobody to change."""
    world.write_mode("none")
    _ = world.app
    with pytest.raises(NotAllowed, match="mode none"):
        apply(world, "default", full_name="Everybody")


# -- the owner ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [ADA, None])
def test_the_owners_names(cast: World, by: str | None) -> None:
    """Owner and command line may change both names of the owner; with the new one the owner signs in."""
    apply(cast, ADA, by, username="countess", full_name="Ada Lovelace")
    assert cast.setting("server.basic-auth")["username"] == "countess"
    sign_in = partial(logins.sign_in, cast.database, cast.snapshot.effective, password=PASSWORD, by=VISITOR)
    assert sign_in("countess")
    with pytest.raises(LoginFailed):
        sign_in(ADA)


def test_what_is_for_the_owner_already(cast: World) -> None:
    """The owner is active and a superuser: asking for that changes nothing, and is not refused."""
    apply(cast, ADA, DORA, username=ADA, full_name="Ada L.", role=Role.ADMIN, active=True)
    assert (cast.user(ADA).full_name, happened(cast)) == ("Ada L.", ["user.edited"])


@pytest.mark.parametrize("by", [ADA, None])
def test_a_pinned_name(cast: World, by: str | None) -> None:
    """While the config file gives the owner's name, it is not changed, nor what was to change with it."""
    cast.write_credentials()
    before = cast.tables()
    with pytest.raises(Pinned, match=r"config\.yml, line 3"):
        apply(cast, ADA, by, username="countess", full_name="Ada L.")
    assert cast.tables() == before
    assert apply(cast, ADA, by, username=ADA, full_name="Ada L.").full_name == "Ada L."


# -- what ends ------------------------------------------------------------------------------------------------


def let_in(world: World, username: str) -> None:
    """Give somebody a session and a token."""
    user = world.user(username)
    with world.database.writing() as db:
        sessions.start(db, user, VISITOR)
        sha256 = tokens.digest(username)
        db.add(Token(kind=TokenKind.API, sha256=sha256, user_id=user.id, created_at=user.created_at))


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"username": "dorothy", "role": Role.USER}, 1),
        ({"full_name": "Dora", "active": False}, 0),
        ({"username": "dorothy", "role": Role.USER, "active": False}, 0),
    ],
)
def test_what_ends(cast: World, changes: dict[str, Any], left: int) -> None:
    """Whoever is deactivated among other changes loses sessions and tokens; whoever is not keeps them."""
    let_in(cast, DORA)
    apply(cast, DORA, **changes)
    tables = cast.tables()
    assert (len(tables["sessions"]), len(tables["tokens"])) == (left, left)
