"""Sign-ins do not wait for each other, and a change never comes into the middle of one."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session
from werkzeug.security import generate_password_hash

from authapp import clock, contents, logins, sessions, settings, slots, throttle, tokens, user_passwords, users
from authapp.audit import Actor
from authapp.errors import CannotMove, LoginFailed
from authapp.models import SignedIn, Token, TokenKind, Tries, User
from tests.databases import PostgresCopy
from tests.server_process import wait_for
from tests.world import ADA, BOB, DORA, PASSWORD, SHELL, World, at_once

AT_ONCE = 20
OLD_HASH = generate_password_hash(PASSWORD, "pbkdf2:sha256:10")
LONG_AGO = timedelta(days=400)
WAITING = text("SELECT count(*) FROM pg_locks WHERE NOT granted")


@pytest.fixture(autouse=True)
def _room_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    # Who waits for the database is looked at, not who for a processor.
    monkeypatch.setattr(slots, "QUEUE", AT_ONCE)
    monkeypatch.setattr(slots, "PATIENCE", 60)


@pytest.fixture
def on_postgres(
    tmp_path: Path, empty_database: Path, postgres_url: str, postgres_cast: PostgresCopy
) -> Iterator[World]:
    """The cast on PostgreSQL: SQLite has one writer at a time."""
    world = World(tmp_path, empty_database, postgres_url)
    postgres_cast.copy_to(world)
    _ = world.app
    yield world
    world.close()


def visitor(number: int = 1) -> Actor:
    """Somebody at the form, in a network of their own."""
    return Actor("form", address=f"192.0.2.{number}", user_agent="Browser/1")


def sign_in(world: World, username: str, number: int = 1) -> str:
    """Sign somebody in; return the session's token."""
    return logins.sign_in(world.database, world.snapshot.effective, username, PASSWORD, visitor(number))


def get_jwt(world: World, username: str, number: int = 1) -> str:
    """Get a JWT."""
    return logins.get_jwt(world.database, world.snapshot.effective, username, PASSWORD, visitor(number)).token


def add_old(world: World, number: int) -> None:
    """Leave sessions and JWTs lying about that were over long ago."""
    then = clock.now() - LONG_AGO
    common: dict[str, Any] = {"user_id": world.user(BOB).id, "created_at": then}
    with world.database.writing() as db:
        for _ in range(number):
            sha256 = tokens.digest(tokens.generate())
            db.add(SignedIn(token_sha256=sha256, last_seen_at=then, proved_at=then, **common))
            db.add(Token(kind=TokenKind.JWT, sha256=sha256, expires_at=then, **common))


def count_old(world: World, table: type[SignedIn | Token]) -> int:
    """Count what was over long ago."""
    with world.database.reading() as db:
        return db.scalar(select(func.count()).where(table.created_at < clock.now() - LONG_AGO / 2)) or 0


def wait_until_waiting(db: Session, number: int) -> None:
    """Wait until so many connections wait for a lock."""
    wait_for(lambda: db.scalar(WAITING) == number, f"{number} that wait for a lock")


@pytest.mark.postgres
def test_a_sign_in_does_not_wait_for_another(on_postgres: World) -> None:
    """While one sign-in has not ended, another one can."""

    def meanwhile(db: Session, user: User, by: Actor) -> str:
        sessions.start(db, user, by)
        db.flush()
        return sign_in(on_postgres, DORA, 2)

    effective = on_postgres.snapshot.effective
    assert logins.enter(on_postgres.database, effective, BOB, PASSWORD, visitor(), meanwhile)[0]
    assert on_postgres.sessions_of(BOB) == on_postgres.sessions_of(DORA) == 1


@pytest.mark.postgres
def test_a_change_waits_for_sign_ins_in_hand_and_no_others(on_postgres: World) -> None:
    """Whoever is deactivated while others sign in is refused from then on: who comes later waits for the change."""
    world, bob = on_postgres, on_postgres.user(BOB).id
    with ThreadPoolExecutor(2) as threads:
        with world.database.writing() as db:
            settings.share(db)
            change = threads.submit(users.set_active, world.database, bob, SHELL, active=False)
            wait_until_waiting(db, 1)
            late = threads.submit(sign_in, world, BOB)
            wait_until_waiting(db, 2)
            assert world.user(BOB).is_active
        assert not change.result().is_active
        refused = late.exception()
    assert isinstance(refused, LoginFailed)
    assert refused.reason == "inactive"


@pytest.mark.postgres
def test_a_session_that_begins_before_a_change_ends_with_it(on_postgres: World) -> None:
    """Whoever is deactivated while they sign in is signed out again."""
    world, bob = on_postgres, on_postgres.user(BOB).id
    with ThreadPoolExecutor(1) as threads:

        def meanwhile(db: Session, user: User, by: Actor) -> str:
            threads.submit(users.set_active, world.database, bob, SHELL, active=False)
            wait_until_waiting(db, 1)
            return sessions.start(db, user, by)

        logins.enter(world.database, world.snapshot.effective, BOB, PASSWORD, visitor(), meanwhile)
    assert not world.user(BOB).is_active
    assert world.sessions_of(BOB) == 0


@pytest.mark.postgres
def test_a_restore_waits_for_sign_ins_in_hand(on_postgres: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody is about to sign in, all rows cannot be replaced."""
    monkeypatch.setattr(contents, "LOCK_TRIES", 1)
    with on_postgres.database.writing() as mine, on_postgres.database.writing() as other:
        settings.share(mine)
        with pytest.raises(CannotMove):
            contents.keep_writers_out(other.connection())


@pytest.mark.parametrize("enter", [sign_in, get_jwt])
def test_many_of_one_user_at_once(cast: World, enter: Callable[..., str]) -> None:
    """Twenty programs and browsers of one user get in at once, though much lies about that is over."""
    add_old(cast, 300)
    tokens_given = at_once(*(partial(enter, cast, BOB, number) for number in range(AT_ONCE)))
    assert [one for one in tokens_given if isinstance(one, Exception)] == []
    assert len(set(tokens_given)) == AT_ONCE


@pytest.mark.parametrize("name", [ADA, BOB])
def test_an_old_hash_is_replaced_by_many_at_once(cast: World, name: str) -> None:
    """Of several sign-ins that find a hash of an older kind each gets in, whichever replaces it."""
    with cast.database.writing() as db:
        user_passwords.store_hash(db, users.get(db, cast.user(name).id), OLD_HASH, SHELL)
    entered = at_once(*(partial(sign_in, cast, name, number) for number in range(AT_ONCE)))
    assert [one for one in entered if isinstance(one, Exception)] == []
    assert sign_in(cast, name)


def test_many_users_at_once(cast: World) -> None:
    """Twenty users get in at once, by different roads, though much lies about that is over."""
    names = [cast.add(f"user-{number}").username for number in range(AT_ONCE)]
    add_old(cast, 300)
    calls = [partial((sign_in, get_jwt)[number % 2], cast, name, number) for number, name in enumerate(names)]
    assert [one for one in at_once(*calls) if isinstance(one, Exception)] == []
    assert count_old(cast, SignedIn) == count_old(cast, Token) == 0


@pytest.mark.postgres
@pytest.mark.parametrize(("table", "enter"), [(SignedIn, sign_in), (Token, get_jwt)])
def test_what_is_over_and_held_is_left_to_the_next(
    on_postgres: World, table: type[SignedIn | Token], enter: Callable[..., str]
) -> None:
    """A sign-in clears away what is over, but waits for no other that does."""
    add_old(on_postgres, 2)
    with on_postgres.database.writing() as db:
        db.scalars(select(table.id).limit(1).with_for_update()).one()
        enter(on_postgres, DORA)
        assert count_old(on_postgres, table) == 1
    enter(on_postgres, DORA)
    assert count_old(on_postgres, table) == 0


@pytest.mark.postgres
def test_a_password_is_not_proved_where_somebody_signs_out(on_postgres: World) -> None:
    """A session that ends while its password is being proved stays ended."""
    token, database = sign_in(on_postgres, BOB), on_postgres.database

    def prove(session_id: str) -> str | None:
        with database.writing() as db:
            return sessions.prove(db, session_id)

    with ThreadPoolExecutor(1) as threads:
        with database.writing() as db:
            session_id = db.scalars(select(SignedIn.id)).one()
            sessions.end(db, token)
            db.flush()
            proved = threads.submit(prove, session_id)
            wait_until_waiting(db, 1)
        assert proved.result() is None


@pytest.mark.postgres
def test_a_lock_is_lifted_while_a_try_counts(on_postgres: World) -> None:
    """Lifting a lock takes the counts in the order a try does: neither waits for the other for ever."""
    counts = [
        Tries(key=f"{kind}/x", account="x", expires_at=clock.now() + LONG_AGO)
        for kind in (throttle.TRIES, throttle.ACCOUNT)
    ]
    with on_postgres.database.writing() as db:
        for count in counts:
            db.add(count)
            db.flush()

    def lift() -> int:
        with on_postgres.database.writing() as db:
            return throttle.lift(db, "x")

    with ThreadPoolExecutor(1) as threads:
        with on_postgres.database.writing() as db:
            db.get(Tries, "account/x", with_for_update=True)
            lifted = threads.submit(lift)
            wait_until_waiting(db, 1)
            db.get(Tries, "tries/x", with_for_update=True)
        assert lifted.result() == len(counts)
