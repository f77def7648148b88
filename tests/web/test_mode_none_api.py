"""The API in mode none: no credentials, no people, and nobody from another site."""

import pytest

from tests.web.program import Program, basic
from tests.world import World


@pytest.fixture
def none(world: World) -> World:
    """An installation in mode none."""
    world.write_mode("none")
    assert world.snapshot.problems == ()
    return world


@pytest.mark.parametrize("proof", [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_the_api_refuses_other_sites(none: World, proof: dict[str, str]) -> None:
    """What another site makes a browser send is refused: in mode none there is no cookie to hold back."""
    answer = none.browser().client.post("/api/v1/workspaces", json={}, headers=proof)
    assert answer.status_code == 403
    assert "Another site" in answer.get_json()["detail"]


def test_the_api_takes_json_alone(none: World) -> None:
    """What a browser of old sends from another site without asking, such as text, is refused as well."""
    answer = none.browser().client.post("/api/v1/workspaces", data="{}", content_type="text/plain")
    assert answer.status_code == 415


def test_a_page_of_ours_may_ask_the_api(none: World) -> None:
    """With proof that a page of this server asks, the rule itself answers."""
    answer = none.browser().client.post("/api/v1/workspaces", json={}, headers={"Sec-Fetch-Site": "same-origin"})
    assert "exactly one workspace" in answer.get_json()["detail"]


@pytest.mark.parametrize(
    "headers", [{}, basic("nobody", "wrong"), {"Authorization": "Bearer x"}, {"X-API-Key": "x"}]
)
def test_everybody_is_the_default_user_to_the_api(none: World, headers: dict[str, str]) -> None:
    """Whatever credentials come along, whoever asks is the default user, and may set options."""
    program = Program(none.app.test_client(use_cookies=False), headers)
    assert (program.get("/users/whoami").json or {})["username"] == "default"
    assert program.put("/settings/organization.name", {"value": "Acme"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/login", 409),
        ("POST", "/sign-up", 409),
        ("GET", "/users", 403),
        ("POST", "/users", 403),
        ("POST", "/users/whoami/password", 403),
        ("GET", "/tokens", 403),
        ("POST", "/tokens", 403),
        ("DELETE", "/sessions", 403),
    ],
)
def test_the_api_has_no_people(none: World, method: str, path: str, status: int) -> None:
    """Users, passwords, tokens and sessions are refused, and so is signing in and up."""
    answer = Program(none.app.test_client(use_cookies=False), basic()).ask(method, path, {})
    assert (answer.status_code, "In mode none" in answer.text) == (status, True)


def test_signing_out_is_no_mistake(none: World) -> None:
    """Signing out is as harmless as everywhere."""
    assert Program(none.app.test_client(use_cookies=False)).post("/logout").status_code == 204
