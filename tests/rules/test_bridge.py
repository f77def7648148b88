"""The bridge between web server and app: whole requests only, and none that holds up the others."""

import asyncio
import json
from collections.abc import Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from authapp import bridge
from authapp.bridge import Bridge
from authapp.web.errors import TITLES
from authapp.web.security import HEADERS

Message = MutableMapping[str, Any]
HALF = {"type": "http.request", "body": b"username=ada", "more_body": True}
REST = {"type": "http.request", "body": b"&password=x", "more_body": False}
CUT = {"type": "http.disconnect"}
COOKIE = (b"cookie", b"a=1")


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer with the body."""
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def ask(
    app: Bridge, *messages: Message, headers: tuple[tuple[bytes, bytes], ...] = (), path: bytes = b"/login"
) -> tuple[int, bytes]:
    """Send a request whose body comes as these messages, and then no more; return status and answer."""
    head, text = answered(app, *messages, headers=headers, path=path)
    return head["status"], text


def answered(
    app: Bridge, *messages: Message, headers: tuple[tuple[bytes, bytes], ...] = (), path: bytes = b"/login"
) -> tuple[Message, bytes]:
    """Do the same, and return status and headers as they were sent, and the answer."""
    kind = () if any(name == b"content-length" for name, _ in headers) else ((b"transfer-encoding", b"chunked"),)
    scope = {"type": "http", "method": "POST", "raw_path": path, "path": path.decode(), "query_string": b"a=%20"}
    scope |= {"http_version": "1.1", "scheme": "http", "server": ("127.0.0.1", "80"), "client": ("127.0.0.1", "9")}
    scope["headers"] = [*kind, *headers]
    left, sent = list(messages), []

    async def receive() -> Message:
        return left.pop(0) if left else await asyncio.Future()

    async def send(message: Message) -> None:
        sent.append(message)

    with ThreadPoolExecutor(1) as threads:  # in this one a browser of other tests may run a loop
        threads.submit(asyncio.run, app(scope, receive, send)).result()
    return sent[0], b"".join(message["body"] for message in sent[1:])


def test_a_body_in_parts() -> None:
    """A body that comes in parts is one body."""
    assert ask(Bridge(echo), HALF, REST) == (200, b"username=ada&password=x")


@pytest.mark.parametrize("length", [(), ((b"content-length", b"23"),)], ids=["chunks", "length"])
def test_half_a_body(length: tuple[tuple[bytes, bytes], ...]) -> None:
    """Half a form is no form, however its length was told: the app never sees it."""
    status, text = ask(Bridge(echo), HALF, CUT, headers=length)
    assert status == 400
    assert b"Only a part of the request arrived." in text


def test_a_body_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever does not send the rest in time is sent away, and what came is forgotten."""
    monkeypatch.setattr(bridge, "BODY_TIME", 0.01)
    app = Bridge(echo)
    assert ask(app, HALF)[0] == 408
    assert app.room.taken == 0


@pytest.mark.parametrize(("headers", "most"), [((), bridge.SMALL_BODY), ((COOKIE,), bridge.LARGE_BODY)])
def test_a_body_that_is_too_long(headers: tuple[tuple[bytes, bytes], ...], most: int) -> None:
    """Of a body that is too long no more is read than shows the app that it is."""
    part = {**HALF, "body": b"x" * 16 * 1024}
    status, text = ask(Bridge(echo), *[part] * (most // 16384 + 5), headers=headers)
    assert (status, len(text)) == (200, most + 16384)


def test_a_length_that_is_too_long() -> None:
    """A body that says it is too long is not read at all."""
    assert ask(Bridge(echo), HALF, headers=((b"content-length", b"9999999"),)) == (200, b"")


def test_headers_that_are_too_large() -> None:
    """Large headers are not read, one or many: a single request of that kind could hold up a worker for minutes."""
    large = ((b"accept", b"a" + b" " * (bridge.LARGEST_HEAD // 2)),)
    assert ask(Bridge(echo), HALF, REST, headers=large)[0] == 200
    assert ask(Bridge(echo), HALF, REST, headers=large * 2)[0] == 431


def test_room_for_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    """When a worker holds too many bytes, what carries no credentials is told first that it is busy."""
    monkeypatch.setattr(bridge, "HELD", 30)
    app = Bridge(echo)
    assert ask(app, HALF, REST)[0] == 503
    assert ask(app, HALF, REST, headers=(COOKIE,))[0] == 200
    assert app.room.taken == 0


def test_what_the_app_learns() -> None:
    """The app gets the request as WSGI says: a path in bytes, headers that came twice as one."""
    seen: dict[str, Any] = {}

    def note(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        seen.update(environ)
        return echo(environ, start_response)

    twice = ((b"x-a", b"1"), (b"x-a", b"2"), COOKIE, (b"cookie", b"b=2"))
    ask(Bridge(note), REST, headers=twice, path=b"/%c3%a9")
    assert (seen["PATH_INFO"], seen["QUERY_STRING"], seen["REMOTE_ADDR"]) == ("/Ã©", "a=%20", "127.0.0.1")
    assert (seen["HTTP_X_A"], seen["HTTP_COOKIE"], seen["SERVER_PROTOCOL"]) == ("1,2", "a=1; b=2", "HTTP/1.1")


def test_headers_that_pass_for_others() -> None:
    """A header name with an underscore never arrives: the app could not tell it from the one of a trusted proxy."""
    seen: dict[str, Any] = {}

    def note(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        seen.update(environ)
        return echo(environ, start_response)

    forwarded = ((b"x-forwarded-for", b"192.0.2.1"), (b"x_forwarded_for", b"192.0.2.2"), (b"x_api_key", b"k"))
    ask(Bridge(note), REST, headers=forwarded)
    assert seen["HTTP_X_FORWARDED_FOR"] == "192.0.2.1"
    assert "HTTP_X_API_KEY" not in seen


def test_there_is_always_room_to_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body as small as a sign-in is taken also when others fill the room for bodies."""
    monkeypatch.setattr(bridge, "HELD", 0)
    assert ask(Bridge(echo), REST, headers=((b"content-length", b"11"),))[0] == 200
    assert ask(Bridge(echo), REST)[0] == 503


def test_an_answer_without_a_length() -> None:
    """An answer whose length is not known is passed on part by part."""

    def count(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes]:
        start_response("200 OK", [])
        return iter([b"1", b"2"])

    parts: list[Message] = []
    assert bridge.run(count, {}, parts.append)[0]["body"] == b""
    assert [part.get("body") for part in parts] == [None, b"1", b"2"]


# -- what the app never saw -----------------------------------------------------------------------------------


def refused(status: int, path: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, str], str]:
    """Send what is refused with this status; return headers and text of the answer."""
    monkeypatch.setattr(bridge, "BODY_TIME", 0.01)
    monkeypatch.setattr(bridge, "HELD", 10 if status == 503 else 1000)
    headers = ((b"accept", b"a" + b" " * bridge.LARGEST_HEAD),) if status == 431 else ()
    messages = (HALF, CUT) if status == 400 else (HALF,)
    head, text = answered(Bridge(echo), *messages, headers=headers, path=path)
    assert head["status"] == status
    return {name.decode(): value.decode() for name, value in head["headers"]}, text.decode()


@pytest.mark.parametrize("status", [400, 408, 431, 503])
def test_a_program_is_refused_with_a_problem(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below the API's address a request that was not taken in is a problem like every other refusal there."""
    headers, text = refused(status, b"/api/v1/login", monkeypatch)
    said = json.loads(text)
    assert headers["content-type"] == "application/problem+json"
    assert (said["type"], said["status"]) == ("about:blank", status)
    assert said.keys() == {"type", "title", "status", "detail"}


@pytest.mark.parametrize("status", [400, 408, 431, 503])
def test_people_are_refused_with_a_page(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere it is a page in the app's style, which says in a sentence what happened."""
    headers, text = refused(status, b"/login", monkeypatch)
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert f"<h1>{TITLES[status]}</h1>" in text
    assert text.startswith("<!doctype html>")


@pytest.mark.parametrize("path", [b"/login", b"/api/v1/login"])
def test_such_a_refusal_is_guarded_and_ends_the_connection(path: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """It carries the headers every answer carries, is kept by nobody, and the rest is not waited for."""
    headers, text = refused(503, path, monkeypatch)
    assert HEADERS.items() <= {name.title(): value for name, value in headers.items()}.items()
    assert (headers["cache-control"], headers["connection"], headers["retry-after"]) == ("no-store", "close", "5")
    assert headers["content-length"] == str(len(text.encode()))


# -- what is told of it ----------------------------------------------------------------------------------------


def test_how_much_there_is_to_do() -> None:
    """While a request is answered, a thread is busy and its body is held; afterwards neither."""
    seen = []

    def look(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        seen.append(app.numbers())
        return echo(environ, start_response)

    app = Bridge(look)
    assert ask(app, HALF, REST)[0] == 200
    assert [(now["threads_busy"], now["body_bytes"], now["requests_waiting"]) for now in seen] == [(1, 23, 0)]
    assert (app.numbers()["threads_busy"], app.numbers()["body_bytes"]) == (0, 0)


def test_what_the_app_never_sees_is_told() -> None:
    """A request that is not taken in is told with its status to whoever counts them."""
    refused: list[int] = []
    ask(Bridge(echo, on_refusal=refused.append), HALF, CUT)
    assert refused == [400]
