"""Lists of sessions, and ending them from elsewhere: one's own, and as a superuser anybody's."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import time_machine
from sqlalchemy import select

from authapp import sessions, tokens
from authapp.audit import Actor
from authapp.config.sections import SessionOptions
from authapp.errors import NotAllowed, SessionNotFound
from authapp.models import SignedIn, User
from authapp.paging import Cursor
from tests.world import ADA, BOB, CHARLIE, DORA, SHELL, World, at_once

OPTIONS = SessionOptions()
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
NOW, INSTANT, MINUTE, HOUR = timedelta(), timedelta(microseconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    """Let the clock stand at noon."""
    with time_machine.travel(NOON, tick=False):
        yield


def begin(
    world: World, name: str, *, age: timedelta = NOW, idle: timedelta = NOW, remember: bool = False
) -> SignedIn:
    """Let somebody have signed in a while ago, and have been seen since; return the row."""
    by = Actor("form", address="192.0.2.1", user_agent="Browser/1")
    with world.database.writing() as db:
        token = sessions.start(db, world.user(name), by, remember=remember)
        row = db.scalars(select(SignedIn).where(SignedIn.token_sha256 == tokens.digest(token))).one()
        row.created_at, row.last_seen_at = NOON - age, NOON - idle
    return row


def acting(world: World, username: str) -> Actor:
    """Somebody who is signed in."""
    return Actor("form", world.user(username).id, username, "192.0.2.7")


def all_of(world: World, username: str, options: SessionOptions = OPTIONS) -> list[str]:
    """Return the ids of a user's sessions, as they are listed."""
    with world.database.reading() as db:
        return [row.id for row in sessions.all_of(db, options, world.user(username).id)]


def everybodys(world: World, *, after: Cursor | None = None, limit: int = 50) -> list[tuple[SignedIn, User]]:
    """Return a page of everybody's sessions."""
    with world.database.reading() as db:
        return sessions.everybodys(db, OPTIONS, after=after, limit=limit)


def left(world: World) -> set[str]:
    """Return the ids of the sessions that are still there."""
    with world.database.reading() as db:
        return set(db.scalars(select(SignedIn.id)))


# -- lists ----------------------------------------------------------------------------------------------------


def test_ones_sessions(cast: World) -> None:
    """A user's sessions are listed, the newest first, and nobody else's."""
    begin(cast, ADA)
    ages = [MINUTE, 3 * MINUTE, 2 * MINUTE]
    youngest, oldest, middle = [begin(cast, BOB, age=age).id for age in ages]
    assert all_of(cast, BOB) == [youngest, middle, oldest]


def test_everybodys_sessions(cast: World) -> None:
    """Everybody's sessions are listed with whose they are, the newest first."""
    for age, name in enumerate((DORA, ADA, BOB)):
        begin(cast, name, age=age * MINUTE)
    listed = [(user.username, session.user_id == user.id) for session, user in everybodys(cast)]
    assert listed == [(DORA, True), (ADA, True), (BOB, True)]


@pytest.mark.parametrize(
    ("remember", "age", "idle", "alive"),
    [
        (False, NOW, NOW, True),
        (False, OPTIONS.lifetime - INSTANT, NOW, True),
        (False, OPTIONS.lifetime, NOW, False),
        (False, 3 * HOUR, OPTIONS.idle_timeout - INSTANT, True),
        (False, 3 * HOUR, OPTIONS.idle_timeout, False),
        (True, OPTIONS.lifetime, OPTIONS.lifetime, True),
        (True, OPTIONS.remember_lifetime - INSTANT, OPTIONS.remember_lifetime - INSTANT, True),
        (True, OPTIONS.remember_lifetime, NOW, False),
    ],
)
def test_what_is_listed_is_alive(cast: World, remember: bool, age: timedelta, idle: timedelta, alive: bool) -> None:
    """The lists hold exactly the sessions that still open a page, to the instant."""
    row = begin(cast, BOB, age=age, idle=idle, remember=remember)
    listed = [bool(all_of(cast, BOB)), bool(everybodys(cast)), not sessions.is_over(row, OPTIONS, NOON)]
    assert listed == [alive] * 3


def test_the_options_in_force_count(cast: World) -> None:
    """What is listed follows the options of now, as the pages do."""
    begin(cast, BOB, age=10 * MINUTE)
    assert len(all_of(cast, BOB)) == 1
    assert all_of(cast, BOB, SessionOptions(lifetime=9 * MINUTE)) == []


def test_sessions_of_somebody_inactive(cast: World) -> None:
    """What opens no page is not listed, even if its row was left behind."""
    for name in (BOB, CHARLIE):
        begin(cast, name)
    assert all_of(cast, CHARLIE) == []
    assert [user.username for _, user in everybodys(cast)] == [BOB]


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7])
def test_pages_of_everybodys_sessions(cast: World, limit: int) -> None:
    """Page after page holds every session once, also those that began at one moment, and while some end."""
    for name in (BOB, ADA, DORA):
        for age in (NOW, MINUTE):
            begin(cast, name, age=age)
    whole, found = [session.id for session, _ in everybodys(cast)], list[SignedIn]()
    while page := everybodys(cast, after=(found[-1].created_at, found[-1].id) if found else None, limit=limit):
        found += [session for session, _ in page]
        sessions.revoke(cast.database, found[-1].id, SHELL)
        begin(cast, BOB, age=-MINUTE)
    assert [session.id for session in found] == whole


# -- ending one -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [BOB, DORA, ADA, None])
def test_revoking_one(cast: World, by: str | None) -> None:
    """One's own sessions can be ended by oneself, and anybody's by a superuser or the command line."""
    here, elsewhere = begin(cast, BOB), begin(cast, BOB)
    assert sessions.revoke(cast.database, here.id, acting(cast, by) if by else SHELL).username == BOB
    assert left(cast) == {elsewhere.id}


def test_revoking_is_recorded(cast: World) -> None:
    """The audit table says who ended whose session, and which browser that was, from where."""
    by = acting(cast, DORA)
    sessions.revoke(cast.database, begin(cast, BOB).id, by)
    (entry,) = cast.audit("session.ended")
    assert (entry.actor_id, entry.target, entry.address) == (by.user_id, BOB, "192.0.2.7")
    assert entry.detail == {"device": "Browser/1", "from_address": "192.0.2.1"}


@pytest.mark.parametrize("by", [BOB, CHARLIE])
def test_other_peoples_sessions(cast: World, by: str) -> None:
    """A session that is none of one's business is not there: nobody learns which sessions others have."""
    adas = begin(cast, ADA).id
    with pytest.raises(SessionNotFound) as others:
        sessions.revoke(cast.database, adas, acting(cast, by))
    with pytest.raises(SessionNotFound) as nobodys:
        sessions.revoke(cast.database, "no such id", acting(cast, by))
    assert str(others.value) == str(nobodys.value)
    assert left(cast) == {adas}


@pytest.mark.parametrize("session_id", ["", "no such id", "\0", "\udc80", "x" * 300])
def test_revoking_what_is_over(cast: World, session_id: str) -> None:
    """A session that is over, or never was, is told so, whatever its id looks like."""
    with pytest.raises(SessionNotFound):
        sessions.revoke(cast.database, session_id, SHELL)


def test_two_revoke_one_session(cast: World) -> None:
    """When two people end one session at the same moment, one does, and the other hears that it is over."""
    session_id = begin(cast, BOB).id
    by = [acting(cast, BOB), acting(cast, DORA)]
    outcomes = at_once(*(partial(sessions.revoke, cast.connect(), session_id, each) for each in by))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["SessionNotFound", "User"]
    assert len(cast.audit("session.ended")) == 1


# -- ending many ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [BOB, DORA, None])
def test_revoking_all_of_a_user(cast: World, by: str | None) -> None:
    """All sessions of a user can be ended but one, by that user, a superuser or the command line."""
    kept, *_, adas = [begin(cast, name).id for name in (BOB, BOB, BOB, ADA)]
    actor = acting(cast, by) if by else SHELL
    assert sessions.revoke_all(cast.database, OPTIONS, cast.user(BOB).id, actor, keep=kept) == 2
    assert left(cast) == {kept, adas}
    assert [entry.detail for entry in cast.audit("session.all-ended")] == [{"sessions": 2}]


def test_revoking_nothing_is_not_recorded(cast: World) -> None:
    """Where no session was, nothing ended, and nothing is recorded."""
    assert sessions.revoke_all(cast.database, OPTIONS, cast.user(BOB).id, SHELL) == 0
    assert cast.audit("session.all-ended") == []


@pytest.mark.parametrize("by", [DORA, None])
def test_revoking_everybodys(cast: World, by: str | None) -> None:
    """A superuser or the command line can end every session there is, one's own too; the audit table says so."""
    for name in (ADA, BOB, DORA):
        begin(cast, name)
    assert sessions.revoke_everybodys(cast.database, OPTIONS, acting(cast, by) if by else SHELL) == 3
    assert left(cast) == set()
    assert [entry.detail for entry in cast.audit("session.everybodys-ended")] == [{"sessions": 3}]


def test_what_is_over_is_not_counted(cast: World) -> None:
    """How many sessions ended is told of those that were alive, whoever's rows were left behind."""
    for age in (NOW, OPTIONS.lifetime):
        begin(cast, BOB, age=age)
        begin(cast, DORA, age=age)
    assert sessions.revoke_all(cast.database, OPTIONS, cast.user(BOB).id, SHELL) == 1
    begin(cast, BOB, age=OPTIONS.lifetime)
    assert sessions.revoke_everybodys(cast.database, OPTIONS, SHELL) == 1
    assert left(cast) == set()


@pytest.mark.parametrize("by", [BOB, CHARLIE])
def test_who_may_not_revoke_many(cast: World, by: str) -> None:
    """Nobody ends other people's sessions, or everybody's, who is no active superuser."""
    adas = begin(cast, ADA).id
    with pytest.raises(NotAllowed):
        sessions.revoke_all(cast.database, OPTIONS, cast.user(ADA).id, acting(cast, by))
    with pytest.raises(NotAllowed):
        sessions.revoke_everybodys(cast.database, OPTIONS, acting(cast, by))
    assert left(cast) == {adas}
