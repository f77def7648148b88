"""Many clients at once against real servers: requests a second, how long each took, and the processor's time.

On a machine that does other things as well, the processor time says most: whoever waits for a turn spends none.
"""

import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

from tests.server_process import Server

CLIENTS = 8
SECONDS = 1.5  # of one turn


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and the status it has to be answered with."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    status: int = 200


# Makes the next request of a client, who is known by a number.
Act = Callable[[int], Request]


@dataclass
class Turn:
    """What one turn of all clients came to: seconds, the servers' seconds of a processor, each request's ms."""

    seconds: float = 0.0
    processor: float = 0.0
    took: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return len(self.took) / self.seconds

    @property
    def cost(self) -> float:
        """Milliseconds of a processor that the servers spend on a request."""
        return self.processor / len(self.took) * 1000

    @property
    def median(self) -> float:
        """Milliseconds half of the requests took at most."""
        return statistics.median(self.took)

    @property
    def p95(self) -> float:
        """Milliseconds 95 % of the requests took at most."""
        return statistics.quantiles(self.took, n=20)[-1]


def press(nodes: Sequence[Server], act: Act, seconds: float = SECONDS) -> Turn:
    """Let all clients ask as fast as they are answered, each over one connection; the nodes are shared out."""
    ports = [node.port for node in nodes]
    turn, failed = Turn(), list[BaseException]()

    def ask(client: int) -> None:
        try:
            turn.took.extend(_ask(ports[client % len(ports)], act, client, began + seconds))
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that counts
            failed.append(error)

    spent, began = _processor(nodes), time.perf_counter()
    threads = [threading.Thread(target=ask, args=(client,)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    turn.seconds, turn.processor = time.perf_counter() - began, _processor(nodes) - spent
    return turn


def _processor(nodes: Sequence[Server]) -> float:
    """Return how many seconds of a processor the processes of these servers have spent so far."""
    groups = {node.process.pid for node in nodes if node.process}
    ticks = 0
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            values = status.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            ticks += int(values[11]) + int(values[12]) if int(values[2]) in groups else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def _ask(port: int, act: Act, client: int, until: float) -> list[float]:
    took: list[float] = []
    with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        while time.perf_counter() < until or not took:
            wanted = act(client)
            began = time.perf_counter()
            connection.request(wanted.method, wanted.path, wanted.body, wanted.headers)
            answer = connection.getresponse()
            text = answer.read()
            took.append((time.perf_counter() - began) * 1000)
            assert answer.status == wanted.status, f"{wanted.path}: {answer.status} {text[:500]!r}"
    return took


def take_turns(ways: dict[str, Sequence[Server]], act: Act, rounds: int) -> dict[str, list[Turn]]:
    """Let every way take its turn, round after round, so that a busy machine spoils all alike."""
    turns: dict[str, list[Turn]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, nodes in ways.items():
            turns[name].append(press(nodes, act))
    return {name: done[1:] for name, done in turns.items()}  # the first round warms up


def ratio(turns: dict[str, list[Turn]], of: str, to: str, what: str = "per_second") -> float:
    """Return how many times as much one way has of something as another: the median of the rounds."""
    pairs = zip(turns[of], turns[to], strict=True)
    return float(statistics.median(getattr(one, what) / getattr(other, what) for one, other in pairs))


def row(turns: list[Turn]) -> str:
    """Return requests a second, milliseconds (median, 95 %) and processor time, as columns."""
    names = ("per_second", "median", "p95", "cost")
    values = [statistics.median(getattr(turn, name) for turn in turns) for name in names]
    return f"{values[0]:10.0f}{values[1]:10.1f}{values[2]:10.1f}{values[3]:14.2f}"
