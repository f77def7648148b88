"""What a 401 asks for: programs for HTTP Basic; browsers never, because they would open a window of their own."""

from typing import Any

import pytest

from tests.web.program import API, anonymous, basic
from tests.web.test_route_map import rules, stated_by
from tests.world import ADA, OTHER_PASSWORD, PASSWORD, World, signed_in

BASIC = 'Basic realm="authapp", charset="UTF-8"'
WHOAMI = f"{API}/users/whoami"
NO_BROWSERS: dict[str, dict[str, str]] = {
    "nothing": {},
    "curl": {"User-Agent": "curl/8.5.0", "Accept": "*/*"},
    "a program": {"Accept": "application/json"},
    "wrong credentials": basic(ADA, OTHER_PASSWORD),
    "a wrong token": {"Authorization": "Bearer x"},
    "a wrong key": {"X-API-Key": "x"},
    "another one's cookie": {"Cookie": "session=x; xauthapp-1=y; author=z"},
    "what calls itself a browser": {"User-Agent": "Mozilla/5.0"},
}
BROWSERS: dict[str, dict[str, str]] = {
    "Sec-Fetch-Site": {"Sec-Fetch-Site": "same-origin"},
    "Sec-Fetch-Mode": {"Sec-Fetch-Mode": "cors"},
    "Sec-Fetch-Dest": {"Sec-Fetch-Dest": "empty"},
    "Sec-Fetch-User": {"Sec-Fetch-User": "?1"},
    "sec-fetch-storage-access": {"sec-fetch-storage-access": "active"},
    "Origin": {"Origin": "http://localhost"},
    "Referer": {"Referer": "http://localhost/"},
    "Accept": {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"},
    "Accept, in capitals and last": {"Accept": "application/json, TEXT/HTML;q=0.1"},
    "our cookie": {"Cookie": "authapp-12345678=x"},
    "our cookie over https": {"Cookie": "a=b; __Host-authapp-12345678=x"},
    "our empty cookie": {"Cookie": "authapp-12345678="},
}


def challenge(world: World, headers: dict[str, str], **rest: Any) -> str | None:
    """Ask the API who one is; return what the 401 asks for."""
    answer = anonymous(world).get("/users/whoami", headers=headers, **rest)
    assert answer.status_code == 401
    assert len(answer.headers.getlist("WWW-Authenticate")) == 1
    return answer.headers.get("WWW-Authenticate")


@pytest.mark.parametrize("headers", NO_BROWSERS.values(), ids=NO_BROWSERS)
def test_programs_are_asked_for_basic(cast: World, headers: dict[str, str]) -> None:
    """A request with nothing of a browser about it is asked for HTTP Basic in UTF-8."""
    assert challenge(cast, headers) == BASIC


@pytest.mark.parametrize("headers", BROWSERS.values(), ids=BROWSERS)
@pytest.mark.parametrize(
    "credentials", [{}, basic(ADA, OTHER_PASSWORD), {"X-API-Key": "x"}], ids=["none", "Basic", "key"]
)
def test_browsers_are_not(cast: World, headers: dict[str, str], credentials: dict[str, str]) -> None:
    """One header that only browsers send is enough, whatever credentials were refused."""
    assert challenge(cast, {**headers, **credentials}) == "Bearer"


def test_a_session_that_is_over(cast: World) -> None:
    """A browser whose session is over is not asked for HTTP Basic, although it sends nothing else."""
    browser = signed_in(cast)
    cookie = browser.client.get_cookie(f"authapp-{cast.app.installation_id[:8]}")
    assert cookie is not None
    browser.sign_out()
    assert challenge(cast, {"Cookie": f"{cookie.key}={cookie.value}"}) == "Bearer"


@pytest.mark.parametrize(("headers", "asked"), [({}, BASIC), ({"Sec-Fetch-Site": "same-origin"}, "Bearer")])
def test_every_401_asks(cast: World, headers: dict[str, str], asked: str) -> None:
    """Every route of the API that refuses a stranger asks in the same way; the page of documentation is a page."""
    for endpoint, method, path in rules(cast.app):
        is_about_programs = endpoint.startswith("api.") and endpoint != "api.docs"
        if is_about_programs and stated_by(cast.app, endpoint) != "public":
            answer = cast.app.test_client().open(path, method=method, headers=headers)
            assert (answer.status_code, answer.headers.get("WWW-Authenticate")) == (401, asked), (method, path)


@pytest.mark.parametrize(("headers", "asked"), [({}, BASIC), ({"Origin": "http://localhost"}, "Bearer")])
def test_a_wrong_password_for_a_jwt(cast: World, headers: dict[str, str], asked: str) -> None:
    """Signing in with a wrong password is a 401 like the others, and a right one asks for nothing."""
    sent = {"username": ADA, "password": OTHER_PASSWORD}
    answer = anonymous(cast).post("/login", sent, headers=headers)
    assert (answer.status_code, answer.headers.get("WWW-Authenticate")) == (401, asked)
    right = anonymous(cast).post("/login", {**sent, "password": PASSWORD}, headers=headers)
    assert (right.status_code, right.headers.get("WWW-Authenticate")) == (200, None)


def test_pages_with_wrong_basic(cast: World) -> None:
    """A page that a program asks for with a wrong password asks for HTTP Basic again, and a browser's does not."""
    wrong, html = basic(ADA, OTHER_PASSWORD), {"Accept": "text/html"}
    asked = [cast.app.test_client().get("/account", headers={**wrong, **more}) for more in ({}, html)]
    assert [answer.status_code for answer in asked] == [401, 401]
    assert [answer.headers["WWW-Authenticate"] for answer in asked] == [BASIC, "Bearer"]


def test_only_a_401_asks(cast: World) -> None:
    """What was refused for another reason, or not at all, asks for no credentials."""
    for path in (f"{API}/status", f"{API}/nowhere", "/login", "/account"):
        assert "WWW-Authenticate" not in cast.app.test_client().get(path).headers, path
    assert "WWW-Authenticate" not in anonymous(cast).delete("/status").headers


# -- the realm ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("realm", "written"),
    [
        ("Staging", "Staging"),
        ('the "big" one', r"the \"big\" one"),
        (r"back\slash", r"back\\slash"),
        ('", charset="x', r"\", charset=\"x"),
        ("Zoë", "Zo?"),  # a header is ASCII
    ],
)
def test_the_realm(cast: World, realm: str, written: str) -> None:
    """The option `server.basic-auth.realm` is told in the challenge, at once, and cannot end its quotes."""
    quoted = realm.replace("'", "''")
    cast.write_config(f"server: {{basic-auth: {{realm: '{quoted}'}}}}\n")
    assert cast.snapshot.problems == ()
    assert challenge(cast, {}) == f'Basic realm="{written}", charset="UTF-8"'


@pytest.mark.parametrize("realm", [r"a\r\nX: y", r"a\0b", r"a\x7fb"])
def test_a_realm_is_one_line(cast: World, realm: str) -> None:
    """A realm with a line break or another control character is refused, and the one before stays."""
    cast.write_config(f'server: {{basic-auth: {{realm: "{realm}"}}}}\n')
    assert cast.snapshot.problems != ()
    assert challenge(cast, {}) == BASIC
