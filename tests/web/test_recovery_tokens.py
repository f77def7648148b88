"""After a recovery by `config.yml`: the API tokens that still open something."""

import pytest

from tests.web.program import by_basic, by_token
from tests.world import ADA, BOB, DORA, OTHER_PASSWORD, Browser, World, signed_in


@pytest.fixture
def running(cast: World) -> World:
    """An installation whose app is running when its files are edited."""
    _ = cast.app
    return cast


def back_in(world: World) -> Browser:
    """Give the owner a new password by the file; return the browser in which they are back."""
    world.write_credentials(ADA, OTHER_PASSWORD)
    return signed_in(world, ADA, OTHER_PASSWORD)


def test_every_live_token_is_shown(running: World) -> None:
    """Whoever is back in sees every API token that still opens something, with whose it is; their own are gone."""
    tokens = {name: by_token(running, name) for name in (ADA, BOB, DORA)}
    page = back_in(running).get("/admin/recovery").text
    assert page.count("a program") > 0
    assert [page.count(f'aria-label="Revoke a program of {name}"') for name in tokens] == [0, 1, 1]
    assert [one.get("/users/whoami").status_code for one in tokens.values()] == [401, 200, 200]


def test_a_token_is_switched_off(running: World) -> None:
    """The switch revokes that token at once, and leads back to what is left to look at."""
    bobs, doras = by_token(running, BOB), by_token(running, DORA)
    ada = back_in(running)
    token_id = (bobs.get("/tokens").json or {})["items"][0]["id"]
    answer = ada.post(f"/admin/recovery/tokens/{token_id}/revoke", form="/admin/recovery")
    assert (answer.status_code, answer.location) == (303, "/admin/recovery")
    assert [one.get("/users/whoami").status_code for one in (bobs, doras)] == [401, 200]


@pytest.mark.parametrize("left", ["token", "nothing"])
def test_a_token_alone_is_worth_a_look(world: World, left: str) -> None:
    """Without another superuser the owner is asked to look only when there is an API token."""
    world.set_up()
    world.add(BOB)
    _ = world.app
    if left == "token":
        by_token(world, BOB)
    assert back_in(world).get("/").status_code == (303 if left == "token" else 200)


def test_a_program_is_not_sent_to_look(running: World) -> None:
    """A program that asks with the new password gets its answer, and the look is still to come."""
    by_token(running, BOB)
    running.write_credentials(ADA, OTHER_PASSWORD)
    assert by_basic(running, ADA, OTHER_PASSWORD).get("/users").status_code == 200
    assert signed_in(running, ADA, OTHER_PASSWORD).get("/").location == "/admin/recovery"
