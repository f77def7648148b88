"""What all tests share."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from authapp.database import Database, upgrade
from tests.world import World, use_cheap_hashes


@pytest.fixture(scope="session", autouse=True)
def _cheap_hashes() -> None:
    os.umask(0o077)
    use_cheap_hashes()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema and nothing in it, to be copied."""
    file = tmp_path_factory.mktemp("empty") / "authapp.db"
    database = Database(f"sqlite:///{file}")
    upgrade(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()
    return file


@pytest.fixture
def world(tmp_path: Path, empty_database: Path) -> Iterator[World]:
    """An installation nobody has set up yet."""
    world = World(tmp_path, empty_database)
    yield world
    world.close()


@pytest.fixture
def cast(world: World) -> World:
    """An installation with Ada, Bob, Charlie and Dora."""
    world.add_cast()
    return world
