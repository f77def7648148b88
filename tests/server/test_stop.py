"""Stopping: what is in flight is finished."""

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import closing
from urllib.parse import urlencode

import pytest

from authapp.server import KILL_TIMEOUT
from tests.server_process import PATIENCE, Client, Server, command_line, wait_for
from tests.world import ADA, PASSWORD

pytestmark = [
    pytest.mark.xdist_group("server-stop"),
    pytest.mark.sqlite(reason="how processes end has nothing to do with where the rows are"),
]


def to_the_parent(server: Server) -> None:
    """Stop as a service manager does."""
    assert server.process is not None
    server.process.send_signal(signal.SIGTERM)


def to_every_process(server: Server) -> None:
    """Stop as Ctrl-C on a terminal does: every process of the group gets the signal."""
    assert server.process is not None
    os.killpg(server.process.pid, signal.SIGINT)


STOPS = pytest.mark.parametrize("stop", [to_the_parent, to_every_process], ids=["SIGTERM", "Ctrl-C"])


def begin_sign_in(client: Client, size: int) -> socket.socket:
    """Send the head of a sign-in, and return when the app is waiting for the body."""
    connection = socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE)
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    head = f"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookies}\r\nContent-Length: {size}\r\n"
    kind = "Content-Type: application/x-www-form-urlencoded\r\n"
    connection.sendall(f"{head}{kind}Connection: close\r\nExpect: 100-continue\r\n\r\n".encode())
    # Sent when somebody asks for the body (RFC 9110 10.1.1).
    assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
    return connection


@STOPS
def test_the_server_stops_when_told(running: Server, stop: Callable[[Server], None]) -> None:
    """SIGTERM and Ctrl-C end the server with exit status 0, and nothing answers any more."""
    stop(running)
    assert running.ended() == 0
    assert not running.answers()
    assert "Traceback" not in running.output


@STOPS
def test_a_request_in_flight_is_finished(running: Server, stop: Callable[[Server], None]) -> None:
    """A sign-in whose body is still on its way when the server is told to stop is answered."""
    client = running.client()
    body = urlencode({"csrf_token": client.token("/login"), "username": ADA, "password": PASSWORD}).encode()
    with closing(begin_sign_in(client, len(body))) as connection:
        connection.sendall(body[:40])
        stop(running)
        wait_for(lambda: len(running.worker_pids()) == 1, "the idle worker is gone, the busy one finishes")
        connection.sendall(body[40:])
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 303 ")
    assert running.ended() == 0


@STOPS
def test_no_worker_has_to_be_killed(running: Server, stop: Callable[[Server], None]) -> None:
    """Told to stop while nothing is in flight, every worker ends by itself, before the time for that is over."""
    began = time.monotonic()
    stop(running)
    assert running.ended() == 0
    assert time.monotonic() - began < KILL_TIMEOUT


def test_a_stopped_server_leaves_no_process_behind(running: Server) -> None:
    """When the server has stopped, its workers are gone too."""
    workers = running.worker_pids()
    assert len(workers) == 2
    assert running.stop() == 0
    wait_for(lambda: not any(command_line(pid) for pid in workers), "the workers are gone")


def test_workers_stop_when_their_parent_is_killed(running: Server) -> None:
    """When only the parent is killed, its workers give the port back: nobody would replace or watch them."""
    assert running.process is not None
    workers = running.worker_pids()
    running.process.kill()
    wait_for(lambda: not any(command_line(pid) for pid in workers), "the workers are gone")
    assert not running.answers()
