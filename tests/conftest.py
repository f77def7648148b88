"""What all tests share."""

import logging
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from sqlalchemy import make_url

from authapp.database import Database, upgrade
from tests import programs
from tests.programs import PostgresServer, find_chromium, find_curl, find_postgres, start_postgres
from tests.world import World, use_cheap_hashes

# marker -> how to find the program it needs, and what to say without it
PROGRAMS: dict[str, tuple[Callable[[], Path | None], str]] = {
    "browser": (find_chromium, "Chromium is not installed, so the tests in a browser were left out."),
    "curl": (find_curl, "curl is not installed, so the tests and examples that use it were left out."),
    "postgres": (find_postgres, "PostgreSQL's programs are not installed, so the tests on it were left out."),
}


def pytest_configure(config: pytest.Config) -> None:
    """Let no test be left out where that is a failure."""
    config.pluginmanager.register(programs)  # named in pytest_plugins it could not be imported above


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out the tests whose program is missing."""
    for marker, (find, sentence) in PROGRAMS.items():
        marked = [item for item in items if item.get_closest_marker(marker)]
        if marked and find() is None:
            for item in marked:
                item.add_marker(pytest.mark.skip(reason=sentence))


@pytest.fixture(scope="session", autouse=True)
def _cheap_hashes() -> None:
    os.umask(0o077)
    use_cheap_hashes()


@pytest.fixture(autouse=True)
def _fresh_logs() -> Iterator[None]:
    """Let no log go on writing into what an earlier test captured."""
    yield
    structlog.reset_defaults()
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if type(handler) is not logging.StreamHandler]


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


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL server; for tests with the marker `postgres`."""
    folder = find_postgres()
    assert folder is not None, "a test that needs PostgreSQL lacks its marker"
    with start_postgres(folder, tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """The name of a PostgreSQL database with the schema and nothing in it, to be copied."""
    url = postgres.new_database()
    database = Database(url)
    upgrade(database)
    database.dispose()
    return str(make_url(url).database)


@pytest.fixture
def postgres_url(postgres: PostgresServer, postgres_template: str) -> Iterator[str]:
    """The URL of a PostgreSQL database with the schema, gone after the test."""
    name = f"test_{uuid.uuid4().hex}"
    with postgres.connect() as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {postgres_template}")
    yield make_url(postgres.url).set(database=name).render_as_string()
    with postgres.connect() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url() -> str | None:
    """The database of the world; none is SQLite. The tests of the rules run on each of the two."""
    return None


@pytest.fixture
def world(tmp_path: Path, empty_database: Path, database_url: str | None) -> Iterator[World]:
    """An installation nobody has set up yet."""
    world = World(tmp_path, empty_database, database_url)
    yield world
    world.close()


@pytest.fixture
def cast(world: World) -> World:
    """An installation with Ada, Bob, Charlie and Dora."""
    world.add_cast()
    return world
