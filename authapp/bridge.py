"""From the web server to the app: a request is taken in whole before one of the few threads begins with it.

The web server speaks ASGI, the app WSGI. Whoever sends slowly, or takes an answer slowly, costs a little memory and
never a thread; who comes to no end is sent away; and what was cut off on its way never counts as all of it.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from authapp.logs import log
from authapp.web import unseen
from authapp.web.state import ALIVE

THREADS = 32  # requests a worker answers at once; those that wait for the database are among them
LARGEST_HEAD = 32 * 1024  # bytes of headers; to read some takes a time that grows with the square of their length
BODY_TIME = 20.0  # seconds a body may take
BODY_RATE = 16 * 1024  # bytes that earn it another second
TINY_BODY = 4 * 1024  # bytes; there is always room for one, so that nobody's large ones keep others from signing in
SMALL_BODY = 64 * 1024  # bytes; what the app takes of anybody
LARGE_BODY = 3 * 1024 * 1024  # bytes; what it takes of superusers
HELD = 64 * 1024 * 1024  # bytes of bodies a worker holds at once; what carries no credentials gets half of that
CREDENTIALS = {b"cookie", b"authorization", b"x-api-key"}
TOO_LARGE = "The headers of the request are too large. Delete the cookies of this address, and try again."
BUSY = "The server is busy at the moment. Try again in a few seconds."

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class NotTaken(Exception):
    """A request that was not taken in: the status to answer, and why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(slots=True)
class Room:
    """How many bytes of bodies a worker holds."""

    taken: int = 0

    @contextmanager
    def share(self, most: int) -> Iterator[Callable[[int], None]]:
        """Yield what counts bytes in while their request lasts; it raises NotTaken when there is no room."""
        mine = 0

        def take(size: int) -> None:
            nonlocal mine
            if self.taken + size > most:
                raise NotTaken(503, BUSY)
            self.taken += size
            mine += size

        try:
            yield take
        finally:
            self.taken -= mine


class Bridge:
    """An ASGI app around a WSGI one.

    `leaving`: once it is set, every answer ends its connection. `on_refusal` is told the status of what the app
    never sees.
    """

    def __init__(
        self,
        app: Application,
        leaving: threading.Event | None = None,
        on_refusal: Callable[[int], None] | None = None,
    ) -> None:
        self.app = app
        self.leaving = leaving or threading.Event()
        self.room = Room()
        self._on_refusal = on_refusal
        self._in_hand = 0
        self._threads = ThreadPoolExecutor(THREADS, "request")
        self._spare = ThreadPoolExecutor(1, "alive")  # while all others wait for a database that is stuck

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request in, have it answered, and pass the answer on."""
        known = any(name in CREDENTIALS for name, _ in scope["headers"])
        with self.room.share(HELD if known else HELD // 2) as take:
            try:
                _require_small_head(scope)
                body = await _whole_body(scope, receive, take, LARGE_BODY if known else SMALL_BODY)
            except NotTaken as refusal:
                if self._on_refusal:
                    self._on_refusal(refusal.status)
                await _refuse(scope, send, refusal)
                return
            await self._answer(environment(scope, body), self._last(send))

    def _last(self, send: Send) -> Send:
        """Return what sends an answer, the last on its connection when this worker leaves."""

        async def pass_on(message: Message) -> None:
            if self.leaving.is_set() and message["type"] == "http.response.start":
                message["headers"].append((b"connection", b"close"))
            await send(message)

        return pass_on

    async def _answer(self, environ: dict[str, Any], send: Send) -> None:
        loop = asyncio.get_running_loop()

        def pass_on(message: Message) -> None:
            asyncio.run_coroutine_threadsafe(_send(send, message), loop).result()

        threads = self._spare if environ["PATH_INFO"] == ALIVE else self._threads
        self._in_hand += 1
        try:
            answer = await loop.run_in_executor(threads, run, self.app, environ, pass_on)
        finally:
            self._in_hand -= 1
        for message in answer:
            await send(message)

    def numbers(self) -> Mapping[str, float]:
        """Return how much there is to do at this moment."""
        return {
            "threads": THREADS,
            "threads_busy": min(self._in_hand, THREADS),
            "requests_waiting": max(self._in_hand - THREADS, 0),
            "body_bytes": self.room.taken,
            "body_bytes_limit": HELD,
        }


# -- taking in ------------------------------------------------------------------------------------------------


def _require_small_head(scope: Scope) -> None:
    if sum(len(name) + len(value) for name, value in scope["headers"]) > LARGEST_HEAD:
        raise NotTaken(431, TOO_LARGE)


async def _whole_body(scope: Scope, receive: Receive, take: Callable[[int], None], most: int) -> bytes:
    """Return the body, or of a longer one as much as shows the app that it is too long; raises NotTaken."""
    sizes = [value for name, value in scope["headers"] if name == b"content-length"]
    is_chunked = any(name == b"transfer-encoding" for name, _ in scope["headers"])
    if not is_chunked and (not sizes or not int(sizes[0]) or int(sizes[0]) > most):
        return b""  # the app refuses by its length what is too long
    is_tiny = not is_chunked and int(sizes[0]) <= TINY_BODY
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIME) as limit:
            while len(body) <= most:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise NotTaken(400, "Only a part of the request arrived.")
                part = message.get("body", b"")
                body += part
                take(0 if is_tiny else len(part))
                limit.reschedule((limit.when() or 0) + len(part) / BODY_RATE)
                if not message.get("more_body"):
                    break
    except TimeoutError:
        raise NotTaken(408, "The request took too long to arrive.") from None
    return bytes(body)


def environment(scope: Scope, body: bytes) -> dict[str, Any]:
    """Return a request as WSGI has it (PEP 3333).

    Header names with an underscore are left out: WSGI calls `X_Forwarded_For` what it calls `X-Forwarded-For`, so
    one that a client made up would pass for the one of a trusted proxy.
    """
    host, port = scope["server"] or ("", 0)
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0] if scope["client"] else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": _Errors(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in ((name, value) for name, value in scope["headers"] if b"_" not in name):
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        between = "; " if key == "HTTP_COOKIE" else ","
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]}{between}{text}" if key in environ else text
    return environ


class _Errors:
    """What an app that knows no log writes to."""

    def write(self, text: str) -> None:
        """Log a text."""
        log.error("error", text=text.strip())

    def flush(self) -> None:
        """Do nothing: what was written is in the log."""


# -- answering ------------------------------------------------------------------------------------------------


def run(app: Application, environ: dict[str, Any], pass_on: Callable[[Message], None]) -> list[Message]:
    """Ask the app, and return its answer; an answer whose length is not known is passed on as it is made."""
    head: list[Message] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
        lines = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        head[:] = [{"type": "http.response.start", "status": int(status[:3]), "headers": lines}]

    answer = app(environ, start_response)
    try:
        has_length = not head or any(name == b"content-length" for name, _ in head[0]["headers"])
        if has_length or isinstance(answer, list | tuple):
            text = b"".join(answer)
            return [*head, _part(text)]
        pass_on(head[0])
        for text in answer:
            pass_on(_part(text, more=True))
        return [_part(b"")]
    finally:
        getattr(answer, "close", lambda: None)()


def _part(text: bytes, *, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": text, "more_body": more}


async def _send(send: Send, message: Message) -> None:
    await send(message)


async def _refuse(scope: Scope, send: Send, refusal: NotTaken) -> None:
    """Answer in place of the app, and end the connection: nobody waits for the rest."""
    log.info("request", method=scope["method"], path=scope["path"], status=refusal.status)
    fields, text = unseen.refusal(scope["path"], refusal.status, str(refusal))
    body = text.encode()
    fields |= {"Connection": "close", "Retry-After": "5", "Content-Length": str(len(body))}
    headers = [(name.lower().encode(), value.encode()) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send(_part(body))
