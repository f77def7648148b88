"""Two nodes on one PostgreSQL whose config files give different credentials, as real processes."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.programs import PostgresServer
from tests.server_process import Server, credentials, installation, wait_for
from tests.world import ADA, OTHER_PASSWORD, PASSWORD

pytestmark = [pytest.mark.postgres, pytest.mark.xdist_group("server-node-credentials")]


@dataclass
class Nodes:
    """Node `one`, which started first, and node `other`, whose credentials were adopted then."""

    one: Server
    other: Server


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[Nodes]:
    """Two nodes with a worker each and different passwords for Ada."""
    url = postgres.new_database()
    with ExitStack() as stack:
        one, other = (
            stack.enter_context(installation(tmp_path_factory.mktemp(name), workers=1, database_url=url))
            for name in ("one", "other")
        )
        for node, password in ((one, PASSWORD), (other, OTHER_PASSWORD)):
            node.write_config(credentials(ADA, password))
            node.start()
        yield Nodes(one, other)


def test_a_worker_that_died(two: Nodes) -> None:
    """The worker that is started in its place reads its node's file for the first time, and adopts nothing."""
    (worker,) = two.one.worker_pids()
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: worker not in two.one.worker_pids() and two.one.is_up(), "another worker serves")
    two.one.signed_in(ADA, OTHER_PASSWORD)
    assert two.one.count("credentials.adopted") == 2


def test_a_restart_and_an_edit(two: Nodes) -> None:
    """A restarted node leaves what another node was given in force and says so once; an edit of its file counts."""
    ada, before = two.other.signed_in(ADA, OTHER_PASSWORD), len(two.one.output)
    assert two.one.restart().output[before:].count("this was replaced and is not adopted again") == 1
    assert ada.is_signed_in()
    two.one.signed_in(ADA, OTHER_PASSWORD)
    assert two.one.count("credentials.adopted") == 2
    two.one.write_config(credentials(ADA, PASSWORD) + "# once more\n")
    wait_for(lambda: two.one.count("credentials.adopted") == 3, "the edit is adopted")
    two.other.signed_in(ADA, PASSWORD)
    assert not ada.is_signed_in()
