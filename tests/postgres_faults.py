"""A PostgreSQL that really fails: stopped, killed, frozen, full, read-only, or with a table somebody else holds."""

import os
import signal
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress

import psycopg
from sqlalchemy import make_url

from tests.programs import PostgresServer
from tests.server_process import children, wait_for

OTHERS = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"


@contextmanager
def stopped(postgres: PostgresServer) -> Iterator[None]:
    """Stop it as a service manager does, and start it again when the block ends."""
    postgres.stop()
    try:
        yield
    finally:
        postgres.start()


def kill(postgres: PostgresServer) -> None:
    """`kill -9` all of its processes."""
    assert postgres.process is not None
    _signal(postgres, signal.SIGKILL)
    postgres.process.wait()
    postgres.process = None


@contextmanager
def frozen(postgres: PostgresServer) -> Iterator[None]:
    """Let none of its processes do anything until the block ends; the system goes on taking connections for it."""
    _signal(postgres, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(postgres, signal.SIGCONT)


def _signal(postgres: PostgresServer, number: signal.Signals) -> None:
    assert postgres.process is not None
    # Its parent comes first: it would start processes anew.
    for pid in (postgres.process.pid, *sorted(children(postgres.process.pid))):
        with suppress(ProcessLookupError):  # ended meanwhile
            os.kill(pid, number)


def end_others(connection: psycopg.Connection, mine: Collection[int] = ()) -> int:
    """Let PostgreSQL end every connection but this one and those of these processes; return how many there were."""
    doomed = f"SELECT pg_terminate_backend(pid) {OTHERS} AND pid <> ALL(%s)"
    return len(connection.execute(doomed, [list(mine)]).fetchall())


@contextmanager
def crowded(postgres: PostgresServer) -> Iterator[None]:
    """Let somebody else hold every connection there is until the block ends."""
    with ExitStack() as stack:
        first = stack.enter_context(postgres.connect())
        mine = {first.info.backend_pid}

        def is_full() -> bool:
            with suppress(psycopg.OperationalError):  # there is none left
                while True:
                    mine.add(stack.enter_context(postgres.connect()).info.backend_pid)
            return end_others(first, mine) == 0

        wait_for(is_full, "every connection is taken")
        yield


@contextmanager
def read_only(postgres: PostgresServer, url: str) -> Iterator[None]:
    """Let no new connection to a database write until the block ends."""
    option = f"ALTER DATABASE {make_url(url).database} SET default_transaction_read_only = "
    with postgres.connect() as connection:
        connection.execute(f"{option} on")
        end_others(connection)
        try:
            yield
        finally:
            connection.execute(f"{option} off")
            end_others(connection)


@contextmanager
def locked(url: str, table: str) -> Iterator[None]:
    """Hold a table, so that others may read it and nothing else, until the block ends."""
    with psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(False)) as connection:
        connection.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        yield
        connection.rollback()
