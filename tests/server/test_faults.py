"""What breaks around a running server: everybody gets a calm answer or none, and it heals by itself."""

import os
import signal
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPException
from pathlib import Path

import pytest

from tests.server.program import by_jwt
from tests.server_process import Client, Server, wait_for
from tests.world import ADA, PASSWORD

pytestmark = [
    pytest.mark.xdist_group("server-faults"),
    pytest.mark.sqlite(reason="what breaks here are connections and workers"),
]

SLOW = 200
AT_ONCE = 6
FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"
HALF_HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"
HALF_BODY = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\n" + FORM + b"Content-Length: 1000\r\n\r\nu"


@contextmanager
def slow_clients(server: Server, number: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """Let so many clients send the beginning of a request, and then nothing."""
    with ExitStack() as stack:
        clients = []
        for _ in range(number):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=60))
            client.sendall(sent)
            clients.append(client)
        yield clients


@pytest.mark.parametrize("sent", [HALF_HEAD, HALF_BODY], ids=["heads", "bodies"])
def test_slow_clients(shared: Server, sent: bytes) -> None:
    """While hundreds send half a request, people sign in, pages open, and `/healthz` answers."""
    owner = shared.signed_in()
    with slow_clients(shared, SLOW, sent) as clients:
        for client in clients:
            client.sendall(b"x")
        assert {owner.get("/admin/users").status for _ in range(6)} == {200}
        assert shared.signed_in().is_signed_in()
        assert shared.answers()


def test_half_a_head_that_is_too_large(shared: Server) -> None:
    """A head that grows and grows is refused before its end: many of them must not take all memory."""
    answer = None
    with (
        suppress(ConnectionError),  # the server may have hung up before all is sent
        closing(socket.create_connection(("127.0.0.1", shared.port), timeout=60)) as connection,
    ):
        connection.sendall(HALF_HEAD + b"X-A: " + b"a" * 100_000)
        answer = connection.recv(12)
    assert answer in (b"HTTP/1.1 431", None)


@pytest.mark.parametrize("kind", ["length", "chunks"])
def test_half_an_upload(shared: Server, kind: str) -> None:
    """A form that is cut off after a whole field does nothing, even where what arrived would be a form."""
    client, before = shared.client(), shared.rows("SELECT count(*) FROM sessions")
    body = f"csrf_token={client.token('/login')}&username={ADA}&password={PASSWORD}".encode()
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items()).encode()
    head = b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: " + cookies + b"\r\n" + FORM
    head += b"Content-Length: 5000\r\n\r\n" if kind == "length" else b"Transfer-Encoding: chunked\r\n\r\n"
    head += body if kind == "length" else b"%x\r\n%s\r\n" % (len(body), body)
    with closing(socket.create_connection(("127.0.0.1", shared.port), timeout=60)) as connection:
        connection.sendall(head)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert not answer or answer.startswith(b"HTTP/1.1 400 ")
    assert shared.rows("SELECT count(*) FROM sessions") == before


def kill_worker(server: Server, victim: int) -> None:
    """Kill a worker, and wait until it is gone."""
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: victim not in server.worker_pids(), "the worker is gone")


def opened(client: Client, path: str) -> int:
    """Open a page, once more where the connection was one that the killed worker had taken; return the status."""
    with suppress(ConnectionResetError):
        return client.get(path).status
    return client.get(path).status


def test_a_killed_worker(running: Server) -> None:
    """When a worker is killed, the others go on at once, and it is replaced; everybody stays signed in."""
    owner = running.signed_in()
    kill_worker(running, min(running.worker_pids()))
    assert {opened(owner, "/account") for _ in range(10)} == {200}
    wait_for(running.is_up, "the worker is replaced")
    assert {owner.get("/account").status for _ in range(10)} == {200}


@contextmanager
def held_up(server: Server) -> Iterator[None]:
    """Let changes wait until the block ends: somebody else writes."""
    with closing(sqlite3.connect(server.folder / "data" / "authapp.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def connections(pid: int, port: int) -> int:
    """Count the connections to a port that a process has taken."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    taken = {f"socket:[{line[9]}]" for line in lines if line[1].endswith(f":{port:04X}") and line[3] == "01"}
    return len(taken & {leads_to(file) for file in Path(f"/proc/{pid}/fd").iterdir()})


def leads_to(link: Path) -> str:
    """Return what a link says, nothing when it is gone."""
    with suppress(OSError):
        return str(link.readlink())
    return ""


def test_a_worker_killed_amid_requests(running: Server) -> None:
    """What a killed worker was about to do gets no answer and does not happen; what the others do is done."""
    program, names = by_jwt(running), [f"user-{number}" for number in range(AT_ONCE)]

    def add(name: str) -> bool:
        with suppress(OSError, HTTPException):  # the worker is killed
            return program.ask("POST", "/users", {"username": name, "password": PASSWORD}).status == 201
        return False

    def held() -> dict[int, int]:
        return {pid: connections(pid, running.port) for pid in running.worker_pids()}

    with ThreadPoolExecutor(AT_ONCE) as pool:
        with held_up(running):
            added = [pool.submit(add, name) for name in names]
            wait_for(lambda: sum(held().values()) == AT_ONCE, "the workers have all of them")
            victim, its_own = max(held().items(), key=lambda item: item[1])
            kill_worker(running, victim)
        told = [name for name, future in zip(names, added, strict=True) if future.result()]
    assert len(told) == AT_ONCE - its_own
    assert {(name,) for name in told} | {(ADA,)} == set(running.rows("SELECT username FROM users"))
