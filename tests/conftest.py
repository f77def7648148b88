"""What all tests share."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
import structlog
import time_machine

from tests import databases, programs
from tests.databases import SQLITE_AND_POSTGRES, PostgresCopy, PostgresStock, SqliteCopy, taking
from tests.programs import PostgresServer, find_chromium, find_curl, find_postgres, start_postgres
from tests.speed import share_between_apps
from tests.world import World, use_cheap_hashes

# marker -> how to find the program it needs, and what to say without it
PROGRAMS: dict[str, tuple[Callable[[], Path | None], str]] = {
    "browser": (find_chromium, "Chromium is not installed, so the tests in a browser were left out."),
    "curl": (find_curl, "curl is not installed, so the tests and examples that use it were left out."),
    "postgres": (find_postgres, "PostgreSQL's programs are not installed, so the tests on it were left out."),
}

# Their tests run on both, but for those with the marker `sqlite`.
ON_BOTH = {"rules", "web", "cli", "server", "browser"}


def pytest_configure(config: pytest.Config) -> None:
    """Let no test be left out where that is a failure."""
    config.pluginmanager.register(programs)  # named in pytest_plugins it could not be imported above


def pytest_xdist_auto_num_workers() -> int:
    """Take one worker more than there are processors: every third second a test waits for another process."""
    return (os.cpu_count() or 1) + 1


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests that ask for a database, their own or their file's, on both, except those marked `sqlite`."""
    on_both = metafunc.definition.path.parent.name in ON_BOTH
    on_sqlite_alone = metafunc.definition.get_closest_marker("sqlite") is not None
    wanted = SQLITE_AND_POSTGRES if on_both and not on_sqlite_alone else SQLITE_AND_POSTGRES[:1]
    for name in ("database_url", "shared_url"):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, wanted, indirect=True)


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
    share_between_apps()


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
    databases.with_schema(f"sqlite:///{file}")
    return file


@pytest.fixture(scope="session")
def sqlite_cast(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> SqliteCopy:
    """The SQLite file of an installation with Ada, Bob, Charlie and Dora."""
    return SqliteCopy(databases.with_cast(tmp_path_factory.mktemp("cast"), empty_database))


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A PostgreSQL server; for tests with the marker `postgres`."""
    folder = find_postgres()
    assert folder is not None, "a test that needs PostgreSQL lacks its marker"
    with start_postgres(folder, tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_stock(postgres: PostgresServer) -> PostgresStock:
    """PostgreSQL databases with the schema and nothing in them."""
    return PostgresStock.on(postgres)


@pytest.fixture(scope="session")
def postgres_cast(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, postgres: PostgresServer
) -> PostgresCopy:
    """What a PostgreSQL database of an installation with Ada, Bob, Charlie and Dora holds."""
    url = postgres.new_database()
    databases.with_cast(tmp_path_factory.mktemp("cast"), empty_database, url)
    return PostgresCopy.of(url)


@pytest.fixture
def postgres_url(postgres_stock: PostgresStock) -> Iterator[str]:
    """The URL of a PostgreSQL database with the schema, for this test alone."""
    with postgres_stock.taken() as url:
        yield url


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str | None:
    """The URL of a database with the schema; none is SQLite. See pytest_generate_tests."""
    on_postgres = getattr(request, "param", "") == "postgres"  # without one where a fixture is asked for by name
    return request.getfixturevalue("postgres_url") if on_postgres else None


@pytest.fixture(scope="module")
def shared_url(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The same, of one database for all tests of a file."""
    with taking(request)() as url:
        yield url


@pytest.fixture(scope="module")
def other_url(shared_url: str | None, request: pytest.FixtureRequest) -> Iterator[str | None]:
    """One more of the same kind, for a second installation that the tests of a file share."""
    stock: PostgresStock | None = request.getfixturevalue("postgres_stock") if shared_url else None
    with stock.taken() if stock else nullcontext() as url:
        yield url


@pytest.fixture
def world(tmp_path: Path, empty_database: Path, database_url: str | None) -> Iterator[World]:
    """An installation nobody has set up yet."""
    world = World(tmp_path, empty_database, database_url)
    yield world
    world.close()


@pytest.fixture
def cast(world: World, request: pytest.FixtureRequest) -> World:
    """An installation with Ada, Bob, Charlie and Dora."""
    if world.is_untouched and not time_machine.escape_hatch.is_travelling():
        template = "postgres_cast" if world.database_url else "sqlite_cast"
        request.getfixturevalue(template).copy_to(world)
        _ = world.app
    else:
        world.add_cast()
    return world
