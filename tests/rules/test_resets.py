"""Resetting passwords, and letting people try again who were made to wait."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from authapp import invitations, locks, logins, passwords, users
from authapp.audit import Actor
from authapp.errors import LoginFailed, NotAllowed, Pinned, Refused, UserNotFound
from authapp.invitations import Invitation
from tests.world import ADA, BOB, CHARLIE, DORA, PASSWORD, SHELL, World

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
VISITOR = Actor("form", address="192.0.2.1")


def acting(world: World, username: str) -> Actor:
    """Somebody who acts on the admin pages."""
    return Actor("form", world.user(username).id, username, "192.0.2.7")


def reset(world: World, username: str = BOB, *, by: Actor = SHELL) -> Invitation:
    """Reset a user's password."""
    return invitations.reset_password(world.database, world.snapshot.effective, world.user(username).id, by)


def outcome(world: World, username: str, password: str) -> str:
    """Try to sign in; return how the audit table says it ended."""
    try:
        logins.sign_in(world.database, world.snapshot.effective, username, password, VISITOR)
    except LoginFailed as error:
        return error.reason
    return "success"


def lock(world: World, username: str) -> None:
    """Type wrong passwords until somebody has to wait."""
    for _ in range(world.snapshot.effective.config.throttle.attempts):
        outcome(world, username, "Not the password at all")
    assert outcome(world, username, PASSWORD) == "locked"


# -- resetting ------------------------------------------------------------------------------------------------


def test_resetting_a_password(cast: World) -> None:
    """After a reset the old password is wrong, the new one right and to be replaced, and every session over."""
    outcome(cast, BOB, PASSWORD)
    made = reset(cast, by=acting(cast, DORA))
    assert cast.sessions_of(BOB) == 0
    assert outcome(cast, BOB, PASSWORD) == "wrong"
    assert outcome(cast, BOB, made.initial_password or "") == "success"
    assert cast.user(BOB).must_change_password


def test_a_reset_shows_the_password_once(cast: World) -> None:
    """The new password is in the answer and nowhere else: in no table, and in no log by accident."""
    made = reset(cast)
    assert made.initial_password
    assert made.initial_password not in str(cast.tables()) + repr(made)


def test_a_reset_password_dies_too(cast: World) -> None:
    """A password from a reset works for 72 hours; that of somebody inactive from the activation on."""
    with time_machine.travel(NOON, tick=False):
        assert reset(cast, BOB).dies_at == NOON + timedelta(hours=72)
        assert reset(cast, CHARLIE).dies_at is None


def test_a_reset_lifts_the_wait(cast: World) -> None:
    """Who was made to wait need not after a reset."""
    lock(cast, BOB)
    assert outcome(cast, BOB, reset(cast).initial_password or "") == "success"


def test_a_reset_is_recorded(cast: World) -> None:
    """The audit table says who reset whose password, and how many sessions that ended."""
    outcome(cast, BOB, PASSWORD)
    by = acting(cast, DORA)
    reset(cast, by=by)
    (entry,) = cast.audit("user.password-reset")
    assert (entry.actor_id, entry.target, entry.detail["sessions"]) == (by.user_id, BOB, 1)


@pytest.mark.parametrize(
    ("by", "whose"), [(DORA, ADA), (DORA, DORA), (ADA, ADA), (BOB, CHARLIE), (BOB, BOB), (CHARLIE, BOB)]
)
def test_resets_that_are_not_allowed(cast: World, by: str, whose: str) -> None:
    """Nobody resets the owner's password, or their own, and whoever is no superuser resets none."""
    before = cast.tables()
    with pytest.raises(NotAllowed):
        reset(cast, whose, by=acting(cast, by))
    assert cast.tables() == before


def test_the_command_line_resets_the_owners(cast: World) -> None:
    """Whoever has a shell may reset the owner's password; its hash stays in the Settings table alone."""
    made = reset(cast, ADA)
    assert made.initial_password
    assert outcome(cast, ADA, PASSWORD) == "wrong"
    assert outcome(cast, ADA, made.initial_password) == "success"
    assert cast.user(ADA).password_hash is None


@pytest.mark.parametrize(("by", "refusal"), [(SHELL, Pinned), (None, NotAllowed)])
def test_a_pinned_password_is_not_reset(cast: World, by: Actor | None, refusal: type[Refused]) -> None:
    """While the config file gives the owner's password, no reset changes it."""
    cast.write_credentials()
    with pytest.raises(refusal):
        reset(cast, ADA, by=by or acting(cast, DORA))
    assert outcome(cast, ADA, PASSWORD) == "success"


def test_the_file_makes_an_initial_password_the_owners_own(cast: World) -> None:
    """A password from a reset that the config file then gives is the owner's for good: it could not be replaced."""
    made = reset(cast, ADA)
    cast.write_credentials(password=made.initial_password)
    assert not cast.user(ADA).must_change_password


def test_a_new_name_from_the_file_is_no_new_password(cast: World) -> None:
    """An owner whom the config file only renames still has to replace the password from a reset."""
    made = reset(cast, ADA)
    cast.write_credentials("countess", password=None)
    assert outcome(cast, "countess", made.initial_password or "") == "success"
    assert cast.user("countess").must_change_password


@pytest.mark.parametrize("call", [invitations.reset_password, locks.unlock])
@pytest.mark.parametrize("user_id", ["no such id", "", "\0"])
def test_nobody_to_reset(cast: World, call: Callable[..., object], user_id: str) -> None:
    """A user who does not exist, or not any more, is told so."""
    with pytest.raises(UserNotFound):
        call(cast.database, cast.snapshot.effective, user_id, SHELL)


def test_a_superuser_who_is_demoted_meanwhile(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is demoted while the new password is being hashed resets nothing."""
    dora, real = acting(cast, DORA), passwords.hash_password

    def hash_password(password: str) -> str:
        users.set_superuser(cast.connect(), cast.user(DORA).id, SHELL, superuser=False)
        return real(password)

    monkeypatch.setattr(passwords, "hash_password", hash_password)
    with pytest.raises(NotAllowed):
        reset(cast, by=dora)
    assert outcome(cast, BOB, PASSWORD) == "success"


# -- unlocking ------------------------------------------------------------------------------------------------


def unlock(world: World, username: str, by: Actor = SHELL) -> bool:
    """Let somebody try again; tell whether there was a wait to lift."""
    return locks.unlock(world.database, world.snapshot.effective, world.user(username).id, by).was_locked


@pytest.mark.parametrize("name", [BOB, ADA])
def test_unlocking(cast: World, name: str) -> None:
    """A superuser lets somebody try again who was made to wait, the owner too; the audit table says so."""
    lock(cast, name)
    by = acting(cast, DORA)
    assert unlock(cast, name, by)
    assert outcome(cast, name, PASSWORD) == "success"
    (entry,) = cast.audit("sign-in.unlocked")
    assert (entry.actor_id, entry.target) == (by.user_id, name)


def test_unlocking_who_is_not_locked(cast: World) -> None:
    """Who is not locked can be unlocked all the same; that is told, and nothing is recorded."""
    before = cast.events()
    assert not unlock(cast, BOB)
    assert cast.events() == before


def test_a_wait_that_is_over_is_none(cast: World) -> None:
    """Who has waited long enough is not locked any more."""
    with time_machine.travel(NOON, tick=False) as clock:
        lock(cast, BOB)
        clock.shift(cast.snapshot.effective.config.throttle.lock)
        assert not unlock(cast, BOB)


def test_only_superusers_unlock(cast: World) -> None:
    """Nobody lifts a wait who is no superuser, not even their own."""
    lock(cast, BOB)
    with pytest.raises(NotAllowed):
        unlock(cast, BOB, acting(cast, BOB))
    assert outcome(cast, BOB, PASSWORD) == "locked"
