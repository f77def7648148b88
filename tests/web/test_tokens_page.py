"""The pages about tokens: one's own, and those of others for superusers."""

import re
from collections.abc import Callable

import pytest

from authapp import issued_tokens
from authapp.audit import Actor
from authapp.models import Scope
from authapp.tokens import is_api_token
from tests.web.pages import at
from tests.web.program import API, by_basic, by_jwt, by_token
from tests.world import ADA, BOB, DORA, PASSWORD, Browser, World, elements, signed_in

PAGE = "/account/tokens"
GOOD = {"name": "backup script", "scope": "write", "days": "30"}
TOKEN = re.compile(r"authapp_\w{49}")


def made(browser: Browser, **typed: str) -> str:
    """Make a token on the page; return it."""
    answer = browser.post(PAGE, {**GOOD, **typed})
    assert answer.status_code == 200, answer.text
    return str(TOKEN.findall(answer.text)[0])


def test_a_new_token(cast: World) -> None:
    """A token that was made is shown this once, works, and is listed without being told again."""
    bob = signed_in(cast, BOB)
    answer = bob.post(PAGE, GOOD)
    token = TOKEN.findall(answer.text)[0]
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert is_api_token(token)
    assert cast.browser().get(f"{API}/users/whoami", headers={"X-API-Key": token}).status_code == 200
    page = bob.get(PAGE).text
    assert ("backup script" in page, token in page) == (True, False)


@pytest.mark.parametrize(("days", "lifetime"), [("30", 30), ("90", 90), ("365", 365), ("0", None)])
def test_how_long(cast: World, passing: Callable[..., None], days: str, lifetime: int | None) -> None:
    """A token is good for as long as was chosen."""
    made(signed_in(cast, BOB), days=days)
    with cast.database.reading() as db:
        (row,) = issued_tokens.of_user(db, cast.snapshot.effective.config.session, cast.user(BOB).id)
    assert (row.expires_at - row.created_at).days == lifetime if row.expires_at else lifetime is None
    passing(days=0)


@pytest.mark.parametrize(("name", "offered"), [(BOB, ["read", "write"]), (ADA, ["read", "write", "admin"])])
def test_scopes(cast: World, name: str, offered: list[str]) -> None:
    """The largest scope is offered to superusers, and the smallest is chosen."""
    radios = [
        one for _, one in elements(signed_in(cast, name).get(PAGE).text, "input") if one.get("type") == "radio"
    ]
    assert [one["value"] for one in radios] == offered
    assert [one["value"] for one in radios if "checked" in one] == ["read"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"name": ""}, "Give it a name."),
        ({"name": "x" * 101}, "at most 100 characters"),
        ({"name": "a\u202eb"}, "invisible or control"),
        ({"scope": "root"}, "Not a valid choice"),
        ({"days": "3"}, "Not a valid choice"),
    ],
)
def test_what_is_refused(cast: World, typed: dict[str, str], said: str) -> None:
    """What does not fit is told beside the form, nothing typed is lost, and no token is made."""
    answer = signed_in(cast, BOB).post(PAGE, {**GOOD, **typed})
    assert (answer.status_code, said in answer.text) == (422, True)
    assert not TOKEN.search(answer.text)
    assert cast.tables()["tokens"] == []
    assert typed.get("name") or GOOD["name"] in answer.text


def test_loading_the_page_with_a_token_again(cast: World) -> None:
    """Sending the form a second time makes no second token: a name of one's own is taken once."""
    bob = signed_in(cast, BOB)
    made(bob)
    again = bob.post(PAGE, GOOD)
    assert (again.status_code, "already" in again.text, TOKEN.search(again.text)) == (409, True, None)
    assert len(cast.tables()["tokens"]) == 1


def test_a_form_that_is_not_ours(cast: World) -> None:
    """Without its CSRF token the form is shown again with what was typed, and no token is made."""
    answer = signed_in(cast, BOB).client.post(PAGE, data=GOOD)
    assert (answer.status_code, "backup script" in answer.text) == (400, True)
    assert cast.tables()["tokens"] == []


def test_proof(cast: World, passing: Callable[..., None]) -> None:
    """When the password was typed a while ago it is asked for again, and what was typed is carried along."""
    bob = signed_in(cast, BOB)
    passing(minutes=16)
    asked = bob.post(PAGE, GOOD)
    assert (asked.status_code, "backup script" in asked.text) == (403, True)
    assert TOKEN.search(bob.post(PAGE, {**GOOD, "proof": PASSWORD}).text)


def test_cancelling_the_proof(cast: World, passing: Callable[..., None]) -> None:
    """Whoever does not want to type the password again is led back to the tokens."""
    bob = signed_in(cast, BOB)
    passing(minutes=16)
    assert f'href="{PAGE}"' in bob.post(f"{PAGE}/revoke", form=PAGE).text


def test_the_list(cast: World, passing: Callable[..., None]) -> None:
    """The list tells scope, last use and expiry of each token, JWTs among them, and none of anybody else."""
    bob = signed_in(cast, BOB)
    old = made(bob, name="old one", days="30")
    by_jwt(cast, BOB)
    by_token(cast, ADA)
    cast.browser().get(f"{API}/users/whoami", headers={"X-API-Key": old})
    page = bob.get(PAGE).text
    assert all(said in page for said in ("old one", "a program signed in", "from 127.0.0.1", "never"))
    assert "a program</span>" not in page
    passing(days=31)
    assert "Expired" in signed_in(cast, BOB).get(PAGE).text


def test_revoking(cast: World) -> None:
    """A token that was revoked on the page opens nothing any more; somebody else's is not there."""
    bob, theirs = signed_in(cast, BOB), by_token(cast, ADA)
    mine = by_token(cast, BOB)
    for program, status in ((theirs, 404), (mine, 303)):
        token_id = (program.get("/tokens").json or {})["items"][0]["id"]
        assert bob.post(f"{PAGE}/{token_id}/revoke", form=PAGE).status_code == status
    assert [one.get("/users/whoami").status_code for one in (mine, theirs)] == [401, 200]


def test_revoking_all(cast: World) -> None:
    """One button revokes all of one's own."""
    programs = [by_token(cast, BOB), by_jwt(cast, BOB), by_token(cast, ADA)]
    answer = signed_in(cast, BOB).post(f"{PAGE}/revoke", form=PAGE, follow_redirects=True)
    assert "2 tokens are revoked." in answer.text
    assert [one.get("/users/whoami").status_code for one in programs] == [401, 401, 200]


def test_http_basic_on_the_page(cast: World) -> None:
    """With HTTP Basic the page opens, and its form needs its CSRF token all the same."""
    headers = by_basic(cast, BOB).headers
    program = cast.browser()
    assert program.get(PAGE, headers=headers).status_code == 200
    assert program.client.post(PAGE, data=GOOD, headers=headers).status_code == 400
    assert cast.tables()["tokens"] == []


# -- on a user's page -----------------------------------------------------------------------------------------


def test_somebodys_tokens(cast: World) -> None:
    """A superuser sees a user's tokens on the user's page, revokes one, and revokes all."""
    dora, programs = signed_in(cast, DORA), [by_token(cast, BOB), by_token(cast, BOB), by_jwt(cast, BOB)]
    page = dora.get(at(cast)).text
    assert page.count('aria-label="Revoke ') == 3
    token_id = (programs[0].get("/tokens").json or {})["items"][0]["id"]
    assert dora.post(f"{at(cast)}/tokens/{token_id}/revoke", form=at(cast)).status_code == 303
    assert dora.post(f"{at(cast)}/tokens/revoke", form=at(cast)).status_code == 303
    assert [one.get("/users/whoami").status_code for one in programs] == [401, 401, 401]


def test_a_token_of_somebody_else_is_not_on_that_page(cast: World) -> None:
    """Under one user's address only that user's tokens are revoked."""
    program = by_token(cast, ADA)
    token_id = (program.get("/tokens").json or {})["items"][0]["id"]
    assert signed_in(cast, DORA).post(f"{at(cast)}/tokens/{token_id}/revoke", form=at(cast)).status_code == 404
    assert program.get("/users/whoami").status_code == 200


def test_the_history_tells_of_tokens(cast: World) -> None:
    """A user's history tells which tokens were made and revoked, and that programs signed in."""
    user = cast.user(BOB)
    by = Actor("form", user.id, user.username)
    issued = issued_tokens.create(cast.database, user.id, "nightly", by, scope=Scope.READ)
    issued_tokens.revoke(cast.database, issued.row.id, by)
    by_basic(cast, BOB).get("/users/whoami")
    by_jwt(cast, BOB)
    page = signed_in(cast, DORA).get(at(cast)).text
    said = ("Made an API token: nightly", "A token was revoked: nightly", "with HTTP Basic", "with a JWT")
    assert [one in page for one in said] == [True] * 4


def test_programs_are_no_last_sign_in(cast: World) -> None:
    """A person is told when they signed in last, not when a program of theirs did; failures count by any road."""
    signed_in(cast, BOB)
    by_basic(cast, BOB, "wrong").get("/users/whoami")
    by_basic(cast, BOB).get("/users/whoami")
    by_jwt(cast, BOB)
    page = signed_in(cast, BOB).get("/").text
    assert "A try to sign in as you failed since then." in page
