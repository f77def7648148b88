"""Sessions are rows (R7)."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import time_machine
from sqlalchemy import select

from authapp import logins, sessions, user_passwords, users
from authapp.audit import Actor
from authapp.config.sections import SessionOptions
from authapp.errors import WrongPassword
from authapp.models import SignedIn, User
from tests.world import ADA, BOB, OTHER_PASSWORD, PASSWORD, SHELL, World

OPTIONS = SessionOptions()
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
VISITOR = Actor("form", address="192.0.2.1", user_agent="Browser/1")


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The clock, which stands at noon until it is moved."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def bob(world: World) -> User:
    """Bob, the only user."""
    return world.add(BOB)


def start(world: World, user: User, *, remember: bool = False, by: Actor = VISITOR) -> str:
    """Begin a session; return its token."""
    with world.database.writing() as db:
        return sessions.start(db, user, by, remember=remember)


def find(world: World, token: str, options: SessionOptions = OPTIONS) -> SignedIn | None:
    """Return the session of a token, if it is not over."""
    with world.database.reading() as db:
        found = sessions.find(db, options, token)
    return found[0] if found else None


def touch(world: World, token: str) -> None:
    """Let a session be seen now."""
    session = find(world, token)
    assert session is not None
    with world.database.writing() as db:
        sessions.touch(db, session.id)


def rows(world: World) -> list[SignedIn]:
    """Return every row."""
    with world.database.reading() as db:
        return list(db.scalars(select(SignedIn)))


# -- beginning ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clock")
def test_what_a_row_holds(world: World, bob: User) -> None:
    """A row says whose session it is, since when, from where, and with which browser."""
    start(world, bob)
    (row,) = rows(world)
    assert (row.user_id, row.address, row.user_agent, row.remember) == (bob.id, "192.0.2.1", "Browser/1", False)
    assert (row.created_at, row.last_seen_at) == (NOON, NOON)


def test_only_the_tokens_sha256_is_stored(world: World, bob: User) -> None:
    """The row holds the SHA-256 of the token, and no table holds the token."""
    token = start(world, bob)
    assert rows(world)[0].token_sha256 == hashlib.sha256(token.encode()).hexdigest()
    assert token not in str(world.tables())


def test_what_a_browser_says_is_cut(world: World, bob: User) -> None:
    """However long a browser's name for itself is, the session begins."""
    start(world, bob, by=Actor("form", address="a" * 500, user_agent="b" * 5000))
    (row,) = rows(world)
    assert (len(row.address), len(row.user_agent)) == (64, 256)


@pytest.mark.parametrize("token", ["", "x", "\0", "lone \udc80", "0" * 64])
def test_other_tokens_find_nothing(world: World, bob: User, token: str) -> None:
    """A token nobody was given is nobody's session, whatever it looks like."""
    start(world, bob)
    assert find(world, token) is None


def test_the_stored_hash_is_no_token(world: World, bob: User) -> None:
    """Whoever reads the table cannot sign in with what it holds."""
    start(world, bob)
    assert find(world, rows(world)[0].token_sha256) is None


# -- how long -------------------------------------------------------------------------------------------------


def test_a_session_ends_after_its_lifetime(world: World, bob: User, clock: time_machine.Traveller) -> None:
    """However much it is used, a session ends `session.lifetime` after the sign-in, and not before."""
    token = start(world, bob)
    for _ in range(11):
        clock.shift(timedelta(hours=1))
        touch(world, token)
    clock.shift(timedelta(hours=1) - INSTANT)
    assert find(world, token)
    clock.shift(INSTANT)
    assert find(world, token) is None


def test_an_idle_session_ends(world: World, bob: User, clock: time_machine.Traveller) -> None:
    """A session that is not used for `session.idle-timeout` is over, and not before."""
    token = start(world, bob)
    clock.shift(OPTIONS.idle_timeout - INSTANT)
    touch(world, token)
    clock.shift(OPTIONS.idle_timeout - INSTANT)
    assert find(world, token)
    clock.shift(INSTANT)
    assert find(world, token) is None


def test_a_remembered_session(world: World, bob: User, clock: time_machine.Traveller) -> None:
    """A remembered session may be idle, and ends after `session.remember-lifetime`."""
    token = start(world, bob, remember=True)
    clock.shift(OPTIONS.remember_lifetime - INSTANT)
    assert find(world, token)
    clock.shift(INSTANT)
    assert find(world, token) is None


@pytest.mark.parametrize(
    ("remember", "options"),
    [
        (False, SessionOptions(lifetime=timedelta(minutes=9))),
        (False, SessionOptions(idle_timeout=timedelta(minutes=9))),
        (True, SessionOptions(remember_lifetime=timedelta(minutes=9))),
    ],
)
def test_the_options_in_force_count(
    world: World, bob: User, clock: time_machine.Traveller, remember: bool, options: SessionOptions
) -> None:
    """A shorter option ends sessions that began under a longer one; a longer one takes them back up."""
    token = start(world, bob, remember=remember)
    clock.shift(timedelta(minutes=10))
    assert find(world, token, options) is None
    assert find(world, token)


@pytest.mark.parametrize(
    ("remember", "options"),
    [
        (False, SessionOptions(remember_lifetime=timedelta(minutes=9))),
        (True, SessionOptions(lifetime=timedelta(minutes=9))),
        (True, SessionOptions(idle_timeout=timedelta(minutes=9))),
    ],
)
def test_options_for_the_other_kind_do_not_count(
    world: World, bob: User, clock: time_machine.Traveller, remember: bool, options: SessionOptions
) -> None:
    """Remembered sessions and others have options of their own."""
    token = start(world, bob, remember=remember)
    clock.shift(timedelta(minutes=10))
    assert find(world, token, options)


def test_last_seen_is_written_once_a_minute(world: World, bob: User, clock: time_machine.Traveller) -> None:
    """Last-seen is worth writing when it is a minute old, and then is the time of now."""
    token = start(world, bob)
    clock.shift(timedelta(minutes=1) - INSTANT)
    assert not sessions.is_worth_touching(rows(world)[0])
    clock.shift(INSTANT)
    assert sessions.is_worth_touching(rows(world)[0])
    touch(world, token)
    assert rows(world)[0].last_seen_at == NOON + timedelta(minutes=1)


def test_touching_what_is_over(world: World, bob: User) -> None:
    """A session that somebody ended meanwhile is not brought back by being seen."""
    token = start(world, bob)
    session = find(world, token)
    assert session is not None
    with world.database.writing() as db:
        sessions.end(db, token)
    with world.database.writing() as db:
        sessions.touch(db, session.id)
    assert rows(world) == []


# -- ending ---------------------------------------------------------------------------------------------------


def test_ending_one_session(world: World, bob: User) -> None:
    """Signing out ends that session and no other, and tells whose it was."""
    here, elsewhere = start(world, bob), start(world, bob)
    with world.database.writing() as db:
        ended = sessions.end(db, here)
    assert ended is not None
    assert ended.id == bob.id
    assert find(world, here) is None
    assert find(world, elsewhere)


def test_ending_twice(world: World, bob: User) -> None:
    """A session that is over can be ended again; it is nobody's."""
    token = start(world, bob)
    with world.database.writing() as db:
        sessions.end(db, token)
    with world.database.writing() as db:
        assert sessions.end(db, token) is None


def test_ending_all_of_a_user(cast: World) -> None:
    """All sessions of a user can be ended; other people's go on."""
    for name in (BOB, BOB, ADA):
        start(cast, cast.user(name))
    with cast.database.writing() as db:
        sessions.end_all(db, cast.user(BOB).id)
    assert (cast.sessions_of(BOB), cast.sessions_of(ADA)) == (0, 1)


def test_ending_all_but_one(cast: World) -> None:
    """All sessions of a user but one can be ended."""
    tokens = [start(cast, cast.user(BOB)) for _ in range(3)]
    kept = find(cast, tokens[1])
    assert kept is not None
    with cast.database.writing() as db:
        sessions.end_all(db, cast.user(BOB).id, keep=kept.id)
    assert [find(cast, token) is not None for token in tokens] == [False, True, False]


def test_ending_everybodys(cast: World) -> None:
    """Every session there is can be ended."""
    tokens = [start(cast, cast.user(name)) for name in (ADA, BOB)]
    with cast.database.writing() as db:
        sessions.end_everybodys(db)
    assert [find(cast, token) for token in tokens] == [None, None]


def test_a_session_of_somebody_inactive_is_none(cast: World) -> None:
    """A session counts only while its user is active, even if its row was left behind."""
    token = start(cast, cast.user(BOB))
    with cast.database.writing() as db:
        users.get(db, cast.user(BOB).id).is_active = False
    assert find(cast, token) is None


def test_a_session_does_not_outlive_its_user(cast: World) -> None:
    """With a user's row the user's sessions go."""
    token = start(cast, cast.user(BOB))
    with cast.database.writing() as db:
        db.delete(users.get(db, cast.user(BOB).id))
    assert find(cast, token) is None
    assert rows(cast) == []


def test_forgetting_leaves_what_may_still_count(world: World, bob: User, clock: time_machine.Traveller) -> None:
    """Only rows older than the longest lifetime are deleted."""
    old = start(world, bob, remember=True)
    clock.shift(INSTANT)
    young = start(world, bob, remember=True)
    clock.shift(OPTIONS.remember_lifetime)
    with world.database.writing() as db:
        sessions.forget_old(db, OPTIONS)
    assert [row.created_at for row in rows(world)] == [NOON + INSTANT]
    assert find(world, old) is None
    assert find(world, young) is None  # it is over, and the row goes next time


def test_promoting_keeps_the_sessions(cast: World) -> None:
    """Becoming a superuser signs nobody out."""
    token = start(cast, cast.user(BOB))
    users.set_superuser(cast.database, cast.user(BOB).id, SHELL, superuser=True)
    assert find(cast, token)


# -- proof of the password ------------------------------------------------------------------------------------


def has_proof(world: World, token: str) -> bool:
    """Tell whether the password was typed recently enough in a session."""
    session = find(world, token)
    assert session is not None
    return sessions.has_proof(session.proved_at)


def test_a_proof_is_good_for_a_quarter_of_an_hour(world: World, bob: User, clock: time_machine.Traveller) -> None:
    """Whoever signed in has proved the password for 15 minutes, and not a moment longer, however busy they are."""
    token = start(world, bob)
    clock.shift(timedelta(minutes=15) - INSTANT)
    touch(world, token)
    assert has_proof(world, token)
    clock.shift(INSTANT)
    assert not has_proof(world, token)


def test_proving_again(cast: World, clock: time_machine.Traveller) -> None:
    """Whoever types the password again has proved it for another 15 minutes, in this session and no other."""
    here, elsewhere = start(cast, cast.user(BOB)), start(cast, cast.user(BOB))
    session = find(cast, here)
    assert session is not None
    clock.shift(timedelta(hours=1))
    confirm = partial(
        logins.confirm, cast.database, cast.snapshot.effective, BOB, by=VISITOR, session_id=session.id
    )
    with pytest.raises(WrongPassword):
        confirm(password=OTHER_PASSWORD)
    assert not has_proof(cast, here)
    now_here = confirm(password=PASSWORD).token
    assert now_here is not None
    assert (has_proof(cast, now_here), has_proof(cast, elsewhere)) == (True, False)
    assert find(cast, here) is None  # a copy of the cookie has no part in it


def test_a_new_password_is_a_proof(cast: World, clock: time_machine.Traveller) -> None:
    """Whoever chose a new password has just typed it."""
    token = start(cast, cast.user(BOB))
    clock.shift(timedelta(hours=1))
    (row,) = rows(cast)
    renewed = user_passwords.set_password(
        cast.database, cast.snapshot.effective, row.user_id, OTHER_PASSWORD, SHELL, keep=row.id
    )
    assert renewed is not None
    assert has_proof(cast, renewed)
    assert find(cast, token) is None


def test_proving_what_is_over(world: World, bob: User) -> None:
    """A session that ended while the password was typed is not brought back by the proof."""
    start(world, bob)
    (row,) = rows(world)
    with world.database.writing() as db:
        sessions.end_all(db, bob.id)
        assert sessions.prove(db, row.id) is None
    assert rows(world) == []
