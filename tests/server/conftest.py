"""What the tests of real processes share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.databases import PostgresStock
from tests.server_process import Server, installation


@pytest.fixture
def server(tmp_path: Path, database_url: str | None) -> Iterator[Server]:
    """A server that is not started yet, in an empty folder."""
    with installation(tmp_path, database_url=database_url) as server:
        yield server


@pytest.fixture
def running(server: Server) -> Server:
    """A server with two workers whose setup Ada has finished."""
    server.start().set_up()
    return server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, shared_url: str | None) -> Iterator[Server]:
    """The same, for all tests of a file that leave it as they found it."""
    with installation(tmp_path_factory.mktemp("shared"), database_url=shared_url) as server:
        server.start().set_up()
        yield server


@pytest.fixture
def another(
    tmp_path_factory: pytest.TempPathFactory, database_url: str | None, request: pytest.FixtureRequest
) -> Iterator[Callable[[], Server]]:
    """Give a server with one worker, not started yet, each time with another folder and database."""
    with ExitStack() as stack:

        def make() -> Server:
            stock: PostgresStock | None = request.getfixturevalue("postgres_stock") if database_url else None
            url = stack.enter_context(stock.taken()) if stock else None
            folder = tmp_path_factory.mktemp("another")
            return stack.enter_context(installation(folder, workers=1, database_url=url))

        yield make
