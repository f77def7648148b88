"""What the tests of real processes share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server_process import Server, installation


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that is not started yet, in an empty folder."""
    with installation(tmp_path) as server:
        yield server


@pytest.fixture
def running(server: Server) -> Server:
    """A server with two workers whose setup Ada has finished."""
    server.start().set_up()
    return server


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The same, for all tests of a file that leave it as they found it."""
    with installation(tmp_path_factory.mktemp("shared")) as server:
        server.start().set_up()
        yield server
