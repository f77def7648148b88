"""One's own tokens by the API."""

from collections.abc import Callable
from typing import Any

import pytest

from authapp.models import Scope
from authapp.tokens import is_api_token
from tests.web.program import Program, anonymous, by_basic, by_jwt, by_token, fields
from tests.world import ADA, BOB, World


def made(program: Program, **body: Any) -> dict[str, Any]:
    """Make an API token; return what is told of it."""
    answer = program.post("/tokens", {"name": "backup", **body})
    assert answer.status_code == 201, answer.text
    return dict(answer.json or {})


def ask(world: World, headers: dict[str, str]) -> int:
    """Ask who one is; return the status."""
    return anonymous(world).get("/users/whoami", headers=headers).status_code


def test_a_token(cast: World) -> None:
    """A new token is told this once, works as bearer and as API key, and nothing else tells it again."""
    told = made(by_basic(cast, BOB))
    assert is_api_token(told["token"])
    assert (told["name"], told["scope"], told["expires_at"], told["last_used_at"]) == ("backup", "read", None, None)
    assert ask(cast, {"Authorization": f"Bearer {told['token']}"}) == 200
    assert ask(cast, {"Authorization": f"bearer {told['token']}"}) == 200
    assert ask(cast, {"X-API-Key": told["token"]}) == 200
    assert told["token"] not in by_basic(cast, BOB).get("/tokens").text
    assert told["token"] not in str(cast.tables())


def test_where_it_is(cast: World) -> None:
    """The answer says where the token is to be found."""
    answer = by_basic(cast, BOB).post("/tokens", {"name": "x"})
    path = answer.headers["Location"].removeprefix("/api/v1")
    assert (by_basic(cast, BOB).get(path).json or {})["id"] == (answer.json or {})["id"]


@pytest.mark.parametrize("end", [{"expires_in": 3600}, {"expires_at": "2026-05-01T15:00:00+02:00"}])
def test_an_end(cast: World, passing: Callable[..., None], end: dict[str, Any]) -> None:
    """A token with an end works until then, to the second, and stays in the list."""
    token = made(by_basic(cast, BOB), **end)
    passing(minutes=59, seconds=59)
    assert ask(cast, {"X-API-Key": token["token"]}) == 200
    passing(seconds=1)
    assert ask(cast, {"X-API-Key": token["token"]}) == 401
    assert (by_basic(cast, BOB).get("/tokens").json or {})["items"][0]["id"] == token["id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({}, "name"),
        ({"name": "x", "scope": "root"}, "scope"),
        ({"name": "x", "expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "expires_at": "2099-01-01T00:00:00"}, "expires_at"),
        ({"name": "x", "expires_in": 0}, "expires_in"),
        ({"name": "x", "expires_in": 60, "expires_at": "2099-01-01T00:00:00Z"}, ""),
    ],
)
def test_refused_tokens(cast: World, body: dict[str, Any], field: str) -> None:
    """A token that breaks a rule is not made, and the refusal names the field."""
    answer = by_basic(cast, BOB).post("/tokens", body)
    assert (answer.status_code, fields(answer)) == (422, [field])
    assert cast.tables()["tokens"] == []


def test_a_hundred(cast: World) -> None:
    """Nobody has more than a hundred."""
    bob = by_basic(cast, BOB)
    for number in range(100):
        made(bob, name=f"{number}")
    assert bob.post("/tokens", {"name": "one more"}).status_code == 409
    assert by_basic(cast, ADA).post("/tokens", {"name": "the first"}).status_code == 201


def test_own_tokens_alone(cast: World) -> None:
    """People see and revoke their own tokens; those of others are not there, for superusers neither."""
    adas, bobs = made(by_basic(cast, ADA)), made(by_basic(cast, BOB))
    assert [one["id"] for one in (by_basic(cast, BOB).get("/tokens").json or {})["items"]] == [bobs["id"]]
    assert by_basic(cast, BOB).get(f"/tokens/{adas['id']}").status_code == 404
    assert by_basic(cast, BOB).delete(f"/tokens/{adas['id']}").status_code == 404
    assert by_basic(cast, ADA).delete(f"/tokens/{bobs['id']}").status_code == 404
    assert ask(cast, {"X-API-Key": adas["token"]}) == 200


def test_revoking(cast: World) -> None:
    """A revoked token is refused at once."""
    token = made(by_basic(cast, BOB))
    assert by_basic(cast, BOB).delete(f"/tokens/{token['id']}").status_code == 204
    assert ask(cast, {"X-API-Key": token["token"]}) == 401
    assert by_basic(cast, BOB).delete(f"/tokens/{token['id']}").status_code == 404


def test_revoking_all(cast: World) -> None:
    """All of one's own tokens are revoked but the JWT that asks."""
    jwt, other, token, adas = by_jwt(cast, BOB), by_jwt(cast, BOB), by_token(cast, BOB), by_token(cast, ADA)
    assert jwt.delete("/tokens").json == {"ended": 2}
    found = [one.get("/users/whoami").status_code for one in (jwt, other, token, adas)]
    assert found == [200, 401, 401, 200]


def test_jwts_are_listed(cast: World) -> None:
    """JWTs are tokens, too: listed with their kind, the one that asks is marked, and each can be revoked."""
    other, jwt = by_jwt(cast, BOB), by_jwt(cast, BOB)
    items = (jwt.get("/tokens").json or {})["items"]
    assert [(one["kind"], one["scope"], one["current"]) for one in items] == [
        ("jwt", None, True),
        ("jwt", None, False),
    ]
    assert jwt.delete(f"/tokens/{items[1]['id']}").status_code == 204
    assert other.get("/users/whoami").status_code == 401


def test_pages(cast: World) -> None:
    """The list comes in pages, the newest first."""
    names = [made(by_basic(cast, BOB), name=f"{number}")["name"] for number in range(5)]
    first = by_basic(cast, BOB).get("/tokens?limit=3").json or {}
    rest = by_basic(cast, BOB).get(f"/tokens?limit=3&cursor={first['next_cursor']}").json or {}
    assert [one["name"] for one in first["items"] + rest["items"]] == names[::-1]
    assert rest["next_cursor"] is None


def test_last_use(cast: World, passing: Callable[..., None]) -> None:
    """A token's last use is told with the address, at most a minute old."""
    token = made(by_basic(cast, BOB))
    passing(seconds=1)
    ask(cast, {"X-API-Key": token["token"]})
    first = by_basic(cast, BOB).get(f"/tokens/{token['id']}").json or {}
    passing(minutes=2)
    ask(cast, {"X-API-Key": token["token"]})
    then = by_basic(cast, BOB).get(f"/tokens/{token['id']}").json or {}
    assert first["last_used_from"] == "127.0.0.1"
    assert token["created_at"] < first["last_used_at"] < then["last_used_at"]


@pytest.mark.parametrize("scope", list(Scope))
def test_no_token_makes_or_revokes_tokens(cast: World, scope: Scope) -> None:
    """No API token makes or revokes tokens, nor changes its user's password, whatever its scope."""
    token = by_token(cast, ADA, scope)
    (mine,) = (token.get("/tokens").json or {})["items"]
    body = {"current_password": "x", "new_password": "y"}
    answers = [
        token.post("/tokens", {"name": "x"}),
        token.delete(f"/tokens/{mine['id']}"),
        token.delete("/tokens"),
        token.post("/users/whoami/password", body),
    ]
    assert [(one.status_code, (one.json or {})["type"]) for one in answers] == [(403, "scope")] * 4


@pytest.mark.parametrize(("scope", "status"), [(Scope.READ, 403), (Scope.WRITE, 200), (Scope.ADMIN, 200)])
def test_scopes_for_oneself(cast: World, scope: Scope, status: int) -> None:
    """The scope `read` is for GET and HEAD; a larger one changes what needs no proof of the password."""
    token = by_token(cast, BOB, scope)
    answers = [token.ask(method, "/users/whoami") for method in ("GET", "HEAD")]
    answers.append(token.patch("/users/whoami", {"full_name": "x"}))
    assert [answer.status_code for answer in answers] == [200, 200, status]


def test_a_new_token_needs_proof(cast: World, passing: Callable[..., None]) -> None:
    """A JWT that is older than 15 minutes makes and revokes no tokens; HTTP Basic always does."""
    jwt = by_jwt(cast, BOB)
    passing(minutes=16)
    assert (jwt.post("/tokens", {"name": "x"}).json or {})["type"] == "reauthenticate"
    token = made(by_basic(cast, BOB))
    assert (jwt.delete(f"/tokens/{token['id']}").json or {})["type"] == "reauthenticate"


@pytest.mark.parametrize("act", ["deactivate", "delete"])
def test_dead_with_the_user(cast: World, act: str) -> None:
    """A user's tokens are refused on the next request after the user was deactivated or deleted, for good."""
    credentials = [by_token(cast, BOB), by_jwt(cast, BOB), by_basic(cast, BOB)]
    assert [one.get("/users/whoami").status_code for one in credentials] == [200, 200, 200]
    path, ada = f"/users/{cast.user(BOB).id}", by_basic(cast)
    if act == "delete":
        ada.delete(path)
    else:
        ada.patch(path, {"is_active": False})
    assert [one.get("/users/whoami").status_code for one in credentials] == [401, 401, 401]
    if act == "deactivate":
        ada.patch(path, {"is_active": True})
        assert [one.get("/users/whoami").status_code for one in credentials] == [401, 401, 200]
