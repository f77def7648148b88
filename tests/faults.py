"""A database that fails on demand, at the very place and with the very words it really fails with."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from unittest.mock import patch

import psycopg
from psycopg.errors import DiskFull, IoError, LockNotAvailable, ReadOnlySqlTransaction

from authapp.database import Database

# What nobody may learn from an answer: traces, statements, messages of a database, paths.
TELLTALE = re.compile(r"Traceback|sqlite|psycopg|SELECT |INSERT |no such table|readonly|disk|locked|/tmp|\.py|\.db")
WRITES = ("INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: at which step, with which error of either database, for statements that begin how."""

    step: str
    on_sqlite: Exception
    on_postgres: Exception
    begins: tuple[str, ...] = ("",)  # all of them


FAULTS = {
    "gone": Fault(
        "connect",
        sqlite3.OperationalError("unable to open database file"),
        psycopg.OperationalError("connection failed: Connection refused"),
    ),
    "disk error": Fault(
        "do_execute",
        sqlite3.OperationalError("disk I/O error"),
        IoError('could not read blocks 0..0 in file "base/5/1259": Input/output error'),
    ),
    "disconnected": Fault(
        "do_execute",
        sqlite3.ProgrammingError("Cannot operate on a closed database."),
        psycopg.OperationalError("consuming input failed: server closed the connection unexpectedly"),
    ),
}
WRITE_FAULTS = {
    "locked": Fault(
        "do_execute",
        sqlite3.OperationalError("database is locked"),
        LockNotAvailable("canceling statement due to lock timeout"),
        ("BEGIN IMMEDIATE", *WRITES),
    ),
    "read-only": Fault(
        "do_execute",
        sqlite3.OperationalError("attempt to write a readonly database"),
        ReadOnlySqlTransaction("cannot execute INSERT in a read-only transaction"),
        WRITES,
    ),
    "full": Fault(
        "do_execute",
        sqlite3.OperationalError("database or disk is full"),
        DiskFull('could not extend file "base/5/1259": No space left on device'),
        WRITES,
    ),
    "full at the end": Fault(
        "do_commit",
        sqlite3.OperationalError("database or disk is full"),
        DiskFull('could not extend file "base/5/1259": No space left on device'),
    ),
}


def _failing(real: Callable[..., Any], fault: Fault, error: Exception) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        statement = arguments[1] if fault.step == "do_execute" else ""
        if statement.startswith(fault.begins):
            raise error
        return real(*arguments, **named)

    return call


@contextmanager
def broken(database: Database, fault: Fault) -> Iterator[None]:
    """Let the database fail until the block ends."""
    dialect = cast(Any, database.engine.dialect)
    if fault.step == "connect":
        database.dispose()
    error = fault.on_sqlite if database.is_sqlite else fault.on_postgres
    with patch.object(dialect, fault.step, _failing(getattr(dialect, fault.step), fault, error)):
        yield
