"""Proof of the password and scopes, where the API changes something sensitive."""

from collections.abc import Callable

import pytest

from authapp.models import Scope
from tests.web.program import by_basic, by_jwt, by_token
from tests.world import ADA, BOB, DORA, PASSWORD, World, signed_in

EVE = "eve@example.com"


def at(world: World, username: str = BOB) -> str:
    """Return the path of a user."""
    return f"/users/{world.user(username).id}"


def test_an_api_token_of_the_largest_scope(cast: World) -> None:
    """With scope `admin` a superuser's token looks after users, but gives nobody a password."""
    token = by_token(cast, DORA, Scope.ADMIN)
    assert token.post("/users", {"username": EVE}).status_code == 201
    assert token.patch(at(cast), {"is_active": False}).status_code == 200
    refused = token.post(f"{at(cast)}/reset-password")
    assert (refused.status_code, (refused.json or {})["type"]) == (403, "scope")


def test_a_scope_is_not_a_role(cast: World) -> None:
    """A plain user's token does no more than the user, whatever its scope; a demoted superuser's neither."""
    assert by_token(cast, BOB, Scope.ADMIN).get("/users").status_code == 403
    token = by_token(cast, DORA, Scope.ADMIN)
    by_basic(cast).patch(at(cast, DORA), {"role": "user"})
    assert token.get("/users").status_code == 403


@pytest.mark.parametrize(("scope", "status"), [(Scope.READ, 403), (Scope.WRITE, 403), (Scope.ADMIN, 200)])
def test_scopes_for_users(cast: World, scope: Scope, status: int) -> None:
    """Every scope reads users; only `admin` changes them."""
    token = by_token(cast, ADA, scope)
    assert token.get("/users").status_code == 200
    assert token.patch(at(cast), {"full_name": "x"}).status_code == status


def test_a_jwt_proves_the_password_for_a_while(cast: World, passing: Callable[..., None]) -> None:
    """A JWT changes users for 15 minutes after the password; then it is told to prove it again."""
    program = by_jwt(cast)
    passing(minutes=14)
    assert program.patch(at(cast), {"full_name": "x"}).status_code == 200
    passing(minutes=2)
    refused = program.patch(at(cast), {"full_name": "y"})
    assert (refused.status_code, (refused.json or {})["type"]) == (403, "reauthenticate")
    assert program.get("/users").status_code == 200


def test_a_session_proves_the_password_for_a_while(cast: World, passing: Callable[..., None]) -> None:
    """A browser does the same."""
    ada, proof = signed_in(cast), {"Sec-Fetch-Site": "same-origin"}
    path = f"/api/v1{at(cast)}"
    assert ada.client.patch(path, json={"full_name": "x"}, headers=proof).status_code == 200
    passing(minutes=16)
    refused = ada.client.patch(path, json={"full_name": "y"}, headers=proof)
    assert (refused.status_code, (refused.json or {})["type"]) == (403, "reauthenticate")


def test_basic_always_proves_the_password(cast: World, passing: Callable[..., None]) -> None:
    """HTTP Basic brings the password along, remembered or not."""
    program = by_basic(cast)
    assert program.patch(at(cast), {"full_name": "x"}).status_code == 200
    passing(minutes=60)
    assert program.patch(at(cast), {"full_name": PASSWORD}).status_code == 200
