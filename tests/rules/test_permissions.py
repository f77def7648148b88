"""Who may do what: the one table, and when it counts."""

import pytest

from authapp import permissions, users
from authapp.audit import Actor
from authapp.errors import NotAllowed
from authapp.models import Role
from authapp.permissions import PERMISSIONS, Permission
from tests.world import ADA, BOB, CHARLIE, DORA, SHELL, World

EVERYBODYS = [permissions.OWN_ACCOUNT, permissions.OWN_TOKENS, permissions.SEE_ORGANIZATION]
SUPERUSERS = [
    permissions.SEE_USERS,
    permissions.INVITE,
    permissions.EDIT,
    permissions.ACTIVATE,
    permissions.SET_ROLE,
    permissions.RESET,
    permissions.END_SESSIONS,
    permissions.END_TOKENS,
    permissions.DELETE,
    permissions.SEE_AUDIT,
    permissions.SEE_METRICS,
    permissions.SETTINGS,
]
each_permission = pytest.mark.parametrize("permission", PERMISSIONS, ids=lambda permission: permission.words)


def may(world: World, by: Actor, permission: Permission) -> bool:
    """Tell whether somebody may do something now."""
    with world.database.reading() as db:
        try:
            permissions.require(db, by, permission)
        except NotAllowed:
            return False
    return True


def test_the_table() -> None:
    """Everybody has their own account and tokens and sees the organization; all else is for superusers."""
    assert sorted(EVERYBODYS + SUPERUSERS, key=lambda each: each.words) == sorted(
        PERMISSIONS, key=lambda each: each.words
    )
    assert [each for each in PERMISSIONS if permissions.allows(Role.USER, each)] == EVERYBODYS
    assert [each for each in PERMISSIONS if permissions.allows(Role.ADMIN, each)] == list(PERMISSIONS)


def test_no_permission_is_left_out() -> None:
    """Every permission that is declared stands in the table, which the documentation is made from."""
    declared = [each for each in vars(permissions).values() if isinstance(each, Permission)]
    assert declared == list(PERMISSIONS)
    assert [line.split(" | ")[0] for line in permissions.table().splitlines()[2:]] == [
        f"| {each.words}" for each in PERMISSIONS
    ]


@each_permission
@pytest.mark.parametrize("role", ["", "ADMIN", "Admin", "owner", "superuser", "viewer"])
def test_an_unknown_role_has_nothing(role: str, permission: Permission) -> None:
    """A role nobody knows includes nothing, not even one's own account."""
    assert not permissions.allows(role, permission)


@each_permission
def test_active_people(cast: World, permission: Permission) -> None:
    """An active user may do what the role includes; the owner what every superuser may; the command line all."""
    who = {name: Actor("form", cast.user(name).id) for name in (ADA, BOB, DORA)}
    found = {name: may(cast, by, permission) for name, by in who.items()}
    assert found == {ADA: True, BOB: permission in EVERYBODYS, DORA: True}
    assert may(cast, SHELL, permission)


@each_permission
def test_inactive_people(cast: World, permission: Permission) -> None:
    """Whoever is inactive may do nothing, whatever the role."""
    users.set_active(cast.database, cast.user(DORA).id, SHELL, active=False)
    assert [may(cast, Actor("form", cast.user(name).id), permission) for name in (CHARLIE, DORA)] == [False, False]


@each_permission
def test_demoted_people(cast: World, permission: Permission) -> None:
    """Whoever was demoted may do what users may, from that moment on."""
    dora = Actor("form", cast.user(DORA).id)
    assert may(cast, dora, permission)
    users.set_superuser(cast.database, cast.user(DORA).id, SHELL, superuser=False)
    assert may(cast, dora, permission) is (permission in EVERYBODYS)


@each_permission
def test_deleted_people(cast: World, permission: Permission) -> None:
    """Whoever was deleted may do nothing any more, and an id that was never anybody's neither."""
    dora = Actor("form", cast.user(DORA).id)
    users.delete_all(cast.database, [cast.user(DORA).id], SHELL)
    assert [may(cast, by, permission) for by in (dora, Actor("form", "no such id"))] == [False, False]


@each_permission
def test_an_unknown_role_in_the_database(cast: World, permission: Permission) -> None:
    """A role that came into the database some other way lets its bearer do nothing."""
    with cast.database.writing() as db:
        users.get(db, cast.user(DORA).id).role = "root"
    assert not may(cast, Actor("form", cast.user(DORA).id), permission)


def test_it_counts_at_once(cast: World) -> None:
    """A transaction that loaded a superuser before the demotion hears of it all the same."""
    dora = Actor("form", cast.user(DORA).id)
    with cast.database.reading() as db:
        loaded = users.get(db, cast.user(DORA).id)
        db.commit()
        users.set_superuser(cast.connect(), loaded.id, SHELL, superuser=False)
        assert loaded.is_superuser
        with pytest.raises(NotAllowed):
            permissions.require(db, dora, permissions.DELETE)


@pytest.mark.parametrize("permission", [permissions.DELETE, permissions.OWN_ACCOUNT])
def test_a_refusal_says_who_may(cast: World, permission: Permission) -> None:
    """A refusal says who may do it, and what it is that they may do."""
    who = "an active user" if permission in EVERYBODYS else "a superuser"
    with pytest.raises(NotAllowed) as raised, cast.database.reading() as db:
        permissions.require(db, Actor("form", cast.user(CHARLIE).id), permission)
    assert str(raised.value) == f"Only {who} may {permission.words}."
