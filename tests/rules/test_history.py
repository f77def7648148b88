"""What people are told of what happened: their last sign-in, and a user's history."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from authapp import audit, audit_log, logins, sessions, user_names, user_passwords, users, wizard
from authapp.audit import Actor, LastSignIn
from authapp.errors import LoginFailed, WrongPassword
from authapp.models import AuditEntry, SignedIn
from tests.world import ADA, BOB, CHARLIE, DORA, OTHER_PASSWORD, PASSWORD, SHELL, World

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HERE, THERE = "192.0.2.1", "192.0.2.2"


def sign_in(
    world: World, moment: datetime, username: str = BOB, password: str = PASSWORD, address: str = HERE
) -> datetime | None:
    """Sign somebody in at a moment; return when the session began, or None for a wrong password."""
    by = Actor("form", address=address)
    with time_machine.travel(moment, tick=False):
        try:
            token = logins.sign_in(world.database, world.snapshot.effective, username, password, by)
        except LoginFailed:
            return None
        with world.database.reading() as db:
            found = sessions.find(db, world.snapshot.effective.config.session, token)
    assert found is not None
    return found[0].created_at


def last(world: World, before: datetime | None, username: str = BOB) -> LastSignIn:
    """Return what a user is told of the sign-in before a session."""
    assert before is not None
    with world.database.reading() as db:
        return audit.last_sign_in(db, world.user(username).id, before)


def history(world: World, user_id: str, *, before: int | None = None, limit: int = 50) -> list[AuditEntry]:
    """Return a page of a user's history."""
    with world.database.reading() as db:
        return audit_log.history(db, user_id, before=before, limit=limit)


# -- the last sign-in -----------------------------------------------------------------------------------------


def test_the_first_sign_in(cast: World) -> None:
    """Who signs in for the first time is told of no other sign-in."""
    assert last(cast, sign_in(cast, NOON)) == LastSignIn(None, "", 0)


def test_the_sign_in_before(cast: World) -> None:
    """Who signs in is told when and from where that was before, and how many tries failed since."""
    sign_in(cast, NOON - MINUTE, password="wrong")
    sign_in(cast, NOON, address=THERE)
    sign_in(cast, NOON + MINUTE, password="wrong")
    sign_in(cast, NOON + MINUTE, password="wrong as well", address=THERE)
    assert last(cast, sign_in(cast, NOON + 2 * MINUTE)) == LastSignIn(NOON, THERE, 2)


def test_tries_before_the_first_sign_in(cast: World) -> None:
    """Who signs in for the first time is told how many tries failed before."""
    for _ in range(3):
        sign_in(cast, NOON, password="wrong")
    assert last(cast, sign_in(cast, NOON + MINUTE)) == LastSignIn(None, "", 3)


def test_what_happens_later_is_not_the_last(cast: World) -> None:
    """In a session the last sign-in stays the one before it, whatever other browsers do."""
    sign_in(cast, NOON)
    began = sign_in(cast, NOON + MINUTE)
    sign_in(cast, NOON + 2 * MINUTE, address=THERE)
    sign_in(cast, NOON + 3 * MINUTE, password="wrong")
    assert last(cast, began) == LastSignIn(NOON, HERE, 0)


def test_other_people_do_not_count(cast: World) -> None:
    """Nobody is told of other people's sign-ins and failures, or of names nobody bears."""
    sign_in(cast, NOON, DORA, address=THERE)
    sign_in(cast, NOON, DORA, "wrong")
    sign_in(cast, NOON, "nobody", "wrong")
    assert last(cast, sign_in(cast, NOON + MINUTE)) == LastSignIn(None, "", 0)


def test_a_renamed_user_keeps_it(cast: World) -> None:
    """The last sign-in is told after a change of the name, too."""
    sign_in(cast, NOON)
    user_names.edit(cast.database, cast.snapshot.effective, cast.user(BOB).id, SHELL, username="robert")
    assert last(cast, sign_in(cast, NOON + MINUTE, "robert"), "robert").at == NOON


def test_setting_up_was_a_sign_in(world: World) -> None:
    """The owner's first sign-in is told of the setup, which signed the owner in, too."""
    with time_machine.travel(NOON, tick=False):
        by = Actor("setup", address=HERE)
        wizard.finish(world.database, world.snapshot, world.setup_token(), ADA, PASSWORD, by)
    sign_in(world, NOON + MINUTE, ADA, "wrong")
    assert last(world, sign_in(world, NOON + 2 * MINUTE, ADA), ADA) == LastSignIn(NOON, HERE, 1)


def test_setting_up_in_a_shell_was_none(cast: World) -> None:
    """An owner who was made by a command was signed in nowhere."""
    assert last(cast, sign_in(cast, NOON, ADA), ADA) == LastSignIn(None, "", 0)


def test_a_wrong_password_inside_counts(cast: World) -> None:
    """A wrong password where somebody signed in is asked for it again counts as a failed try."""
    sign_in(cast, NOON)
    with time_machine.travel(NOON + MINUTE, tick=False), pytest.raises(WrongPassword):
        logins.confirm(cast.database, cast.snapshot.effective, BOB, "wrong", Actor("form", cast.user(BOB).id))
    assert last(cast, sign_in(cast, NOON + 2 * MINUTE)).failures == 1


# -- the history ----------------------------------------------------------------------------------------------


def test_what_was_done_and_suffered(cast: World) -> None:
    """A user's history holds what the user did and what was done to the user, newest first, each once."""
    dora = cast.user(DORA)
    by = Actor("form", dora.id, DORA)
    sign_in(cast, NOON, DORA)
    user_names.edit(cast.database, cast.snapshot.effective, cast.user(BOB).id, by, full_name="Robert")
    user_names.edit(cast.database, cast.snapshot.effective, dora.id, by, full_name="Dorothy")
    users.set_active(cast.database, cast.user(CHARLIE).id, SHELL, active=True)
    user_passwords.set_password(cast.database, cast.snapshot.effective, dora.id, OTHER_PASSWORD, SHELL)
    assert [(entry.event, entry.target) for entry in history(cast, dora.id)] == [
        ("user.password-changed", DORA),
        ("user.edited", DORA),
        ("user.edited", BOB),
        ("sign-in", DORA),
        ("user.created", DORA),
    ]


def test_the_same_in_the_others_history(cast: World) -> None:
    """What a superuser did stands in the history of the one to whom it was done as well."""
    users.set_active(cast.database, cast.user(CHARLIE).id, Actor("form", cast.user(DORA).id, DORA), active=True)
    (mine, *_), (theirs, *_) = history(cast, cast.user(CHARLIE).id), history(cast, cast.user(DORA).id)
    assert mine.id == theirs.id


def test_nobodys_history(cast: World) -> None:
    """Where nothing happened, the history is empty."""
    assert history(cast, "no such id") == []


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 20])
def test_pages_of_a_history(cast: World, limit: int) -> None:
    """Page after page, the history holds every entry once, and goes on where the page before it ended."""
    dora = cast.user(DORA)
    for number in range(4):
        user_names.edit(cast.database, cast.snapshot.effective, dora.id, SHELL, full_name=f"D{number}")
        by = Actor("form", dora.id, DORA)
        user_names.edit(cast.database, cast.snapshot.effective, cast.user(BOB).id, by, full_name=f"B{number}")
    whole = [entry.id for entry in history(cast, dora.id)]
    found: list[int] = []
    while page := history(cast, dora.id, before=found[-1] if found else None, limit=limit):
        assert len(page) <= limit
        found += [entry.id for entry in page]
    assert found == whole == sorted(whole, reverse=True)
    assert len(whole) == 9


def test_when_a_session_began(cast: World) -> None:
    """A session that is over, or never was, began at no time."""
    began = sign_in(cast, NOON)
    with cast.database.writing() as db:
        (row,) = db.query(SignedIn).all()
        assert sessions.began(db, row.id) == began == NOON
        sessions.end_all(db, row.user_id)
        assert sessions.began(db, row.id) is None
        assert sessions.began(db, None) is None
