"""What every process does once a minute."""

import subprocess
import sys
import threading

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from authapp import chores, paths
from authapp.chores import Chores
from authapp.database import Database
from authapp.models import Refusal
from tests.faults import WRITE_FAULTS, Fault, broken
from tests.world import World

NETWORK = "192.0.2.1"
PROCESS = """
import sys
from authapp.chores import Chores
from authapp.database import Database
its = Chores(Database(sys.argv[1]), None)
its.start()
its.database.refused.count("192.0.2.1")
"""


@pytest.fixture
def its(world: World) -> Chores:
    """The chores of a process."""
    _ = world.database
    return Chores(world.connect(), world.app.live)


def fail(*_: object) -> None:
    """Be chores that cannot be done."""
    raise ZeroDivisionError


def counted(database: Database) -> int:
    """Return how many refusals are written down."""
    with database.reading() as db:
        return db.scalar(select(func.sum(Refusal.count))) or 0


def test_an_app_has_its_chores(world: World) -> None:
    """An app's chores are about its database and the config in force; none is done until somebody starts them."""
    assert (world.app.chores.database, world.app.chores.live) == (world.app.database, world.app.live)
    assert world.app.chores._thread is None


def test_a_failure_is_logged_once(its: Chores, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chores that fail are tried again; the log tells it once, and anew after they have worked."""
    work = chores.run
    with capture_logs() as lines:
        for run in (fail, fail, work, work, fail):
            monkeypatch.setattr(chores, "run", run)
            its.attempt()
    assert len(lines) == 2
    assert {line["log_level"] for line in lines} == {"error"}


@pytest.mark.sqlite("the faults are SQLite's own")
@pytest.mark.parametrize("fault", WRITE_FAULTS.values(), ids=WRITE_FAULTS)
def test_chores_after_a_fault(its: Chores, fault: Fault) -> None:
    """What could not be written while the database failed is written after that; one log line gives the reason."""
    its.database.refused.count(NETWORK)
    with broken(its.database, fault), capture_logs() as lines:
        its.attempt()
        its.attempt()
    assert [line["reason"] for line in lines] == [str(fault.on_sqlite)]
    assert counted(its.database) == 0
    its.attempt()
    assert counted(its.database) == 1


def test_they_are_done_again_and_again(its: Chores, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once started, by whoever and however often, one thread does the chores until the process ends."""
    done = threading.Semaphore(0)
    threads = set()

    def run(*_: object) -> None:
        threads.add(threading.current_thread())
        done.release()

    monkeypatch.setattr(chores, "run", run)
    monkeypatch.setattr(chores, "INTERVAL", 0.001)
    its.start()
    its.start()
    assert all(done.acquire(timeout=20) for _ in range(3))
    its.finish()
    (thread,) = threads
    thread.join(20)
    assert not thread.is_alive()


def test_a_process_that_ends_loses_no_count(world: World) -> None:
    """What a process counted since it last wrote that down is written when it ends."""
    where = world.database.engine.url.render_as_string(hide_password=False)
    subprocess.run([sys.executable, "-c", PROCESS, where], cwd=paths.SHIPPED, check=True, timeout=60)
    assert counted(world.database) == 1


def test_an_end_without_a_database_is_quiet(its: Chores) -> None:
    """A process whose database is gone ends all the same, and logs what is lost."""
    with its.database.writing() as db:
        db.connection().exec_driver_sql("DROP TABLE refusals")
    its.database.refused.count(NETWORK)
    with capture_logs() as lines:
        its.finish()
    assert [line["log_level"] for line in lines] == ["error"]
