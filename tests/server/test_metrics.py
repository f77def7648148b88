"""`/metrics` of a server with two workers: whichever is asked answers for both."""

import os
import signal
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from authapp import __version__
from authapp.bridge import THREADS
from tests.server.program import REQUESTS, Program, by_token
from tests.server_process import Answer, Server, every_worker, wait_for

pytestmark = pytest.mark.sqlite(reason="workers put their numbers together without a database")
ON = "metrics: {enabled: true}\n"
MOST = 2000  # times it is asked; a worker that did not answer for the others within a second or so never does


@pytest.fixture
def watched(server: Server) -> Server:
    """A server with two workers and metrics, whose setup Ada has finished."""
    server.write_config(ON)
    server.start().set_up()
    return server


def ask(server: Server, program: Program) -> Answer:
    """Ask for the metrics over a new connection."""
    return Program(server.port, program.headers, prefix="").ask("GET", "/metrics")


def numbers(server: Server, program: Program) -> dict[str, float]:
    """Return the metrics, each by its name and its labels in their order."""
    return dict(_numbers(ask(server, program).text))


def _numbers(text: str) -> Iterator[tuple[str, float]]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield " ".join([sample.name.removeprefix("authapp_"), *sample.labels.values()]), sample.value


def counted(server: Server, program: Program) -> float:
    """Return how often the sign-in page was opened, as the worker that is asked says."""
    return numbers(server, program).get("requests_total 2xx login.login", 0)


def test_every_worker_answers_for_all(watched: Server) -> None:
    """Requests that different workers answered are counted together, and no answer says less than one before."""
    program, client = by_token(watched), watched.client()
    for _ in range(REQUESTS):
        assert client.get("/login").status == 200
    seen = [counted(watched, program)]
    while seen[-REQUESTS:] != [REQUESTS] * REQUESTS and len(seen) < MOST:
        seen.append(counted(watched, program))
    assert seen[-1] == REQUESTS
    assert seen == sorted(seen)
    found = numbers(watched, program)
    assert (found["workers"], found[f"nodes {__version__}"]) == (2, 1)
    assert found["threads"] == 2 * THREADS


def test_a_worker_that_is_killed(watched: Server) -> None:
    """When a worker is killed and replaced nothing that was counted is lost, and the replacement shows."""
    program, client = by_token(watched), watched.client()
    for _ in range(REQUESTS):
        client.get("/login")
    wait_for(lambda: counted(watched, program) == REQUESTS, "both workers have written")
    os.kill(min(watched.worker_pids()), signal.SIGKILL)
    wait_for(watched.is_up, "the worker is replaced")
    wait_for(lambda: numbers(watched, program)["workers_started_total"] == 3, "the new worker counts")
    found = numbers(watched, program)
    assert (found["workers"], found["requests_total 2xx login.login"]) == (2, REQUESTS)


def test_switched_on_while_it_runs(running: Server) -> None:
    """Until the file switches it on there is nothing, neither at the address nor in the data folder."""
    program, data = by_token(running), running.folder / "data"
    assert ask(running, program).status == 404
    assert not list(data.glob("metrics-*"))
    running.write_config(ON)
    every_worker(lambda: ask(running, program).status == 200, "the metrics are there")
    wait_for(lambda: numbers(running, program)["workers"] == 2, "both workers count")
    assert running.stop() == 0
    assert not list(data.glob("metrics-*"))
