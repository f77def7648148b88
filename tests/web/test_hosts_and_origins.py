"""Which hosts this server answers for, and which sites may send it forms."""

import socket
from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from tests.world import ADA, BOB, PASSWORD, WEAK_PASSWORD, Browser, World, csrf_token

PUBLIC = "server:\n  public-url: https://auth.example.com\n"
LOOPBACK = [
    "localhost",
    "localhost:8080",
    "LOCALHOST",
    "127.0.0.1",
    "127.0.0.1:1",
    "127.1.2.3",
    "[::1]",
    "[::1]:8080",
    "app.localhost",
]
GARBAGE = [
    "", " ",
    "evil.example", "localhost.evil.example", "evil.example:80", "localhost,evil.example", "localhost evil",
    "localhost:80:80", "localhost:x", "localhost:", "localhost:999999", "user@localhost", "localhost/evil",
    "http://localhost", "localhost#", "localhost\\evil", "[::1", "::1]", "[]", "[localhost]",
    "%6cocalhost", "localhost\x00", "löcalhost",
    "localhost@evil.example", "evil.localhost.example", "127.0.0.1.evil.example", "..", "-", "a" * 5000,
]  # fmt: skip


def status(world: World, host: str, path: str = "/login") -> int:
    """Return the status of a page asked for under a host."""
    return world.app.test_client().get(path, headers=[("Host", host)]).status_code


# -- hosts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("public", [PUBLIC, "# nothing\n"])
@pytest.mark.parametrize("host", LOOPBACK)
def test_loopback_names_are_ours(cast: World, host: str, public: str) -> None:
    """Loopback names, with any port, are this server, with and without `server.public-url`."""
    cast.write_config(public)
    assert status(cast, host) == 200


def test_a_name_nobody_gave_it(cast: World) -> None:
    """Whoever puts a proxy in front reads which option is missing, and no link that would be refused as well."""
    page = cast.app.test_client().get("/login", headers=[("Host", "auth.example.com")]).text
    assert "server.public-url has to name it" in page
    assert 'role="button"' not in page


@pytest.mark.parametrize("public", [PUBLIC, "# nothing\n"])
@pytest.mark.parametrize("host", GARBAGE)
def test_other_hosts_are_refused(cast: World, host: str, public: str) -> None:
    """Any other Host, and one that is none, gets 421."""
    cast.write_config(public)
    assert status(cast, host) == 421


@pytest.mark.parametrize("host", ["192.0.2.7", "192.0.2.7:8080", "[2001:db8::1]", "10.0.0.1", socket.gethostname()])
def test_addresses_are_ours_without_a_public_url(cast: World, host: str) -> None:
    """Without `server.public-url` IP addresses and the machine's own name are this server; with it they are not."""
    assert status(cast, host) == 200
    cast.write_config(PUBLIC)
    assert status(cast, host) == 421


@pytest.mark.parametrize(
    "host", ["auth.example.com", "AUTH.example.com", "auth.example.com:443", "auth.example.com:8080"]
)
def test_public_host_is_ours(cast: World, host: str) -> None:
    """The host of `server.public-url`, with any port, is this server; without that option it is not."""
    assert status(cast, host) == 421
    cast.write_config(PUBLIC)
    assert status(cast, host) == 200


@pytest.mark.parametrize(
    "host", ["auth.example.com.evil", "xauth.example.com", "example.com", "a.auth.example.com"]
)
def test_neighbours_of_the_public_host(cast: World, host: str) -> None:
    """A name that only looks like the public one gets 421."""
    cast.write_config(PUBLIC)
    assert status(cast, host) == 421


def test_configured_host_is_ours(world: World) -> None:
    """The name in `server.host` is this server."""
    world.write_config("server:\n  host: box.lan\n")
    world.set_up()
    assert status(world, "box.lan:8080") == 200


def test_two_host_headers_are_refused(cast: World) -> None:
    """A request with two Host headers gets 421."""
    headers = [("Host", "localhost"), ("Host", "evil.example")]
    assert cast.app.test_client().get("/login", headers=headers).status_code == 421


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
@pytest.mark.parametrize("host", ["evil.example", "", "10.1.2.3:8080", "localhost,evil", ".."])
def test_health_answers_any_host(cast: World, path: str, host: str) -> None:
    """The health routes answer under any Host."""
    assert status(cast, host, path) == 200


@pytest.mark.parametrize("path", ["/", "/setup", "/static/app.css", "/api/v1/status", "/nowhere"])
def test_every_other_page_refuses_a_foreign_host(world: World, path: str) -> None:
    """Every other address refuses a foreign host, before setup and for errors too."""
    assert status(world, "evil.example", path) == 421


def test_refusal_does_not_repeat_the_host(cast: World) -> None:
    """The page of the refusal does not repeat the foreign host."""
    assert "evil" not in cast.app.test_client().get("/login", headers={"Host": "evil.example"}).text


def test_forwarded_host_is_not_believed(cast: World) -> None:
    """A host in X-Forwarded-Host counts for nothing without a trusted proxy."""
    client = cast.app.test_client()
    assert client.get("/login", headers={"X-Forwarded-Host": "evil.example"}).status_code == 200
    headers = {"Host": "evil.example", "X-Forwarded-Host": "localhost"}
    assert client.get("/login", headers=headers).status_code == 421


# -- foreign requests -----------------------------------------------------------------------------------------

FOREIGN = [
    {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": ""}, {"Origin": "http://localhost:1234"},
    {"Origin": "http://localhost.evil.example"}, {"Origin": "http://evil.example/localhost"}, {"Origin": "file://"},
    {"Origin": "http://localhost http://evil.example"}, {"Origin": "http://localhost@evil.example"},
    {"Origin": "ftp://localhost"}, {"Origin": "http://127.0.0.1"},
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "rubbish"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
]  # fmt: skip
OURS = [
    {}, {"Origin": "http://localhost"}, {"Origin": "HTTP://LOCALHOST"}, {"Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"},
]  # fmt: skip

Send = Callable[[World, dict[str, str]], TestResponse]


def _sign_in(world: World, headers: dict[str, str]) -> TestResponse:
    return world.browser().post("/login", {"username": BOB, "password": PASSWORD}, headers=headers)


def _sign_out(world: World, headers: dict[str, str]) -> TestResponse:
    return _ada(world).post("/logout", form="/", headers=headers)


def _create(world: World, headers: dict[str, str]) -> TestResponse:
    typed = {"username": "eve", "password": PASSWORD}
    return _ada(world).post("/admin/users/new", typed, headers=headers)


def _switch(world: World, headers: dict[str, str]) -> TestResponse:
    return _ada(world).post(f"/admin/users/{world.user(BOB).id}/superuser", {"on": "y"}, form="/", headers=headers)


def _ada(world: World) -> Browser:
    browser = world.browser()
    browser.sign_in()
    return browser


FORMS = {"sign in": _sign_in, "sign out": _sign_out, "create": _create, "switch": _switch}
every_form = pytest.mark.parametrize("send", FORMS.values(), ids=list(FORMS))


@every_form
@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_foreign_site_sends_nothing(cast: World, send: Send, headers: dict[str, str]) -> None:
    """A form that another site sent is refused with 403, even with the right CSRF token, and changes nothing."""
    answer = send(cast, headers)
    assert answer.status_code == 403
    assert not cast.sessions_of(BOB)
    assert not cast.user(BOB).is_superuser
    assert "'eve'" not in str(cast.tables()["users"])


@every_form
@pytest.mark.parametrize("headers", OURS, ids=str)
def test_own_forms_work(cast: World, send: Send, headers: dict[str, str]) -> None:
    """A form from a page of ours, or from a browser that tells nothing, works with its CSRF token."""
    assert send(cast, headers).status_code == 303


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_foreign_site_cannot_set_up(world: World, headers: dict[str, str]) -> None:
    """Another site can neither send the setup token nor the owner's credentials."""
    typed = {"username": ADA, "password": PASSWORD}
    assert world.wizard().post("/setup", typed, headers=headers).status_code == 403
    token = {"token": world.setup_token()}
    assert world.browser().post("/setup/token", token, form="/setup", headers=headers).status_code == 403
    assert world.setting("server.basic-auth") is None


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_foreign_site_signs_nobody_up(world: World, headers: dict[str, str]) -> None:
    """Another site cannot make anybody sign up here."""
    world.write_config("auth:\n  sign-up: true\n")
    world.set_up()
    answer = world.browser().post("/sign-up", {"username": "eve", "password": PASSWORD}, headers=headers)
    assert answer.status_code == 403
    assert "'eve'" not in str(world.tables()["users"])


def test_referer_of_another_site(cast: World) -> None:
    """Where a browser sends neither Sec-Fetch-Site nor Origin, a Referer of another site is refused."""
    for referer in (
        "http://evil.example/", "http://localhost.evil.example/", "http://localhost@evil.example/", "file:///localhost",
        "http://localhost:1234/login", "http://evil.example/http://localhost/", "rubbish", "http://evil.example",
    ):  # fmt: skip
        answer = cast.browser().client.post("/login", headers={"Referer": referer})
        assert answer.status_code == 403, referer


@pytest.mark.parametrize("referer", ["http://localhost/login", "HTTPS://LOCALHOST/x?y", ""])
def test_referer_of_ours(cast: World, referer: str) -> None:
    """A Referer of ours, or an empty one, lets a form with its token through, and never stands in for the token."""
    assert _sign_in(cast, {"Referer": referer}).status_code == 303
    assert cast.browser().client.post("/login", headers={"Referer": referer}).status_code == 400


def test_links_from_other_sites_work(cast: World) -> None:
    """A link on another site opens a page here."""
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Referer": "http://evil.example/"}
    assert _ada(cast).get("/account", headers=headers).status_code == 200


@pytest.mark.parametrize("port", ["", ":443"])
def test_public_origin_is_ours(cast: World, port: str) -> None:
    """Behind a proxy that passes on another Host, the origin of `server.public-url` is ours."""
    cast.write_config(f"server:\n  public-url: https://auth.example.com{port}\n")
    client = cast.app.test_client()
    page = client.get("/login", base_url="https://localhost").text
    typed = {"csrf_token": csrf_token(page), "username": BOB, "password": PASSWORD}
    headers = {"Origin": "https://auth.example.com", "Referer": "https://localhost/login"}
    assert client.post("/login", base_url="https://localhost", data=typed, headers=headers).status_code == 303


# -- CSRF tokens ----------------------------------------------------------------------------------------------

PATHS = ["/login", "/logout", "/account/password", "/account/password-check", "/admin/users/new", "/admin/recovery"]


@pytest.mark.parametrize("token", ["", "wrong", "IjEi.x.y", "\x00", "€"])
@pytest.mark.parametrize("path", PATHS)
def test_form_needs_a_csrf_token(cast: World, path: str, token: str) -> None:
    """A form without a CSRF token, or with a wrong one, gets 400."""
    browser = _ada(cast)
    browser.get("/account")
    assert browser.client.post(path, data={"csrf_token": token}).status_code == 400


def test_csrf_token_of_another_browser(cast: World) -> None:
    """The CSRF token of one browser is worth nothing in another."""
    token = csrf_token(cast.browser().get("/login").text)
    other = cast.browser()
    other.get("/login")
    typed = {"csrf_token": token, "username": BOB, "password": PASSWORD}
    assert other.client.post("/login", data=typed).status_code == 400


@pytest.mark.parametrize("path", ["/setup", "/setup/token"])
def test_wizard_needs_a_csrf_token(world: World, path: str) -> None:
    """The wizard's forms need their CSRF token too."""
    typed = {"token": world.setup_token(), "username": ADA, "password": PASSWORD}
    assert world.wizard().client.post(path, data=typed).status_code == 400
    assert world.setting("server.basic-auth") is None


@pytest.mark.parametrize("path", ["/login", "/account/password", "/admin/users/new"])
def test_body_that_is_no_form(cast: World, path: str) -> None:
    """A body that is no form is a form without a CSRF token: 400."""
    answer = _ada(cast).client.post(path, json={"username": BOB, "password": WEAK_PASSWORD})
    assert answer.status_code == 400
