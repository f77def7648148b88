"""HTTP Basic and `fetch` in a real browser: pages of ours may, other sites may not, and no window ever opens."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Response, expect

from tests.browser.person import Person, visit
from tests.server_process import Server, installation
from tests.web.program import API, basic
from tests.world import ADA, OTHER_PASSWORD, PASSWORD

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser-basic-and-fetch"),
    pytest.mark.sqlite(reason="the pages are the same on both; test_story.py and others run on both"),
]
Visitor = Callable[..., Person]
WHOAMI = f"{API}/users/whoami"
ADAS = {"username": ADA, "password": PASSWORD}
FETCH = """([url, options]) => fetch(url, options).then(
    async (answer) => [answer.status, answer.headers.get("WWW-Authenticate"), await answer.text()],
    (error) => String(error))"""
SEND_FORM = """([action, enctype, fields]) => {
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action, enctype });
  for (const [name, value] of Object.entries(fields)) {
    form.append(Object.assign(document.createElement("input"), { name, value }));
  }
  document.body.append(form);
  form.submit();
}"""


def fetch(person: Person, path: str, **options: Any) -> Any:
    """Let the page that is open ask our server; return status, challenge and text, or what went wrong."""
    return person.page.evaluate(FETCH, [person.server.address + path, options])


# -- pages of ours --------------------------------------------------------------------------------------------


def test_a_page_of_ours_asks(shared: Server, visitor: Visitor) -> None:
    """A script on a page of ours asks the API with the session's cookie."""
    status, _, text = fetch(visitor(shared).sign_in(), WHOAMI)
    assert (status, ADA in text) == (200, True)


def test_a_page_of_ours_changes_something(shared: Server, visitor: Visitor) -> None:
    """A script on a page of ours changes something without a CSRF token: the browser says where it comes from."""
    ada = visitor(shared).sign_in()
    headers = {"Content-Type": "application/json"}
    status, _, text = fetch(ada, WHOAMI, method="PATCH", headers=headers, body='{"full_name": "Ada L."}')
    assert (status, "Ada L." in text) == (200, True)
    assert "Ada L." in ada.open("/account").page.content()


def test_a_stranger_asks(shared: Server, visitor: Visitor) -> None:
    """Without a session a script is told so, by a challenge for which no browser opens a window."""
    stranger = visitor(shared).open("/login")
    assert fetch(stranger, WHOAMI)[:2] == [401, "Bearer"]
    assert stranger.sign_in().is_signed_in()


@pytest.mark.parametrize(
    "path", ["/", "/account", "/admin/users", "/nowhere", WHOAMI, f"{API}/docs", f"{API}/nowhere"]
)
def test_no_address_asks_a_browser(shared: Server, visitor: Visitor, path: str) -> None:
    """A browser that would answer a challenge for HTTP Basic is never asked, whatever address is opened."""
    ready = visitor(shared, http_credentials=ADAS)
    challenges: list[str | None] = []
    ready.context.on("response", lambda answer: challenges.append(answer.header_value("WWW-Authenticate")))
    ready.open(path)
    assert set(challenges) <= {None, "Bearer"}
    assert not ready.is_signed_in()


def test_a_session_that_is_over(shared: Server, visitor: Visitor) -> None:
    """Nor is a browser asked whose session was ended meanwhile."""
    ada = visitor(shared).sign_in().open("/account")
    assert fetch(visitor(shared).sign_in(), f"{API}/sessions", method="DELETE")[0] == 200
    assert fetch(ada, WHOAMI)[:2] == [401, "Bearer"]
    assert ada.open("/account").heading == "Sign in"


# -- a browser that sends HTTP Basic by itself ----------------------------------------------------------------


class AsksForBasic(BaseHTTPRequestHandler):
    """Another program: it asks for HTTP Basic, and takes whatever it gets."""

    asks = True

    def do_GET(self) -> None:
        """Answer a page, or the challenge."""
        is_refused = self.asks and "Authorization" not in self.headers
        self.send_response(401 if is_refused else 200)
        if is_refused:
            self.send_header("WWW-Authenticate", 'Basic realm="authapp", charset="UTF-8"')
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Another program</title><body>")

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


class Elsewhere(AsksForBasic):
    """Another site: it asks for nothing."""

    asks = False


@contextmanager
def serving(program: type[BaseHTTPRequestHandler], port: int = 0) -> Iterator[int]:
    """Let another program stand at a port until the block ends."""
    with ThreadingHTTPServer(("127.0.0.1", port), program) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def keeper(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    """Ada's browser, which was asked for HTTP Basic at the address of our server by what stood there before.

    From then on it sends her user name and password by itself, and she never signed in.
    """
    with installation(tmp_path_factory.mktemp("keeper")) as server:
        person = visit(browser, server, http_credentials=ADAS)
        with serving(AsksForBasic, server.port):
            person.open("/")
        server.start().set_up()
        yield person
        person.context.close()
        assert (person.violations, person.errors) == ([], [])


@pytest.fixture(scope="module", params=["127.0.0.1", "localhost"])
def elsewhere(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of another origin of the same site, and of another site."""
    with serving(Elsewhere) as port:
        yield f"http://{request.param}:{port}"


def people(server: Server) -> list[tuple[Any, ...]]:
    """Return all users as they are."""
    return server.rows("SELECT username, full_name, role, is_active FROM users ORDER BY username")


def test_it_opens_pages(keeper: Person) -> None:
    """A browser that sends HTTP Basic by itself opens pages, those of the API too, without signing in."""
    for path, text in [("/account", ADA), ("/admin/users", ADA), (f"{API}/docs", "/users/whoami"), (WHOAMI, ADA)]:
        assert text in keeper.open(path).text


def test_it_sends_forms(keeper: Person) -> None:
    """The forms of our pages work in it, with the CSRF token that stands in them."""
    keeper.create("grace")
    assert ("grace", "", "user") in [row[:3] for row in people(keeper.server)]


def test_it_sends_no_form_without_a_token(keeper: Person) -> None:
    """A form that stands on our own page, without its CSRF token, is refused although HTTP Basic comes with it."""
    before = people(keeper.server)
    keeper.open("/account")
    answer = send(keeper, "/admin/users/new", {"username": "eve"})
    assert answer.status == 400
    assert people(keeper.server) == before


def send(person: Person, path: str, fields: dict[str, str], enctype: str = "") -> Response:
    """Let the page that is open send a form to our server; return the answer."""
    enctype = enctype or "application/x-www-form-urlencoded"
    with person.page.expect_navigation() as answer:
        person.page.evaluate(SEND_FORM, [person.server.address + path, enctype, fields])
    assert answer.value is not None
    return answer.value


AS_JSON = {'{"username": "eve", "full_name": "': '"}'}  # which text/plain joins to an object
FORMS = {
    "JSON as plain text": (f"{API}/users", AS_JSON, "text/plain"),
    "JSON as a form": (f"{API}/users", AS_JSON, "application/x-www-form-urlencoded"),
    "JSON as a file": (f"{API}/users", AS_JSON, "multipart/form-data"),
    "a password": (f"{WHOAMI}/password", {"new_password": OTHER_PASSWORD}, "text/plain"),
    "a page's form": ("/admin/users/new", {"username": "eve", "password": OTHER_PASSWORD, "active": "y"}, ""),
    "signing out": ("/logout", {}, ""),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_form_elsewhere(keeper: Person, elsewhere: str, form: tuple[str, dict[str, str], str]) -> None:
    """A form that stands elsewhere is refused, although the browser sends user name and password with it."""
    before = people(keeper.server)
    keeper.page.goto(elsewhere)
    answer = send(keeper, *form)
    assert answer.request.all_headers()["authorization"] == basic()["Authorization"]
    assert answer.status == 403
    assert people(keeper.server) == before


FETCHES: dict[str, dict[str, Any]] = {
    "to read": {},
    "to change": {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": '{"username": "eve"}'},
    "to change unseen": {"method": "POST", "mode": "no-cors", "body": '{"username": "eve"}'},
    "to delete": {"method": "DELETE"},
}


@pytest.mark.parametrize("options", FETCHES.values(), ids=FETCHES)
def test_a_script_elsewhere(keeper: Person, elsewhere: str, options: dict[str, Any]) -> None:
    """A script elsewhere neither reads nor changes anything, and no answer allows it to."""
    before = people(keeper.server)
    allowing: list[str] = []

    def look(answer: Response) -> None:
        allowing.extend(name for name in answer.headers if name.startswith("access-control-"))

    keeper.page.goto(elsewhere)
    keeper.page.on("response", look)
    for path in (f"{API}/users", WHOAMI, f"{API}/sessions", "/account"):
        assert "Failed to fetch" in fetch(keeper, path, credentials="include", **options)
    assert (people(keeper.server), allowing) == (before, [])
    assert ADA in keeper.open("/account").text


def test_a_password_it_keeps_is_not_good_any_more(browser: Browser, shared: Server) -> None:
    """A browser that sends something old by itself is told that it does, and is asked for nothing."""
    kept = {"Authorization": basic(password=OTHER_PASSWORD)["Authorization"]}
    person = visit(browser, shared, extra_http_headers=kept).open("/account")
    assert "Your browser sent a user name and password" in person.text
    person.context.close()


# -- a link with user name and password -----------------------------------------------------------------------


def test_a_link_with_user_name_and_password(shared: Server, visitor: Visitor) -> None:
    """Opening one leads to the sign-in page, and everything works from there: browsers send it only when asked."""
    person = visitor(shared)
    person.page.goto(f"http://ada:secret@127.0.0.1:{shared.port}/account/password")
    person.fill(username=ADA, password=PASSWORD).press("Sign in")
    assert person.path == "/account/password"
    person.field("New password").press_sequentially("Password-1234")
    expect(person.page.locator("[data-rule^='hard to guess']")).to_have_class("unmet")
