"""A program that uses the API of a real server; every request of it is a new connection."""

import json
import re
import socket
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any

from tests.server_process import PATIENCE, Answer, Server
from tests.web.program import API, basic
from tests.world import ADA, PASSWORD

REQUESTS = 15  # new connections, so that it is unlikely that one of a few workers is left out


@dataclass(frozen=True, slots=True)
class Program:
    """A program, and the header it proves itself with."""

    port: int
    headers: dict[str, str] = field(default_factory=dict)
    prefix: str = API

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Send one request; what is sent along is JSON."""
        headers = {"Connection": "close", **self.headers}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, self.prefix + path, data, headers)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.headers.items()}
            return Answer(answer.status, found, answer.read().decode())

    def done(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request, which has to work, and return what is answered."""
        answer = self.ask(method, path, body)
        assert answer.status < 300, answer.text
        return json.loads(answer.text or "null")

    def seen(self, path: str = "/users/whoami") -> set[int]:
        """Ask the same again and again, so that every worker has to answer; return the statuses."""
        return {self.ask("GET", path).status for _ in range(REQUESTS)}


def by_basic(server: Server, username: str = ADA, password: str = PASSWORD) -> Program:
    """Return a program with a user name and a password."""
    return Program(server.port, basic(username, password))


def by_jwt(server: Server, username: str = ADA, password: str = PASSWORD) -> Program:
    """Return a program with a JWT."""
    body = {"username": username, "password": password}
    token = Program(server.port).done("POST", "/login", body)["access_token"]
    return Program(server.port, {"Authorization": f"Bearer {token}"})


def by_token(server: Server, username: str = ADA, password: str = PASSWORD, scope: str = "write") -> Program:
    """Return a program with an API token."""
    made = by_basic(server, username, password).done("POST", "/tokens", {"name": "a program", "scope": scope})
    return Program(server.port, {"X-API-Key": made["token"]})


def exchange(server: Server, *requests: bytes) -> bytes:
    """Send requests one behind the other over one connection, and return everything until its end."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(b"".join(requests))
        return b"".join(iter(lambda: connection.recv(65536), b""))


def written(server: Server, *lines: str, method: str = "GET", path: str = "/users/whoami", body: str = "") -> bytes:
    """Return a request as it is written, with lines for the header as they are."""
    head = [f"{method} {API}{path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", *lines, "", body]
    return "\r\n".join(head).encode()


def statuses(answers: bytes) -> list[int]:
    """Return the statuses of the answers on one connection."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", answers)]
