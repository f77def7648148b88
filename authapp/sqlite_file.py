"""The one SQLite file a process works on, and noticing that it is not at its place any more.

A file that is deleted or replaced lives on for whoever has it open. What they write is answered with yes, and lost
when they end; and a file that opens beside it shares its journal, which spoils both.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

SECTOR = 512  # bytes; a page of SQLite is one or several


class FileId(NamedTuple):
    """What tells a file from others, whatever its name."""

    device: int
    inode: int


class SqliteFile:
    """A file at its place. `known`: it must be this one; by default it is whichever is opened first.

    `may_create`: where there is none yet, opening makes one; once one is known, never again. Without it, the file
    has to be one that can be written to.
    """

    def __init__(self, path: Path, known: FileId | None = None, *, may_create: bool = True) -> None:
        self.path, self.known = path, known
        self._may_create = may_create

    def address(self) -> str:
        """Return what to open, as SQLite writes it. Raises OperationalError where that would not do."""
        may_create = self._may_create and self.known is None
        if not may_create:
            self.require()
        if not self._may_create and not os.access(self.path, os.W_OK):
            # SQLite would open it, and only read for ever.
            raise _refusal("the database file may not be written to")
        return f"file:{quote(str(self.path.absolute()))}?mode={'rwc' if may_create else 'rw'}"

    def opened(self) -> None:
        """Note which file was opened. Raises OperationalError when it is not the known one."""
        found = self._found()
        self.known = self.known or found
        self.require()

    def require(self) -> None:
        """Raise OperationalError unless the known file is at its place, and made of whole pages."""
        found = self._found()
        if self.known not in (None, found):
            raise _refusal("another file is in the database's place; put the former one back, or restart authapp")

    def is_to_come(self) -> bool:
        """Tell whether nobody has made it yet, as far as one can see."""
        if self.known is not None:
            return False
        try:
            return self.path.stat().st_size == 0
        except FileNotFoundError:
            return self.path.parent.is_dir()
        except OSError:
            return False

    def _found(self) -> FileId:
        try:
            status = self.path.stat()
        except OSError as error:
            raise _refusal(f"the database file cannot be found: {error.strerror}") from None
        if not status.st_size or status.st_size % SECTOR:
            raise _refusal("something else was written into the database file")
        return FileId(status.st_dev, status.st_ino)


def keep_to(file: SqliteFile, engine: Engine) -> None:
    """Let an engine open no other file, and begin nothing while another one, or none, is in its place."""

    def connect(_dialect: object, _entry: object, arguments: list[Any], named: dict[str, Any]) -> None:
        arguments[0], named["uri"] = file.address(), True

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", lambda *_: file.opened())
    event.listen(engine, "begin", lambda _: file.require())


def settle(engine: Engine) -> None:
    """Write what stands in the log (`-wal`) into the file itself, as far as nobody is reading there.

    So whoever loses the log, or copies the file without it, loses a minute and not all since the server's start.
    """
    with closing(engine.raw_connection()) as connection:
        connection.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)").close()


def _refusal(reason: str) -> OperationalError:
    return OperationalError("", None, sqlite3.OperationalError(reason))
