"""What taking requests in whole costs: authapp's bridge beside the web server's own way to a WSGI app.

Run it with `make bench`, or `python -m benchmarks.server`. The same app, the same web server, one process each;
only the way between them differs. Both take turns, so that a busy machine spoils both alike, and what counts is the
ratio.
"""

import argparse
import multiprocessing
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

from authapp.bridge import THREADS, Bridge
from authapp.factory import create_app
from authapp.server import CONNECTIONS
from benchmarks.load import CLIENTS, Act, Request, ratio, row, take_turns
from tests.server_process import Server, clean_environment, installation, wait_for

ROUNDS = 7
AT_LEAST = 0.75  # times as many requests a second
BRIDGE, WSGI = "authapp's bridge", "granian's WSGI"
ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Start both, measure, print; with `--serve` be one of them."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    arguments.add_argument("--serve", help=argparse.SUPPRESS)
    arguments.add_argument("--port", type=int, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    if given.serve:
        _serve(given.serve, given.port)
    else:
        _compare(given.rounds)


def bridged() -> Bridge:
    """Make the app behind the bridge, as the server's workers do."""
    return Bridge(create_app(quiet=True))


def plain() -> object:
    """Make the app alone."""
    return create_app(quiet=True)


def _serve(way: str, port: int) -> None:
    multiprocessing.set_start_method("spawn", force=True)
    is_wsgi = way == WSGI
    Granian(
        f"benchmarks.server:{'plain' if is_wsgi else 'bridged'}",
        factory=True,
        port=port,
        interface=Interfaces.WSGI if is_wsgi else Interfaces.ASGINL,
        blocking_threads=THREADS if is_wsgi else None,
        workers=1,
        backpressure=CONNECTIONS,
        http=HTTPModes.http1,
        websockets=False,
        log_level=LogLevels.error,
    ).serve()


def _compare(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name, installation(Path(name), 1) as server:
        owner = server.start(patience=120).set_up()
        cookies = "; ".join(f"{name}={value}" for name, value in owner.cookies.items())
        server.stop()
        acts: dict[str, Act] = {
            "/healthz": lambda _: Request("GET", "/healthz"),
            "the sign-in page": lambda _: Request("GET", "/login"),
            "a page, signed in": lambda _: Request("GET", "/", {"Cookie": cookies}),
        }
        with _serving(server.folder, BRIDGE) as bridge, _serving(server.folder, WSGI) as wsgi:
            worst = min(_measure(act, {BRIDGE: [bridge], WSGI: [wsgi]}, rounds) for act in acts.items())
    print(f"\nfewest requests through the bridge: {worst:.2f} of granian's WSGI; at least {AT_LEAST} is wanted")


def _measure(act: tuple[str, Act], ways: dict[str, Sequence[Server]], rounds: int) -> float:
    turns = take_turns(ways, act[1], rounds)
    print(f"{act[0]}, {CLIENTS} clients{'':10}{'a second':>22}{'ms':>10}{'ms, 95 %':>10}{'processor, ms':>14}")
    for way, taken in turns.items():
        print(f"  {way:40}{row(taken)}")
    found = ratio(turns, BRIDGE, WSGI)
    cost = ratio(turns, BRIDGE, WSGI, "cost")
    print(f"  {'ratio':40}{found:10.2f}{cost:34.2f}", flush=True)
    return found


@contextmanager
def _serving(folder: Path, way: str) -> Iterator[Server]:
    server = Server(folder, workers=1)
    command = [sys.executable, "-m", "benchmarks.server", "--serve", way, "--port", str(server.port)]
    variables = clean_environment() | {"PYTHONPATH": str(ROOT), "AUTHAPP_LOG_LEVEL": "error"}
    server.process = subprocess.Popen(command, cwd=folder, env=variables, process_group=0)
    try:
        wait_for(server.answers, "it answers", 120)
        yield server
    finally:
        server.kill()


if __name__ == "__main__":
    main()
