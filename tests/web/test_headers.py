"""What every answer carries, and what no page contains."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from werkzeug.test import TestResponse

from authapp.web.security import access
from tests.web.pages import LIST, at, password_on
from tests.web.test_users_list import ids, send
from tests.world import ADA, BOB, DORA, OTHER_PASSWORD, PASSWORD, WEAK_PASSWORD, Browser, World, elements, signed_in

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@access("public")
def _broken() -> str:
    raise RuntimeError("a mistake of ours")


def _server_error(world: World) -> TestResponse:
    world.app.view_functions["login.login"] = _broken
    return world.browser().get("/login")


def _closed(world: World) -> TestResponse:
    world.write_credentials(ADA, WEAK_PASSWORD)
    world.restart()
    return world.browser().get("/login")


def _as_ada(world: World, path: str) -> TestResponse:
    browser = world.browser()
    browser.sign_in()
    return browser.get(path)


def _locked(world: World) -> TestResponse:
    return [world.browser().sign_in(BOB, "Wrong password!") for _ in range(11)][-1]


def _asked_for_proof(world: World) -> TestResponse:
    ada = signed_in(world)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=20)):
        return ada.post(f"{at(world)}/active", form=LIST)


def _asked_twice(world: World) -> TestResponse:
    return signed_in(world, DORA).post(f"{at(world, DORA)}/superuser", form=LIST)


def _owing(world: World) -> Browser:
    """Return the browser of somebody who signed in with an initial password."""
    page = signed_in(world).post("/admin/users/new", {"username": "owing", "active": "y"}).text
    return signed_in(world, "owing", password_on(page))


Ask = Callable[[World], TestResponse]
ANSWERS: dict[str, tuple[int, Ask]] = {
    "a page": (200, lambda world: world.browser().get("/login")),
    "a page of a user": (200, lambda world: _as_ada(world, "/")),
    "a page of a superuser": (200, lambda world: _as_ada(world, "/admin/users")),
    "an initial password": (200, lambda world: signed_in(world).post("/admin/users/new", {"username": "eve"})),
    "asked for the password": (403, _asked_for_proof),
    "asked twice": (409, _asked_twice),
    "an API that is not open yet": (403, lambda world: _owing(world).get("/api/v1/organization")),
    "an API for a stranger": (401, lambda world: world.browser().get("/api/v1/organization")),
    "a redirect": (303, lambda world: world.browser().get("/account")),
    "no slash at the end": (404, lambda world: world.browser().get("/login/")),
    "JSON": (200, lambda world: world.browser().get("/api/v1/status")),
    "health": (200, lambda world: world.browser().get("/healthz")),
    "readiness": (200, lambda world: world.browser().get("/readyz")),
    "a style": (200, lambda world: world.browser().get("/static/app.css")),
    "no such style": (404, lambda world: world.browser().get("/static/nothing.css")),
    "a failed CSRF check": (400, lambda world: world.browser().client.post("/logout")),
    "a wrong password": (401, lambda world: world.browser().sign_in(BOB, "Wrong password!")),
    "forbidden": (
        403,
        lambda world: world.browser().client.post("/login", headers={"Origin": "http://evil.example"}),
    ),
    "not found": (404, lambda world: world.browser().get("/nowhere")),
    "setup is over": (404, lambda world: world.browser().get("/setup")),
    "no such API": (404, lambda world: world.browser().get("/api/v1/nothing")),
    "wrong method": (405, lambda world: world.browser().get("/logout")),
    "too large": (413, lambda world: world.browser().client.post("/login", data={"username": "x" * 2_000_000})),
    "a wrong host": (421, lambda world: world.browser().get("/login", headers={"Host": "evil.example"})),
    "have to wait": (429, _locked),
    "a mistake of ours": (500, _server_error),
    "a closed start": (503, _closed),
    "HEAD": (200, lambda world: world.browser().client.head("/login")),
    "OPTIONS": (200, lambda world: world.browser().client.options("/login")),
}
every_answer = pytest.mark.parametrize(("status", "ask"), ANSWERS.values(), ids=list(ANSWERS))


@every_answer
def test_every_answer_carries_the_headers(cast: World, status: int, ask: Ask) -> None:
    """Every answer, errors included, carries the security headers exactly, each once."""
    answer = ask(cast)
    assert answer.status_code == status
    assert {name: answer.headers.getlist(name) for name in HEADERS} == {name: [HEADERS[name]] for name in HEADERS}
    answer.close()


@pytest.mark.parametrize("path", ["/login", "/nowhere", "/static/app.css", "/api/v1/users", "/healthz"])
def test_https_addresses_stay_https(cast: World, path: str) -> None:
    """With an https address every answer tells browsers to use https alone for a year, at this host only."""
    cast.write_config("server:\n  public-url: https://auth.example.com\n")
    answer = cast.browser().get(path, base_url="https://auth.example.com")
    assert answer.headers.getlist("Strict-Transport-Security") == ["max-age=31536000"]


@pytest.mark.parametrize("public", ["# nothing\n", "server:\n  public-url: http://auth.example.com\n"])
def test_other_addresses_promise_no_https(cast: World, public: str) -> None:
    """Without an https address no answer asks for https, however the request came."""
    cast.write_config(public)
    answer = cast.browser().get("/login", base_url="https://localhost")
    assert "Strict-Transport-Security" not in answer.headers


@every_answer
def test_only_static_files_are_cached(cast: World, status: int, ask: Ask) -> None:
    """Every answer says no-store, except a static file that is there."""
    answer = ask(cast)
    is_static = answer.request.path.startswith("/static/") and status == 200
    assert ("no-store" in answer.headers["Cache-Control"]) == (not is_static)
    answer.close()


def test_an_upgrade_brings_its_styles(cast: World) -> None:
    """Browsers ask each time whether a static file is still the same, so that no upgrade shows old styles."""
    first = cast.browser().get("/static/app.css")
    again = cast.browser().get("/static/app.css", headers={"If-None-Match": first.headers["ETag"]})
    assert first.headers["Cache-Control"] == "no-cache"
    assert again.status_code == 304


@every_answer
def test_no_answer_tells_a_version(cast: World, status: int, ask: Ask) -> None:
    """No answer tells a program's version, in its headers or on the page."""
    answer = ask(cast)
    told = f"{answer.headers} {answer.text if answer.mimetype == 'text/html' else ''}".lower()
    assert answer.status_code == status
    assert not re.search(r"(werkzeug|flask|python|granian|sqlite|authapp)[/ ]v?\d", told)
    assert not {"Server", "X-Powered-By"} & set(answer.headers.keys())
    answer.close()


@every_answer
def test_no_answer_is_for_other_origins(cast: World, status: int, ask: Ask) -> None:
    """No answer invites other origins to read it, also when they ask for it."""
    answer = ask(cast)
    assert answer.status_code == status
    assert not [name for name in answer.headers.keys() if name.lower().startswith("access-control-")]  # noqa: SIM118 - Headers iterates over pairs
    answer.close()


def test_a_401_names_a_scheme(cast: World) -> None:
    """A 401 names a scheme, and never Basic to a browser, which would ask by itself."""
    answer = cast.browser().sign_in(BOB, "Wrong password!")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


# -- pages ----------------------------------------------------------------------------------------------------


def pages(world: World) -> dict[str, str]:
    """Return every page there is, by what it is."""
    found = {"token": world.browser().get("/setup").text}
    wizard = world.wizard()
    found["wizard"] = wizard.get("/setup").text
    found["wizard, refused"] = wizard.post("/setup", {"username": ADA, "password": WEAK_PASSWORD}).text
    world.add_cast()
    browser = world.browser()
    found["login"], found["login, refused"] = (
        browser.get("/login").text,
        browser.sign_in(ADA, "Wrong password!").text,
    )
    browser.sign_in()
    for path in ("/", "/account", "/account/password", "/admin/users", "/admin/users/new", "/admin/recovery"):
        found[path] = browser.get(path).text
    found["new user, refused"] = browser.post(
        "/admin/users/new", {"username": "eve", "password": WEAK_PASSWORD}
    ).text
    found |= _of_people(world, browser)
    found["finished"], found["nowhere"] = browser.get("/setup").text, browser.get("/nowhere").text
    world.write_config("pasword:\n  policy: nist\n")
    found["problems"] = browser.get("/admin/users").text
    world.write_credentials(ADA, WEAK_PASSWORD)
    found["bad edit"] = world.browser().get("/login").text
    world.restart()
    found["closed"] = world.browser().get("/login").text
    world.write_credentials(ADA, OTHER_PASSWORD)
    found["pinned"] = _pinned(world)
    return found


def _of_people(world: World, ada: Browser) -> dict[str, str]:
    """Return the pages about people that the cast has to be there for."""
    bob, new_list = at(world), "/admin/users/list"
    paths = (bob, f"{bob}/delete", f"{LIST}?q=nobody", new_list, "/admin/sessions", "/admin/settings")
    found = {path: ada.get(path).text for path in (*paths, "/account/sessions")}
    found["list, refused"] = ada.post(new_list, {"users": "a:b\neve"}).text
    found["list, preview"] = ada.post(new_list, {"users": "eve\nmallory"}).text
    found["initial passwords"] = ada.post(new_list, {"users": "eve\nmallory", "create": "y"}).text
    found["deleting several"] = send(ada, "delete", *ids(world, BOB, DORA)).text
    found["asked for the password"] = _asked_for_proof(world).text
    found["asked twice"] = _asked_twice(world).text
    found["a password of one's own"] = _owing(world).get("/account/password").text
    world.write_config("auth:\n  sign-up: true\n")
    found["sign up"] = world.browser().get("/sign-up").text
    found["signed up"] = world.browser().post("/sign-up", {"username": "zoe", "password": PASSWORD}).text
    return found


def _pinned(world: World) -> str:
    browser = world.browser()
    browser.sign_in(ADA, OTHER_PASSWORD)
    browser.post("/admin/recovery")
    return browser.get("/account/password").text + browser.get("/account").text


def test_no_page_has_inline_scripts_or_styles(world: World) -> None:
    """No page has a script or style of its own, which the content security policy would block."""
    bad = []
    for name, page in pages(world).items():
        assert "<h1" in page, name
        for tag, attributes in elements(page):
            inline = tag == "style" or (tag == "script" and not attributes.get("src")) or "style" in attributes
            handlers = [attribute for attribute in attributes if attribute.startswith("on")]
            if inline or handlers or "javascript:" in str(attributes):
                bad.append((name, tag, attributes))
    assert bad == []


def test_no_page_fetches_from_another_host(world: World) -> None:
    """No page fetches anything from another host, and every form goes to this one."""
    fetched = [
        attributes[attribute]
        for page in pages(world).values()
        for tag, attributes in elements(page)
        for attribute in ("src", "href", "action")
        if attribute in attributes and (tag != "a")
    ]
    assert fetched
    assert not [address for address in fetched if not re.match(r"/(?!/)", address)]


def test_static_files_fetch_nothing_from_another_host(world: World) -> None:
    """Styles and scripts fetch nothing from another host either."""
    files = [
        attributes.get("src") or attributes.get("href", "")
        for _, attributes in elements(world.wizard().get("/setup").text)
    ]
    texts = [world.browser().get(file).text for file in files if file.endswith((".css", ".js"))]
    assert len(texts) == 3
    foreign = [
        found
        for text in texts
        for found in re.findall(r"(?:url\(|@import|fetch\()\s*[\"']?(?:https?:)?//[^)]*", text)
    ]
    assert foreign == []


def test_every_form_carries_a_csrf_token(world: World) -> None:
    """Every form that is posted carries a CSRF token."""
    for name, page in pages(world).items():
        forms = re.findall(r"<form[^>]*method=\"post\".*?</form>", page, re.DOTALL)
        assert not [form for form in forms if 'name="csrf_token"' not in form], name


def test_every_page_says_what_it_is(world: World) -> None:
    """Every page has a title of its own and its language."""
    for name, page in pages(world).items():
        assert re.search(r"<title>\w[^<]+ · \w+</title>", page), name
        assert '<html lang="en">' in page, name


def test_static_files_are_confined(cast: World) -> None:
    """Nothing outside the folder of static files is served."""
    for path in ("../app.py", "..%2fapp.py", "%2e%2e/app.py", "..\\app.py", "/etc/passwd", "vendor", ""):
        assert cast.browser().get(f"/static/{path}", follow_redirects=True).status_code == 404
