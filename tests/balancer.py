"""A load balancer as usual ones are: it asks each node whether it is ready, and never sends a request twice."""

import select
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, count

LOOKS_EVERY = 0.5  # seconds between two questions to a node; real ones ask every 1 to 10
ENDS_HERE = {"connection", "keep-alive", "transfer-encoding", "content-length", "server", "date"}


@dataclass
class Balancer:
    """Takes the ready nodes in turns, and passes over one that refuses a connection.

    A request that was sent is not sent again, whatever becomes of it. `keeps`: whether connections
    to the nodes are kept and used again.
    """

    ports: Sequence[int]
    keeps: bool = False
    ready: set[int] = field(default_factory=set)
    kept: dict[int, list[HTTPConnection]] = field(default_factory=dict)
    turns: Iterator[int] = field(default_factory=count)
    answered: list[int] = field(default_factory=list)  # the node's port, answer by answer

    def look(self) -> None:
        """Ask each node whether it is ready."""
        for port in self.ports:
            (self.ready.add if _is_ready(port) else self.ready.discard)(port)

    def send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[HTTPResponse, bytes]:
        """Send a request to the node whose turn it is; raises OSError, HTTPException."""
        port, connection = self._connect()
        with ExitStack() as unless_kept:
            unless_kept.callback(connection.close)
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
            self.answered.append(port)
            if self.keeps and not answer.will_close:
                unless_kept.pop_all()
                self.kept.setdefault(port, []).append(connection)
        return answer, text

    def _connect(self) -> tuple[int, HTTPConnection]:
        first = next(self.turns)
        in_turn = [self.ports[(first + step) % len(self.ports)] for step in range(len(self.ports))]
        for port in [port for port in in_turn if port in self.ready]:
            with suppress(ConnectionRefusedError):
                return port, self._kept(port) or _new(port)
        raise ConnectionRefusedError("no node takes connections")

    def _kept(self, port: int) -> HTTPConnection | None:
        """Return a kept connection that the node has not closed meanwhile."""
        while self.kept.get(port):
            connection = self.kept[port].pop()
            if not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()
        return None


def _is_ready(port: int) -> bool:
    with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection, suppress(OSError, HTTPException):
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    return False


def _new(port: int) -> HTTPConnection:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    return connection


@contextmanager
def balanced(ports: Sequence[int], *, keeps: bool = False) -> Iterator[tuple[Balancer, int]]:
    """Run a load balancer in front of nodes; gives it and the port it listens on."""
    balancer = Balancer(ports, keeps)
    balancer.look()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(balancer))
    stopping = threading.Event()

    def look_again() -> None:
        while not stopping.wait(LOOKS_EVERY):
            balancer.look()

    threads = [threading.Thread(target=server.serve_forever), threading.Thread(target=look_again)]
    for thread in threads:
        thread.start()
    try:
        yield balancer, server.server_port
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        for thread in threads:
            thread.join()
        for connection in chain(*balancer.kept.values()):
            connection.close()


def _handler(balancer: Balancer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            size = int(self.headers.get("Content-Length", 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ENDS_HERE}
            headers |= {"X-Forwarded-For": self.client_address[0], "X-Forwarded-Proto": "http"}
            body = self.rfile.read(size) if size else None
            try:
                answer, text = balancer.send(self.command, self.path, body, headers)
            except (OSError, HTTPException) as error:
                self.send_error(502, repr(error))
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ENDS_HERE:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = do_DELETE = pass_on  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    return Handler
