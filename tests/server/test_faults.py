"""What breaks around a running server: everybody gets a calm answer or none, and it heals by itself."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager

import pytest

from tests.server_process import Server, wait_for
from tests.world import ADA, PASSWORD

pytestmark = [
    pytest.mark.xdist_group("server-faults"),
    pytest.mark.sqlite(reason="what breaks here are connections and workers"),
]

SLOW = 200
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


def test_a_killed_worker(running: Server) -> None:
    """When a worker is killed, the others go on, what was acknowledged stays, and it is replaced."""
    owner, victim = running.signed_in(), min(running.worker_pids())
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: victim not in running.worker_pids() and running.is_up(), "the worker is replaced")
    assert {owner.get("/account").status for _ in range(10)} == {200}
