"""What the tests of the rules share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from authapp import passwords
from authapp.database import Database
from tests.databases import SQLITE_AND_POSTGRES
from tests.hasher import CountingHasher


@pytest.fixture(params=SQLITE_AND_POSTGRES)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database with nothing in it, not even a schema."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    else:
        database = Database(request.getfixturevalue("postgres").new_database())
    yield database
    database.dispose()


@pytest.fixture
def hasher(monkeypatch: pytest.MonkeyPatch) -> CountingHasher:
    """The hasher in use, which counts."""
    passwords.dummy_hash()  # made once in a process, so not counted
    counting = CountingHasher()
    monkeypatch.setattr(passwords, "HASHER", counting)
    return counting
