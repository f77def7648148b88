"""A database that fails on demand, at the very place and with the very words it really fails with."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from unittest.mock import patch

from authapp.database import Database

# What nobody may learn from an answer: traces, statements, messages of a database, paths.
TELLTALE = re.compile(r"Traceback|sqlite|psycopg|SELECT |INSERT |no such table|readonly|disk|locked|/tmp|\.py|\.db")
WRITES = ("INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: at which step, with which error, and for statements that begin how (by default, all)."""

    step: str
    error: Exception
    begins: tuple[str, ...] = ("",)


FAULTS = {
    "gone": Fault("connect", sqlite3.OperationalError("unable to open database file")),
    "disk error": Fault("do_execute", sqlite3.OperationalError("disk I/O error")),
    "disconnected": Fault("do_execute", sqlite3.ProgrammingError("Cannot operate on a closed database.")),
}
WRITE_FAULTS = {
    "locked": Fault("do_execute", sqlite3.OperationalError("database is locked"), ("BEGIN IMMEDIATE",)),
    "read-only": Fault("do_execute", sqlite3.OperationalError("attempt to write a readonly database"), WRITES),
    "full": Fault("do_execute", sqlite3.OperationalError("database or disk is full"), WRITES),
    "full at the end": Fault("do_commit", sqlite3.OperationalError("database or disk is full")),
}


def _failing(real: Callable[..., Any], fault: Fault) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        statement = arguments[1] if fault.step == "do_execute" else ""
        if statement.startswith(fault.begins):
            raise fault.error
        return real(*arguments, **named)

    return call


@contextmanager
def broken(database: Database, fault: Fault) -> Iterator[None]:
    """Let the database fail until the block ends."""
    dialect = cast(Any, database.engine.dialect)
    if fault.step == "connect":
        database.dispose()
    with patch.object(dialect, fault.step, _failing(getattr(dialect, fault.step), fault)):
        yield
