"""The rules hold on SQLite and on PostgreSQL: every test that asks for the world runs on both."""

import pytest

from authapp import passwords
from tests.hasher import CountingHasher


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> str | None:
    """The URL of a database with the schema; none is SQLite."""
    return request.getfixturevalue("postgres_url") if request.param == "postgres" else None


@pytest.fixture
def hasher(monkeypatch: pytest.MonkeyPatch) -> CountingHasher:
    """The hasher in use, which counts."""
    passwords.dummy_hash()  # made once in a process, so not counted
    counting = CountingHasher()
    monkeypatch.setattr(passwords, "HASHER", counting)
    return counting
