"""Every route and method, asked by everybody with every kind of credentials: who gets where."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, update
from werkzeug.test import TestResponse

from authapp import clock, invitations, issued_tokens, users
from authapp.audit import Actor
from authapp.models import Scope, SignedIn, Token, User
from authapp.web.security import SAFE_METHODS, Admission
from authapp.web.state import App
from tests.web.program import API, basic
from tests.web.test_route_map import rules, sent, spy_on
from tests.world import BOB, CHARLIE, DORA, OTHER_PASSWORD, PASSWORD, SHELL, World, csrf_token

ERIN = "erin"  # a superuser who owes a password change
NAMES = {"wrong": BOB, "user": BOB, "superuser": DORA, "inactive": CHARLIE, "owing": ERIN}
MEANS = ("cookie", "Basic", "JWT", "read", "write", "admin", "key")  # the last four are API tokens
PAGES_TAKE = ("cookie", "Basic")
METRICS_TAKE = ("Basic", "read", "write", "admin", "key")
CONFIG = """\
throttle: {attempts: 1000, account-attempts: 10000, network-attempts: 10000}
metrics: {enabled: true}
"""
# All that somebody who owes a password change may do, beside what is public.
CHANGE = {
    "account.password", "account.password_submit", "account.password_check", "api.whoami", "api.change_password",
}  # fmt: skip
every_means = pytest.mark.parametrize("means", MEANS)
every_person = pytest.mark.parametrize("person", NAMES)


@dataclass
class Sender:
    """A client with cookies of its own, the header it sends, and the CSRF token that is good in it."""

    client: FlaskClient
    headers: dict[str, str] = field(default_factory=dict)
    token: str = ""

    def send(self, method: str, path: str) -> TestResponse:
        """Send what a page or program of ours sends."""
        body = sent(path, method, self.token)
        headers = {**body.pop("headers", {}), **self.headers}
        return self.client.open(path, method=method, headers=headers, buffered=True, **body)


def equip(world: World, name: str | None, means: str = "") -> Sender:
    """Return a sender that has somebody's credentials of a kind, good ones as of now."""
    browser = world.browser()
    if name and means == "cookie":
        assert browser.sign_in(name, PASSWORD).status_code == 303
    page = browser.get("/account/password" if name and means == "cookie" else "/login").text
    return Sender(browser.client, header(world, name, means) if name else {}, csrf_token(page))


def header(world: World, name: str, means: str) -> dict[str, str]:
    """Return the header with which a program proves to be somebody; none for a browser."""
    if means == "cookie":
        return {}
    if means == "Basic":
        return basic(name)
    user = world.user(name)
    if means == "JWT":
        with world.database.writing() as db:
            jwt = issued_tokens.issue_jwt(db, world.snapshot.effective, users.get(db, user.id)).token
        return {"Authorization": f"Bearer {jwt}"}
    scope = Scope.ADMIN if means == "key" else Scope(means)
    made = issued_tokens.create(world.database, user.id, "program", Actor("form", user.id), scope=scope)
    return {"X-API-Key": made.token} if means == "key" else {"Authorization": f"Bearer {made.token}"}


def change(world: World, name: str, **values: object) -> None:
    """Change a user's row behind the back of every rule, so that sessions and tokens stay."""
    with world.database.writing() as db:
        db.execute(update(User).where(User.username == name).values(**values))


def stage(world: World, person: str, means: str) -> Sender:
    """Return the sender of a kind of person, who has become it since the credentials were made."""
    world.write_config(CONFIG)
    world.add(ERIN, superuser=True)
    change(world, CHARLIE, is_active=True)
    sender = equip(world, NAMES[person], means)
    change(world, CHARLIE, is_active=False)
    change(world, ERIN, initial_password_at=clock.now())
    if person == "wrong":
        spoil(world, sender)
    return sender


def spoil(world: World, sender: Sender) -> None:
    """Make credentials wrong: another password, or a session or token that is over."""
    if sender.headers.get("Authorization", "").startswith("Basic"):
        sender.headers = basic(BOB, OTHER_PASSWORD)
    with world.database.writing() as db:
        db.execute(delete(SignedIn))
        db.execute(delete(Token))


# -- what has to come of it -----------------------------------------------------------------------------------

IN, SIGN_IN, CHANGE_FIRST, NOT_YOURS = "in", "sign in", "change the password first", "not yours"
SCOPE, PROOF, NOTHING_HERE = "scope too small", "prove the password again", "nothing here"


def expected(stated: Admission, endpoint: str, method: str, person: str, means: str, *, old: bool = False) -> str:
    """Return what has to come of a request, by what the view states."""
    is_api = endpoint.startswith("api.")
    takes = MEANS if is_api else METRICS_TAKE if endpoint == "metrics.metrics" else PAGES_TAKE
    is_known = person in ("user", "superuser", "owing") and means in takes
    needs = [
        (stated.who == "setup", NOTHING_HERE),
        (stated.who == "public", IN),
        (not is_known, SIGN_IN),
        (person == "owing" and endpoint not in CHANGE, CHANGE_FIRST),
        (person == "user" and stated.who == "superuser", NOT_YOURS),
        (method in SAFE_METHODS, IN),
        (not has_scope(stated, means), SCOPE),
        (old and means in ("cookie", "JWT") and bool(stated.needs_proof), PROOF),
    ]
    return next((outcome for holds, outcome in needs if holds), IN)


def has_scope(stated: Admission, means: str) -> bool:
    """Tell whether a kind of credentials may change what a view changes."""
    if means in ("cookie", "Basic", "JWT"):
        return True
    return not stated.no_api_token and (means in ("admin", "key") or (means == "write" and not stated.needs_proof))


def outcome(answer: TestResponse, method: str, *, reached: bool) -> str:
    """Return what came of a request, as the answer says."""
    if reached or (method == "OPTIONS" and answer.status_code == 200):
        return IN
    if answer.status_code == 303:
        led = {"/login": SIGN_IN, "/account/password": CHANGE_FIRST}
        return led.get((answer.location or "").partition("?")[0], f"led to {answer.location}")
    kinds = {"scope": SCOPE, "reauthenticate": PROOF, "password-change-required": CHANGE_FIRST}
    problem = answer.json if answer.mimetype == "application/problem+json" and answer.data else {}
    kind = kinds.get((problem or {}).get("type", ""))
    texts = {"for the first sign-in only": CHANGE_FIRST, "Is it you?": PROOF}
    said = next((meaning for text, meaning in texts.items() if text in answer.text), None)
    plain = {401: SIGN_IN, 403: NOT_YOURS, 404: NOTHING_HERE}
    return kind or said or plain.get(answer.status_code, answer.status)


def differences(app: App, sender: Sender, person: str, means: str, *, old: bool = False) -> list[str]:
    """Ask for everything; return what came out otherwise than it has to."""
    stated = {endpoint: vars(view)["access"] for endpoint, view in app.view_functions.items()}
    reached, wrong, adapter = spy_on(app), [], app.url_map.bind("localhost")
    for _, method, path in rules(app):
        reached.clear()
        endpoint = adapter.match(path, method)[0]  # of several views at an address, one answers OPTIONS
        answer = sender.send(method, path)
        was = outcome(answer, method, reached=reached == [endpoint])
        has_to = expected(stated[endpoint], endpoint, method, person, means, old=old)
        if method == "HEAD" and has_to == CHANGE_FIRST and answer.status_code == 403:
            was = CHANGE_FIRST  # without a body there are no words that say so
        if was != has_to or (reached and was != IN):
            wrong.append(f"{method} {path}: {was}, not {has_to}")
    return wrong


def test_a_stranger_everywhere(cast: World) -> None:
    """Without credentials nothing but what is public is reached."""
    cast.write_config(CONFIG)
    sender = equip(cast, None)
    assert differences(cast.app, sender, "stranger", "") == []


@every_person
@every_means
def test_everybody_everywhere(cast: World, person: str, means: str) -> None:
    """Every route and method is reached with the credentials that its view admits, and with no others."""
    sender = stage(cast, person, means)
    assert differences(cast.app, sender, person, means) == []


@every_means
def test_sixteen_minutes_later(cast: World, passing: Callable[..., None], means: str) -> None:
    """After 15 minutes a cookie and a JWT have to prove the password for what is sensitive, others do not."""
    sender = stage(cast, "superuser", means)
    passing(minutes=16)
    assert differences(cast.app, sender, "superuser", means, old=True) == []


# -- headers and cookies --------------------------------------------------------------------------------------

WRONG_HEADERS = [
    basic(DORA, OTHER_PASSWORD), {"Authorization": "Basic %%%"}, {"Authorization": "Bearer x"},
    {"Authorization": "Bearer "}, {"Authorization": ""}, {"Authorization": "Digest x"}, {"X-API-Key": "x"},
    {"X-API-Key": ""},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG_HEADERS, ids=str)
def test_a_wrong_header_beats_a_good_cookie(cast: World, wrong: dict[str, str]) -> None:
    """Whoever sends a header that opens nothing is nobody to the API, whatever the cookie would open."""
    dora = equip(cast, DORA, "cookie")
    assert dora.client.get(f"{API}/users").status_code == 200
    assert dora.client.get(f"{API}/users", headers=wrong).status_code == 401


@pytest.mark.parametrize("means", MEANS[1:])
def test_a_good_header_beats_another_ones_cookie(cast: World, means: str) -> None:
    """A good header counts instead of the cookie, a good one or a stale one."""
    bob = equip(cast, BOB, "cookie")
    headers = header(cast, DORA, means)
    assert (bob.client.get(f"{API}/users/whoami", headers=headers).json or {})["username"] == DORA
    with cast.database.writing() as db:
        db.execute(delete(SignedIn))
    assert (bob.client.get(f"{API}/users/whoami", headers=headers).json or {})["username"] == DORA
    assert bob.client.get(f"{API}/users/whoami").status_code == 401


def test_basic_beats_the_cookie_on_pages(cast: World) -> None:
    """On pages too HTTP Basic counts instead of the cookie, right or wrong."""
    bob = equip(cast, BOB, "cookie")
    assert bob.client.get("/admin/users", headers=basic(DORA)).status_code == 200
    assert bob.client.get("/account", headers=basic(DORA, OTHER_PASSWORD)).status_code == 401


@pytest.mark.parametrize("means", ["JWT", "admin", "key"])
def test_pages_look_at_no_tokens(cast: World, means: str) -> None:
    """What a proxy or program writes into these headers is none of a page's business: the cookie counts."""
    headers = header(cast, DORA, means)
    assert equip(cast, BOB, "cookie").client.get("/account", headers=headers).status_code == 200
    assert equip(cast, BOB, "cookie").client.get("/admin/users", headers=headers).status_code == 403
    assert equip(cast, None).client.get("/account", headers=headers).status_code == 303


@pytest.mark.parametrize("token", [None, "", "x"])
def test_basic_signs_no_form(cast: World, token: str | None) -> None:
    """A form that comes with HTTP Basic still needs its CSRF token: browsers send that header by themselves."""
    typed = {"username": "eve", **({} if token is None else {"csrf_token": token})}
    answer = equip(cast, None).client.post("/admin/users/new", data=typed, headers=basic(DORA))
    assert answer.status_code == 400
    assert "eve" not in str(cast.tables()["users"])


@pytest.mark.parametrize("means", ["Basic", "JWT", "admin", "key"])
def test_other_sites_use_no_header(cast: World, means: str) -> None:
    """A browser that says another site made it ask is refused, whatever the credentials."""
    headers = header(cast, DORA, means)
    for foreign in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        sender = equip(cast, None)
        answer = sender.client.post(f"{API}/users", json={"username": "eve"}, headers={**headers, **foreign})
        assert answer.status_code == 403
    assert "eve" not in str(cast.tables()["users"])


# -- from one request to the next -----------------------------------------------------------------------------

ENDS: dict[str, Callable[[World, User], object]] = {
    "deactivated": lambda world, user: users.set_active(world.database, user.id, SHELL, active=False),
    "deleted": lambda world, user: users.delete_all(world.database, [user.id], SHELL),
    "reset": lambda world, user: invitations.reset_password(
        world.database, world.snapshot.effective, user.id, SHELL
    ),
}


@pytest.mark.parametrize("end", ENDS)
@every_means
def test_credentials_end_with_the_very_next_request(cast: World, means: str, end: str) -> None:
    """Who is deactivated, deleted or reset between two requests is refused with the second, whatever the means."""
    sender = equip(cast, DORA, means)
    assert sender.send("GET", f"{API}/users").status_code == 200
    ENDS[end](cast, cast.user(DORA))
    assert sender.send("GET", f"{API}/users").status_code == 401


@every_means
def test_a_demoted_superuser_is_none_with_the_very_next_request(cast: World, means: str) -> None:
    """Who is no superuser any more is a plain user with the next request."""
    sender = equip(cast, DORA, means)
    users.set_superuser(cast.database, cast.user(DORA).id, SHELL, superuser=False)
    assert sender.send("GET", f"{API}/users").status_code == 403
    assert sender.send("GET", f"{API}/users/whoami").status_code == 200
