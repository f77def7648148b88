"""The one SQLite file a process works on: no other in its place is written to, and none is made by accident."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from authapp import settings, users
from authapp.database import Database, require_schema, sqlite_url, upgrade
from authapp.errors import SchemaOutdated
from authapp.sqlite_file import FileId
from tests.world import World


@pytest.fixture
def file(tmp_path: Path, empty_database: Path) -> Path:
    """A database with the schema and nothing in it."""
    return Path(shutil.copy(empty_database, tmp_path / "authapp.db"))


@pytest.fixture
def database(file: Path) -> Iterator[Database]:
    """The same, as a process has it open that serves."""
    database = Database(f"sqlite:///{file}", may_create=False)
    write(database)
    yield database
    database.dispose()


def write(database: Database, meanwhile: Callable[[], None] = lambda: None) -> None:
    """Change something; what happens meanwhile happens before it is kept."""
    with database.writing() as db:
        settings.store(db, "a", 1)
        meanwhile()


def deleted(file: Path) -> None:
    """Nothing is there any more."""
    file.unlink()


def truncated(file: Path) -> None:
    """The same file is there, and empty."""
    os.truncate(file, 0)


def scribbled(file: Path) -> None:
    """Somebody wrote something else into the same file."""
    file.write_bytes(b"Dear diary, " * 1000)


def replaced(file: Path) -> None:
    """A sound database of the same kind has its name."""
    other = Path(shutil.copy(file, file.with_name("other.db")))
    other.replace(file)


@pytest.mark.parametrize("spoil", [deleted, truncated, scribbled, replaced])
def test_a_file_that_is_not_there_any_more(database: Database, file: Path, spoil: Callable[[Path], None]) -> None:
    """Nothing is read from, or written to, a file that was deleted, replaced or overwritten."""
    spoil(file)
    with pytest.raises(OperationalError), database.reading() as db:
        settings.load_all(db)
    with pytest.raises(OperationalError):
        write(database)


@pytest.mark.parametrize("spoil", [deleted, truncated, scribbled, replaced])
def test_a_change_during_which_the_file_goes(database: Database, file: Path, spoil: Callable[[Path], None]) -> None:
    """Nobody is told that a change is kept when the file is gone at its end."""
    with pytest.raises(OperationalError):
        write(database, lambda: spoil(file))


def test_a_file_that_is_back(database: Database, file: Path) -> None:
    """When the same file is back at its place, everything goes on, and it holds what it held."""
    elsewhere = file.rename(file.with_name("elsewhere.db"))
    with pytest.raises(OperationalError):
        write(database)
    elsewhere.rename(file)
    with database.reading() as db:
        assert settings.load_all(db) == {"a": 1}
    write(database)


is_empty_or_missing = pytest.mark.parametrize("is_there", [True, False], ids=["empty", "missing"])


@is_empty_or_missing
def test_a_process_that_serves_makes_no_database(tmp_path: Path, *, is_there: bool) -> None:
    """Whoever serves makes no database of a missing or empty file; it is left as it is."""
    file = tmp_path / "authapp.db"
    if is_there:
        file.touch()
    with pytest.raises(OperationalError):
        write(Database(f"sqlite:///{file}", may_create=False))
    assert [found.stat().st_size for found in tmp_path.iterdir()] == ([0] if is_there else [])


@is_empty_or_missing
def test_a_database_that_is_still_to_come(tmp_path: Path, *, is_there: bool) -> None:
    """A process that serves before anybody made a database says what to run."""
    file = tmp_path / "authapp.db"
    if is_there:
        file.touch()
    with pytest.raises(SchemaOutdated, match="authapp bootstrap"):
        require_schema(Database(f"sqlite:///{file}", may_create=False))


def test_a_file_that_only_others_may_write(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that serves opens no file it can only read, so that it works again as soon as it may write."""
    database = Database(f"sqlite:///{file}", may_create=False)
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)  # root may write everything
        with pytest.raises(OperationalError):
            write(database)
    write(database)


def test_a_command_makes_a_database_once(tmp_path: Path) -> None:
    """A process that may found an installation makes a file, and not another one after that."""
    database = Database(f"sqlite:///{tmp_path / 'authapp.db'}")
    upgrade(database)
    for found in tmp_path.iterdir():
        found.unlink()
    database.dispose()
    with pytest.raises(OperationalError):
        write(database)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_is_told_which_file_it_is(file: Path) -> None:
    """A process that is told which file to work on opens no other one, even as its first."""
    status = file.stat()
    write(Database(f"sqlite:///{file}", FileId(status.st_dev, status.st_ino)))
    with pytest.raises(OperationalError):
        write(Database(f"sqlite:///{file}", FileId(status.st_dev, status.st_ino + 1)))


@pytest.mark.parametrize("name", ["what?", "100%20", "a#b", "ü b", "a:b"])
def test_a_folder_with_any_name(tmp_path: Path, empty_database: Path, name: str) -> None:
    """The file is found again whatever signs are in its folder's name."""
    (tmp_path / name).mkdir()
    file = Path(shutil.copy(empty_database, tmp_path / name / "authapp.db"))
    database = Database(sqlite_url(file), may_create=False)
    write(database)
    assert file.with_name("authapp.db-wal").exists()
    database.dispose()


@pytest.mark.sqlite(reason="PostgreSQL has its own")
def test_the_log_is_written_into_the_file(cast: World) -> None:
    """What stood in SQLite's log is in the file itself after the minute's chores, and so in a copy of it alone."""
    with cast.database.writing() as db:
        users.add(db, "erin", None)
    cast.app.chores.attempt()
    copy = cast.folder / "copy.db"
    shutil.copy(cast.folder / "data" / "authapp.db", copy)
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (5,)
