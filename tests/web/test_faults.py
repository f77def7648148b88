"""A database that fails: every page and every route of the API says so calmly, and does nothing by halves."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from werkzeug.test import TestResponse

from authapp import clock
from tests.databases import SQLITE_AND_POSTGRES, taking
from tests.faults import FAULTS, TELLTALE, WRITE_FAULTS, Fault, broken
from tests.web.program import API, Program, basic, by_token
from tests.web.test_route_map import as_visitor, rules, sent, stated_by
from tests.world import ADA, BOB, CHARLIE, OTHER_PASSWORD, PASSWORD, Browser, World

NEW_USER = {"username": "eve", "password": OTHER_PASSWORD}


@pytest.fixture(scope="module", params=SQLITE_AND_POSTGRES)
def people(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, request: pytest.FixtureRequest
) -> Iterator[World]:
    """An installation with Ada, Bob, Charlie and Dora, for all tests of this file: a failure changes nothing."""
    with taking(request)() as database_url:
        world = World(tmp_path_factory.mktemp("people"), empty_database, database_url)
        world.write_config("metrics: {enabled: true}\n")
        world.add_cast()
        yield world
        world.close()


def is_calm(answer: TestResponse) -> bool:
    """Tell whether an answer is a refusal in plain words; in the API, a problem."""
    is_api = answer.request.path.startswith(("/api/", "/metrics"))
    kind = answer.mimetype in (("application/problem+json",) if is_api else ("text/html", "text/plain"))
    return answer.status_code == 503 and kind and not TELLTALE.search(answer.text)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_every_route(people: World, fault: Fault) -> None:
    """Whatever a superuser asks for that takes signing in is answered with 503 while the database fails."""
    browser, token = as_visitor(people, "the owner")
    before, asked = people.tables(), 0
    with broken(people.app.database, fault):
        for endpoint, method, path in rules(people.app):
            if stated_by(people.app, endpoint) not in ("user", "superuser") or method in ("HEAD", "OPTIONS"):
                continue
            proof: dict[str, Any] = {"auth": (ADA, PASSWORD)} if path == "/metrics" else {}  # no session opens it
            answer = browser.client.open(path, method=method, buffered=True, **sent(path, method, token), **proof)
            assert is_calm(answer), (method, path, answer.status)
            asked += 1
        assert is_calm(browser.get("/readyz"))
    assert asked > 60
    assert people.tables() == before
    assert browser.is_signed_in()


def test_strangers(people: World) -> None:
    """While the database fails, a stranger gets nothing that a stranger would not get anyway."""
    browser, token = as_visitor(people, "a stranger")
    open_to_all = {"/login", "/healthz", "/static/app.css", f"{API}/logout"}
    with broken(people.app.database, FAULTS["disk error"]):
        for _, method, path in rules(people.app):
            answer = browser.client.open(path, method=method, buffered=True, **sent(path, method, token))
            assert answer.status_code >= 300 or path in open_to_all or method == "OPTIONS", (method, path)
            assert not TELLTALE.search(answer.text) or path.startswith("/static/"), (method, path)


PAGES: dict[str, tuple[str, str, dict[str, str]]] = {
    "sign-in": ("/login", "/login", {"username": ADA, "password": PASSWORD}),
    "a wrong password": ("/login", "/login", {"username": ADA, "password": "x"}),
    "a new user": ("/admin/users/new", "/admin/users/new", NEW_USER),
    "a switch": ("/admin/users/{charlie}/active", "/admin/users", {"on": "y"}),
    "a deletion": ("/admin/users/{charlie}/delete", "/admin/users/{charlie}", {"typed": CHARLIE}),
    "a reset": ("/admin/users/{bob}/reset-password", "/admin/users/{bob}", {}),
    "an own password": (
        "/account/password",
        "/account/password",
        {"current_password": PASSWORD, "new_password": OTHER_PASSWORD},
    ),
    "a token": ("/account/tokens", "/account/tokens", {"name": "x", "scope": "read", "days": "30"}),
    "sign-out": ("/logout", "/", {}),
}
CALLS: dict[str, tuple[str, str, Any]] = {
    "a JWT": ("POST", "/login", {"username": ADA, "password": PASSWORD}),
    "a new user": ("POST", "/users", NEW_USER),
    "a list": ("POST", "/users/batch", [NEW_USER, {**NEW_USER, "username": "mallory"}]),
    "a change": ("PATCH", "/users/{charlie}", {"is_active": True}),
    "a deletion": ("DELETE", "/users/{charlie}", None),
    "a token": ("POST", "/tokens", {"name": "x"}),
    "a setting": ("PUT", "/settings/auth.sign-up", {"value": True}),
}


def filled(people: World, path: str) -> str:
    """Return a path with people's ids."""
    return path.format(bob=people.user(BOB).id, charlie=people.user(CHARLIE).id)


def press(people: World, browser: Browser, token: str, name: str) -> TestResponse:
    """Send a form as its page would."""
    path, _, form = PAGES[name]
    data = {"csrf_token": token, **form}
    return browser.client.post(filled(people, path), data=data, buffered=True)


@pytest.mark.parametrize("fault", WRITE_FAULTS.values(), ids=WRITE_FAULTS)
@pytest.mark.parametrize("name", PAGES)
def test_every_kind_of_form(people: World, name: str, fault: Fault) -> None:
    """A form whose change cannot be kept is answered with 503, and nothing of it is kept."""
    browser, token = as_visitor(people, "a stranger" if name in ("sign-in", "a wrong password") else "the owner")
    before = people.tables()
    with broken(people.app.database, fault):
        answer = press(people, browser, token, name)
    assert is_calm(answer), (answer.status, answer.text[:2000])
    assert people.tables() == before


@pytest.mark.parametrize("fault", WRITE_FAULTS.values(), ids=WRITE_FAULTS)
@pytest.mark.parametrize("name", CALLS)
def test_every_kind_of_call(people: World, name: str, fault: Fault) -> None:
    """A call of the API whose change cannot be kept is a problem with 503, and nothing of it is kept."""
    method, path, body = CALLS[name]
    program = Program(people.app.test_client(use_cookies=False), {} if path == "/login" else basic())
    assert program.get("/users/whoami").status_code in (200, 401)  # its password is remembered from now on
    before = people.tables()
    with broken(people.app.database, fault):
        answer = program.ask(method, filled(people, path), body)
    assert answer.request.path.startswith(API)
    assert is_calm(answer), (answer.status, answer.text)
    assert people.tables() == before


@pytest.mark.parametrize("name", CALLS)
def test_it_works_again(cast: World, name: str) -> None:
    """What failed works when it is sent again after the fault is gone."""
    method, path, body = CALLS[name]
    program = Program(cast.app.test_client(use_cookies=False), {} if path == "/login" else basic())
    program.get("/users/whoami")
    with broken(cast.app.database, WRITE_FAULTS["full at the end"]):
        assert program.ask(method, filled(cast, path), body).status_code == 503
    assert program.ask(method, filled(cast, path), body).status_code < 300


@pytest.mark.parametrize("fault", WRITE_FAULTS.values(), ids=WRITE_FAULTS)
@pytest.mark.parametrize("who", ["a session", "a token"])
def test_whoever_only_reads(cast: World, who: str, fault: Fault) -> None:
    """Pages that only read go on, though it is time to note that a session or a token was used, and that fails."""
    browser, token = as_visitor(cast, "the owner")[0], by_token(cast)
    with time_machine.travel(clock.now() + timedelta(minutes=5)), broken(cast.app.database, fault):
        answer = browser.get("/account") if who == "a session" else token.get("/users/whoami")
    assert answer.status_code == 200
