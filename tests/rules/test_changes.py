"""Deleting people, renaming them, and what is done to several at once."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sqlalchemy import inspect, select

from authapp import audit_log, logins, user_names, users
from authapp.audit import Actor
from authapp.errors import (
    BadFullName,
    BadUsername,
    LastSuperuser,
    LoginFailed,
    NotAllowed,
    Pinned,
    Refused,
    Unconfirmed,
    UsernameTaken,
    UserNotFound,
)
from authapp.models import KnownName, NamePart, User
from tests.world import ADA, BOB, CHARLIE, DORA, PASSWORD, SHELL, World, at_once

VISITOR = Actor("form", address="192.0.2.1")


def acting(world: World, username: str) -> Actor:
    """Somebody who acts on the admin pages."""
    return Actor("form", world.user(username).id, username, "192.0.2.7")


def delete(world: World, *names: str, by: Actor = SHELL) -> list[User]:
    """Delete users."""
    return users.delete_all(world.database, [world.user(name).id for name in names], by)


def edit(world: World, name: str, by: Actor = SHELL, **names: Any) -> User:
    """Change a user's names."""
    return user_names.edit(world.database, world.snapshot.effective, world.user(name).id, by, **names)


def sign_in(world: World, username: str) -> str:
    """Sign somebody in; return the session's token."""
    return logins.sign_in(world.database, world.snapshot.effective, username, PASSWORD, VISITOR)


def is_there(world: World, username: str) -> bool:
    """Tell whether somebody bears a name."""
    with world.database.reading() as db:
        return users.find(db, username) is not None


def parts_of(world: World, user_id: str) -> set[str]:
    """Return what a user is found by."""
    with world.database.reading() as db:
        return set(db.scalars(select(NamePart.part).where(NamePart.user_id == user_id)))


# -- deleting -------------------------------------------------------------------------------------------------


def test_deleting(cast: World) -> None:
    """A deleted user is gone, with sessions and what they were found by, and signs in no more."""
    bob = cast.user(BOB)
    sign_in(cast, BOB)
    delete(cast, BOB)
    assert not is_there(cast, BOB)
    assert parts_of(cast, bob.id) == set()
    assert cast.tables()["sessions"] == []
    with pytest.raises(LoginFailed, match="do not match"):
        sign_in(cast, BOB)


def test_what_is_left_of_the_deleted(cast: World) -> None:
    """The history of a deleted user stays, with who deleted them; and the name is known for good."""
    bob, by = cast.user(BOB), acting(cast, DORA)
    sign_in(cast, BOB)
    delete(cast, BOB, by=by)
    with cast.database.reading() as db:
        events = [entry.event for entry in audit_log.history(db, bob.id)]
        assert db.get(KnownName, BOB) is not None
    assert events == ["user.deleted", "sign-in", "user.created"]
    (entry,) = cast.audit("user.deleted")
    assert (entry.actor_id, entry.target_id, entry.target, entry.detail) == (
        by.user_id,
        bob.id,
        BOB,
        {"sessions": 1, "tokens": 0},
    )


def test_a_deleted_users_deeds_stay(cast: World) -> None:
    """What a deleted superuser did is still told of those to whom it was done."""
    dora = acting(cast, DORA)
    edit(cast, BOB, dora, full_name="Robert")
    delete(cast, DORA)
    assert cast.audit("user.edited")[0].actor_id == dora.user_id


def test_a_name_may_be_given_again(cast: World) -> None:
    """A superuser may create somebody under a deleted user's name; that is a new user with nothing of the old."""
    old = cast.user(BOB)
    sign_in(cast, BOB)
    delete(cast, BOB)
    new = cast.add(BOB)
    assert new.id != old.id
    assert (new.last_login_at, cast.sessions_of(BOB)) == (None, 0)


def test_deleting_many(cast: World) -> None:
    """Several users can be deleted at once; one who is named twice is deleted once."""
    assert [user.username for user in delete(cast, BOB, CHARLIE, BOB)] == [BOB, CHARLIE]
    assert cast.events()[-2:] == ["user.deleted success"] * 2


@pytest.mark.parametrize(
    ("whom", "by", "refusal"),
    [
        (ADA, DORA, LastSuperuser),
        (ADA, None, LastSuperuser),
        (ADA, ADA, NotAllowed),
        (DORA, DORA, NotAllowed),
        (CHARLIE, BOB, NotAllowed),
        (BOB, BOB, NotAllowed),
    ],
)
def test_who_is_not_deleted(cast: World, whom: str, by: str | None, refusal: type[Refused]) -> None:
    """Nobody deletes the owner or themselves; and in a list with such a one nobody is deleted."""
    before = cast.tables()
    with pytest.raises(refusal):
        delete(cast, CHARLIE, whom, by=acting(cast, by) if by else SHELL)
    assert cast.tables() == before


def test_the_last_superuser_is_not_deleted(world: World) -> None:
    """Where there is no owner, not all superusers can be deleted together, and nobody else with them."""
    world.add(BOB)
    for name in (DORA, "erin"):
        world.add(name, superuser=True)
    with pytest.raises(LastSuperuser, match="last active superuser"):
        delete(world, BOB, DORA, "erin")
    assert [is_there(world, name) for name in (BOB, DORA, "erin")] == [True] * 3
    delete(world, BOB, DORA)


def test_two_superusers_delete_each_other(world: World) -> None:
    """When two superusers delete each other at the same moment, one of them remains."""
    dora, erin = world.add(DORA, superuser=True), world.add("erin", superuser=True)
    outcomes = at_once(
        partial(users.delete_all, world.connect(), [erin.id], acting(world, DORA)),
        partial(users.delete_all, world.connect(), [dora.id], acting(world, "erin")),
    )
    assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == [NotAllowed]
    assert is_there(world, DORA) != is_there(world, "erin")


def test_somebody_unknown_among_many(cast: World) -> None:
    """When one of several users is gone already, nothing is done to the others."""
    with pytest.raises(UserNotFound):
        users.delete_all(cast.database, [cast.user(BOB).id, "no such id"], SHELL)
    assert is_there(cast, BOB)


def test_what_goes_with_a_user(world: World) -> None:
    """Whatever refers to a user's row goes with it; whoever adds such a table has to decide about that here."""
    found = inspect(world.database.engine)
    refers = {
        (table, *key["constrained_columns"], key["options"].get("ondelete"))
        for table in found.get_table_names()
        for key in found.get_foreign_keys(table)
        if key["referred_table"] == User.__tablename__
    }
    tables = ("sessions", "tokens", "name_parts")
    assert refers == {(table, "user_id", "CASCADE") for table in tables}


# -- user names -----------------------------------------------------------------------------------------------


def test_renaming(cast: World) -> None:
    """A renamed user is the same one: the id, the role and the session stay, and the new name signs in."""
    before = cast.user(BOB)
    sign_in(cast, BOB)
    after = edit(cast, BOB, username="robert")
    assert (after.id, after.role, cast.sessions_of("robert")) == (before.id, before.role, 1)
    assert sign_in(cast, "Robert")
    with pytest.raises(LoginFailed, match="do not match"):
        sign_in(cast, BOB)


def test_renaming_is_recorded(cast: World) -> None:
    """The audit table says who renamed whom, and what the name was before."""
    by = acting(cast, DORA)
    edit(cast, BOB, by, username="robert")
    (entry,) = cast.audit("user.edited")
    assert (entry.actor_id, entry.target, entry.detail) == (by.user_id, "robert", {"before": BOB})


def test_names_that_are_so_already_are_not_recorded(cast: World) -> None:
    """A form that is sent as it was shown changes nothing and is not recorded."""
    edit(cast, BOB, full_name="Robert")
    before = cast.tables()
    edit(cast, BOB, username=BOB, full_name="Robert")
    assert cast.tables() == before


@pytest.mark.parametrize("name", [CHARLIE, "CHARLIE", "\uff43harlie", ADA])
def test_a_taken_name(cast: World, name: str) -> None:
    """Nobody is renamed to what somebody else is called, however it is written; the full name stays as well."""
    before = cast.tables()
    with pytest.raises(UsernameTaken):
        edit(cast, BOB, username=name, full_name="Robert")
    assert cast.tables() == before


@pytest.mark.parametrize("name", ["Bob", "BOB", "\uff22ob", BOB])
def test_writing_a_name_otherwise(cast: World, name: str) -> None:
    """A user's own name is not taken: it can be written with capitals."""
    assert edit(cast, BOB, username=name).username == name.replace("\uff22", "B")


def test_a_name_that_was_left_is_free(cast: World) -> None:
    """A name that a user gave up may be given to another one by a superuser."""
    edit(cast, BOB, username="robert")
    assert edit(cast, CHARLIE, username=BOB).id == cast.user(BOB).id


@pytest.mark.parametrize(
    ("names", "refusal"),
    [({"username": "a:b"}, BadUsername), ({"username": ""}, BadUsername), ({"full_name": "a\0b"}, BadFullName)],
)
def test_names_that_are_refused(cast: World, names: dict[str, Any], refusal: type[Refused]) -> None:
    """A name that breaks a rule is refused, and nothing is written."""
    before = cast.tables()
    with pytest.raises(refusal):
        edit(cast, BOB, **names)
    assert cast.tables() == before


def test_two_users_renamed_to_one_name(cast: World) -> None:
    """Of two users who are given one name at the same moment, one gets it."""
    rename = partial(user_names.edit, effective=cast.snapshot.effective, by=SHELL, username="robin")
    outcomes = at_once(
        partial(rename, cast.connect(), user_id=cast.user(BOB).id),
        partial(rename, cast.connect(), user_id=cast.user(CHARLIE).id),
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["User", "UsernameTaken"]


# -- the owner's name -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [ADA, None])
def test_the_owner_is_renamed(cast: World, by: str | None) -> None:
    """Owner and command line may change the owner's name; with it and the old password the owner signs in."""
    edit(cast, ADA, acting(cast, by) if by else SHELL, username="countess")
    assert cast.setting("server.basic-auth")["username"] == "countess"
    assert sign_in(cast, "countess")
    with pytest.raises(LoginFailed):
        sign_in(cast, ADA)


def test_the_owners_name_is_not_for_superusers(cast: World) -> None:
    """No other superuser changes the owner's user name; the full name they may."""
    dora = acting(cast, DORA)
    with pytest.raises(NotAllowed, match="Only the owner"):
        edit(cast, ADA, dora, username="countess")
    assert edit(cast, ADA, dora, username=ADA, full_name="Ada Lovelace").full_name == "Ada Lovelace"


@pytest.mark.parametrize("by", [ADA, None])
def test_a_pinned_name_stays(cast: World, by: str | None) -> None:
    """While the config file gives the owner's name, nobody changes it elsewhere; the refusal says where it is."""
    cast.write_credentials()
    with pytest.raises(Pinned, match=r"config\.yml, line 3"):
        edit(cast, ADA, acting(cast, by) if by else SHELL, username="countess")
    assert edit(cast, ADA, username=ADA, full_name="Ada L.").full_name == "Ada L."


def test_a_renamed_owner_survives_a_restart(cast: World) -> None:
    """An owner whose password the config file gives, but no name, keeps the new name when it is read again."""
    cast.write_credentials(username=None)
    edit(cast, ADA, username="countess")
    cast.restart()
    assert cast.snapshot.problems == ()
    assert sign_in(cast, "countess")


# -- full names -----------------------------------------------------------------------------------------------


def test_a_full_name(cast: World) -> None:
    """A full name is kept trimmed, found by its words, and can be taken away again."""
    assert edit(cast, BOB, full_name=" Robert Smith ").full_name == "Robert Smith"
    assert parts_of(cast, cast.user(BOB).id) == {"bob", "robert smith", "smith"}
    assert edit(cast, BOB, full_name="").full_name == ""
    assert parts_of(cast, cast.user(BOB).id) == {"bob"}


def test_what_is_not_said_stays(cast: World) -> None:
    """Changing one name leaves the other as it is."""
    edit(cast, BOB, full_name="Robert")
    assert edit(cast, BOB, username="rob").full_name == "Robert"
    assert edit(cast, "rob", full_name="Bert").username == "rob"


def test_ones_own_full_name(cast: World) -> None:
    """Everybody may change their own full name, but not their user name, and nothing of other people."""
    bob = acting(cast, BOB)
    assert edit(cast, BOB, bob, full_name="Robert").full_name == "Robert"
    for name, names in ((BOB, {"username": "rob"}), (CHARLIE, {"full_name": "Charles"})):
        with pytest.raises(NotAllowed):
            edit(cast, name, bob, **names)


def test_whoever_was_deactivated_changes_nothing(cast: World) -> None:
    """A user who was deactivated does not even change their own full name."""
    with pytest.raises(NotAllowed, match="active user"):
        edit(cast, CHARLIE, acting(cast, CHARLIE), full_name="Charles")


# -- several at once ------------------------------------------------------------------------------------------


def test_activating_many(cast: World) -> None:
    """Several users can be activated at once; for those who are active already nothing is recorded."""
    cast.add("erin", active=False)
    ids = [cast.user(name).id for name in (CHARLIE, BOB, "erin")]
    assert all(user.is_active for user in users.set_all_active(cast.database, ids, SHELL, active=True))
    assert [entry.target for entry in cast.audit("user.activated")] == [CHARLIE, "erin"]


def test_deactivating_many(cast: World) -> None:
    """Several users can be deactivated at once, and all their sessions end."""
    for name in (BOB, DORA):
        sign_in(cast, name)
    users.set_all_active(cast.database, [cast.user(name).id for name in (BOB, DORA)], SHELL, active=False)
    assert cast.tables()["sessions"] == []


@pytest.mark.parametrize("last", [ADA, None])
def test_all_or_none(cast: World, last: str | None) -> None:
    """When one of several users cannot be deactivated, none is, and no session ends."""
    sign_in(cast, BOB)
    before = cast.tables()
    ids = [cast.user(BOB).id, cast.user(last).id if last else "no such id"]
    with pytest.raises(LastSuperuser if last else UserNotFound):
        users.set_all_active(cast.database, ids, SHELL, active=False)
    assert cast.tables() == before


def test_not_all_superusers_together(world: World) -> None:
    """Where there is no owner, all superusers cannot be deactivated in one go."""
    ids = [world.add(name, superuser=True).id for name in (DORA, "erin")]
    with pytest.raises(LastSuperuser):
        users.set_all_active(world.database, ids, SHELL, active=False)
    assert (world.user(DORA).is_active, world.user("erin").is_active) == (True, True)


# -- giving up one's own role ---------------------------------------------------------------------------------


def demote(world: World, whom: str, by: Actor, *, sure: bool) -> User:
    """Take the superuser role away."""
    return users.set_superuser(world.database, world.user(whom).id, by, superuser=False, sure=sure)


def test_giving_up_ones_own_role_is_asked_twice(cast: World) -> None:
    """Whoever takes away their own superuser role is asked first; once they are sure, it is gone."""
    dora = acting(cast, DORA)
    with pytest.raises(Unconfirmed, match="your own superuser role"):
        demote(cast, DORA, dora, sure=False)
    assert cast.user(DORA).is_superuser
    assert not demote(cast, DORA, dora, sure=True).is_superuser


def test_shutting_oneself_out_is_asked_twice(cast: World) -> None:
    """Whoever deactivates themselves, alone or among others, is asked first; before that, nobody is deactivated."""
    dora, both = acting(cast, DORA), [cast.user(name).id for name in (BOB, DORA)]
    with pytest.raises(Unconfirmed, match="Deactivate yourself"):
        users.set_all_active(cast.database, both, dora, active=False, sure=False)
    assert (cast.user(BOB).is_active, cast.user(DORA).is_active) == (True, True)
    users.set_all_active(cast.database, both, dora, active=False, sure=True)
    assert (cast.user(BOB).is_active, cast.user(DORA).is_active) == (False, False)


Who = Callable[[World], Actor]


@pytest.mark.parametrize("by", [lambda _: SHELL, lambda world: acting(world, ADA)], ids=["shell", "owner"])
def test_others_are_not_asked(cast: World, by: Who) -> None:
    """Whoever takes the role from somebody else is not asked."""
    assert not demote(cast, DORA, by(cast), sure=False).is_superuser


@pytest.mark.parametrize("name", [ADA, BOB])
def test_what_cannot_be_given_up_is_not_asked_about(cast: World, name: str) -> None:
    """The owner is refused at once, and whoever may not change roles too: no question is asked in vain."""
    with pytest.raises(LastSuperuser if name == ADA else NotAllowed):
        demote(cast, name, acting(cast, name), sure=False)
