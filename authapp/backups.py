"""Backups: the whole database as one SQLite file, made while the server runs, and taken back in one transaction.

A backup of PostgreSQL is a SQLite file, too, so that each can be restored into either.
"""

import os
import secrets
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from urllib.parse import quote

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from authapp import audit, clock, contents, settings, tokens
from authapp.audit import Actor
from authapp.config.options import SECRET_KEY
from authapp.database import (
    Database,
    current_schema,
    expected_schema,
    opened,
    reason_of,
    require_schema,
    schemas,
    sqlite_url,
    upgrade,
)
from authapp.errors import CannotMove, SchemaOutdated, StartError

# What a restore does not bring back: whatever lets somebody in without a password, and counts of wrong tries.
LEFT_OUT = frozenset({"sessions", "tokens", "tries", "refusals", "nodes"})
BESIDE = ("", "-wal", "-shm", "-journal")  # a SQLite file, and what SQLite puts beside it
MAKING, TAKING = ".authapp-backup-", ".authapp-restore-"  # what the names of work in hand begin with
LEFT_BEHIND = timedelta(days=1)  # after which it is that of a process that was killed


# -- making one -----------------------------------------------------------------------------------------------


def back_up(database: Database, file: Path) -> dict[str, int]:
    """Write everything there is into a new file, and return how many rows of each table.

    Nobody has to wait meanwhile. The file has its name only when it is complete and sound, and replaces none.
    Raises CannotMove, SchemaOutdated.
    """
    try:
        with _new_file(file) as part:
            if database.is_sqlite:
                _copy_file(database, part)
            else:
                _copy_rows(database, part)
            return _finish(part)
    except (OSError, sqlite3.Error) as error:
        raise CannotMove(f"The file {file} cannot be written: {reason_of(error)}.") from None
    except SQLAlchemyError as error:
        raise CannotMove(f"The database cannot be backed up: {reason_of(error)}.") from None


@contextmanager
def _new_file(file: Path) -> Iterator[Path]:
    """Give a new file to be filled, which gets its name at the end of the block; after an error there is none."""
    if os.path.lexists(file):
        raise CannotMove(f"A backup replaces nothing, and {file} is there already.")
    _sweep(file.parent, MAKING)
    part = file.with_name(f"{MAKING}{secrets.token_hex(8)}")
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600))
    try:
        yield part
        _give_name(part, file)
    finally:
        for ending in BESIDE:
            part.with_name(part.name + ending).unlink(missing_ok=True)


def _sweep(folder: Path, prefix: str) -> None:
    """Delete what killed processes left behind: it holds every password's hash."""
    for left in folder.glob(f"{prefix}*"):
        with suppress(OSError):
            if left.lstat().st_mtime >= (clock.now() - LEFT_BEHIND).timestamp():
                continue
            rmtree(left) if left.is_dir() and not left.is_symlink() else left.unlink()


def _give_name(part: Path, file: Path) -> None:
    """Rename a file, but never over another one; when this returns, a power cut cannot undo it."""
    try:
        os.link(part, file, follow_symlinks=False)
    except FileExistsError:
        raise CannotMove(f"A backup replaces nothing, and {file} is there by now.") from None
    except OSError:  # a file system that has no links
        part.rename(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _copy_file(database: Database, part: Path) -> None:
    with database.engine.connect() as connection:
        current, expected = current_schema(connection), expected_schema()
    if current is None or current > expected:
        raise SchemaOutdated(current, expected)
    source = database.engine.raw_connection()
    try:
        with closing(sqlite3.connect(part)) as target:
            # In one step: page by page it would begin again with each write of another process.
            source.driver_connection.backup(target)  # type: ignore[union-attr]  # sqlite3's own
    finally:
        source.close()


def _copy_rows(database: Database, part: Path) -> None:
    require_schema(database)
    with opened(sqlite_url(part)) as made:
        upgrade(made)
        with contents.snapshot(database) as source, made.writing() as target:
            contents.copy(source, target.connection())


def _finish(part: Path) -> dict[str, int]:
    """Make it a single file, look whether it is sound, and count its rows."""
    with closing(sqlite3.connect(part, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        _require_sound(connection)
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        names = [table.name for table in contents.tables() if table.name in there]
        query = "SELECT count(*) FROM {}"
        return {name: connection.execute(query.format(name)).fetchone()[0] for name in names}


def _require_sound(connection: sqlite3.Connection) -> None:
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok" or connection.execute("PRAGMA foreign_key_check").fetchone():
        raise CannotMove("The file is damaged: SQLite's check of it fails.")


# -- taking one back ------------------------------------------------------------------------------------------


@contextmanager
def opened_backup(file: Path, folder: Path) -> Iterator[Database]:
    """Open a copy of a backup, brought up to the schema in use, when everything in it can be restored.

    The copy lies in `folder` for that long; the file itself is only read. Raises CannotMove.
    """
    try:
        _sweep(folder, TAKING)
        with TemporaryDirectory(prefix=TAKING, dir=folder) as working:
            copy = Path(working) / "backup.db"
            _read_backup(file, copy)
            with opened(sqlite_url(copy)) as backup:
                _bring_up_to_date(backup)
                _require_ours(backup)
                yield backup
    except OSError as error:
        raise CannotMove(f"The file {file} cannot be restored: {reason_of(error)}.") from None


def _read_backup(file: Path, copy: Path) -> None:
    if not stat.S_ISREG(file.stat().st_mode):
        raise CannotMove(f"The file {file} cannot be restored: it is not a file.")
    address = f"file:{quote(str(file.absolute()))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
            _require_sound(target)
    except sqlite3.Error as error:
        raise CannotMove(f"The file {file} is no backup of authapp: {reason_of(error)}.") from None


def _bring_up_to_date(backup: Database) -> None:
    with backup.reading() as db:
        current, expected = current_schema(db.connection()), expected_schema()
    if current is not None and current.isdigit() and current > expected:
        raise CannotMove(
            f"The backup is from a newer version of authapp (schema {current}, this one knows {expected}). "
            "Install that version first."
        )
    if current not in schemas():
        raise CannotMove("The file is no backup of authapp.")
    try:
        upgrade(backup)
    except StartError as error:
        raise CannotMove(f"The backup cannot be brought up to date. {error}") from None


def _require_ours(backup: Database) -> None:
    """Read everything once, so that nothing in it can stop a restore on its way."""
    try:
        with backup.reading() as db:
            for table in contents.tables():
                for _ in contents.read(db.connection(), table):
                    pass
            installation = settings.installation(db)
            settings.credentials(db)
    except (SQLAlchemyError, ValueError, TypeError, KeyError):
        raise CannotMove("The backup is damaged: it holds rows authapp never wrote.") from None
    if installation is None:
        raise CannotMove("The backup holds no installation.")


def restore(database: Database, backup: Database, by: Actor) -> dict[str, int]:
    """Put the rows of an opened backup in the place of all rows there are, in one transaction; return how many.

    Nothing that was revoked since comes back: every session, JWT and API token is over, and the stored secret key
    is a new one. Raises CannotMove.
    """
    try:
        with contents.snapshot(backup) as source, database.writing() as db:
            contents.keep_writers_out(db.connection())
            contents.clear(db.connection())
            ended = contents.count(source)
            copied = contents.copy(source, db.connection(), LEFT_OUT)
            _renew(db)
            users, sessions, tokens = copied["users"], ended["sessions"], ended["tokens"]
            audit.record(db, "database.restored", by, users=users, sessions=sessions, tokens=tokens)
            return copied
    except SQLAlchemyError as error:
        raise CannotMove(f"Nothing was restored: {reason_of(error)}.") from None


def _renew(db: Session) -> None:
    settings.store(db, SECRET_KEY, tokens.generate())
    settings.remove(db, settings.SETUP_TOKEN)
    if installation := settings.installation(db):
        # Unknown, so that the next process that serves writes down the key it uses, whether stored or pinned.
        settings.store_installation(db, replace(installation, secret_key_fingerprint=None))
