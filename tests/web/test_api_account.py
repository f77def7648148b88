"""One's own account by the API."""

from collections.abc import Callable

import pytest
import time_machine

from authapp import invitations
from authapp.invitations import NewUser
from authapp.models import Scope
from tests.web.program import Program, anonymous, by_basic, by_jwt, by_token, fields
from tests.world import ADA, BOB, OTHER_PASSWORD, PASSWORD, SHELL, Browser, World, signed_in

FACTS = {
    "id", "username", "full_name", "role", "is_active", "is_superuser", "must_change_password", "created_at",
    "last_login_at",
}  # fmt: skip
PROOF = {"Sec-Fetch-Site": "same-origin"}


@pytest.mark.parametrize("credential", [by_basic, by_jwt, by_token])
def test_whoami(cast: World, credential: Callable[[World, str], Program]) -> None:
    """Whoever asks, and however they prove it, is told what is known of them, and nothing else."""
    answer = credential(cast, BOB).get("/users/whoami").json
    assert answer is not None
    assert set(answer) == FACTS
    assert (answer["username"], answer["role"], answer["is_superuser"]) == (BOB, "user", False)


def test_ones_full_name(cast: World) -> None:
    """People change their own full name, and nothing else of themselves."""
    bob = by_basic(cast, BOB)
    answer = bob.patch("/users/whoami", {"full_name": "Bob B."})
    assert (answer.status_code, (answer.json or {})["full_name"]) == (200, "Bob B.")
    assert fields(bob.patch("/users/whoami", {"role": "admin", "is_superuser": True})) == ["is_superuser", "role"]
    assert cast.user(BOB).role == "user"


def test_ones_password(cast: World) -> None:
    """A new password counts at once: the old one, other sessions and JWTs are refused, API tokens live on."""
    browser, jwt, token = signed_in(cast, BOB), by_jwt(cast, BOB), by_token(cast, BOB)
    body = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert by_basic(cast, BOB).post("/users/whoami/password", body).status_code == 204
    assert by_basic(cast, BOB).get("/users/whoami").status_code == 401
    assert by_basic(cast, BOB, OTHER_PASSWORD).get("/users/whoami").status_code == 200
    assert (jwt.get("/users/whoami").status_code, browser.is_signed_in()) == (401, False)
    assert token.get("/users/whoami").status_code == 200


def test_a_browser_that_changes_its_password_stays(cast: World) -> None:
    """The session that changes the password goes on."""
    bob = signed_in(cast, BOB)
    body = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    assert bob.client.post("/api/v1/users/whoami/password", json=body, headers=PROOF).status_code == 204
    assert bob.is_signed_in()


@pytest.mark.parametrize(
    ("current", "new", "status", "field"),
    [
        ("wrong", OTHER_PASSWORD, 403, "current_password"),
        (PASSWORD, PASSWORD, 422, "new_password"),
        (PASSWORD, "short", 422, "new_password"),
    ],
)
def test_a_refused_password(cast: World, current: str, new: str, status: int, field: str) -> None:
    """A wrong current password, the same one and a weak one are refused, with an entry for each broken rule."""
    before = cast.user(BOB).password_hash
    body = {"current_password": current, "new_password": new}
    answer = by_jwt(cast, BOB).post("/users/whoami/password", body)
    assert (answer.status_code, set(fields(answer))) == (status, {field})
    assert cast.user(BOB).password_hash == before


def test_weak_password_names_each_rule(cast: World) -> None:
    """Each rule of the policy that a new password breaks is an entry of its own."""
    body = {"current_password": PASSWORD, "new_password": "short"}
    answer = by_basic(cast, BOB).post("/users/whoami/password", body).json or {}
    messages = [entry["message"] for entry in answer["errors"]]
    assert len(messages) == len(set(messages)) >= 4
    assert "at least 12 characters" in messages


def test_an_initial_password_is_replaced(cast: World) -> None:
    """With an initial password only whoami and the change work, and after it everything."""
    (made,) = invitations.invite(cast.database, cast.snapshot.effective, [NewUser("eve", active=True)], SHELL)
    eve = by_basic(cast, "eve", made.initial_password or "")
    assert (eve.get("/users/whoami").json or {})["must_change_password"] is True
    assert (eve.get("/tokens").json or {})["type"] == "password-change-required"
    body = {"current_password": made.initial_password, "new_password": OTHER_PASSWORD}
    assert eve.post("/users/whoami/password", body).status_code == 204
    assert by_basic(cast, "eve", OTHER_PASSWORD).get("/tokens").status_code == 200


def sessions_of(program: Program) -> list[str]:
    """Return the ids of one's own sessions, page by page, two at a time."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = program.get(f"/sessions?limit=2&cursor={cursor}").json or {}
        found += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
    return found


def test_ones_sessions(cast: World) -> None:
    """One's own sessions are listed a page at a time, the newest first, each once, and no one else's."""
    signed_in(cast, ADA)
    for _ in range(5):
        signed_in(cast, BOB)
    found = sessions_of(by_basic(cast, BOB))
    assert len(found) == len(set(found)) == 5
    told = [by_basic(cast, BOB).get(f"/sessions/{one}").json or {} for one in found]
    assert [one["created_at"] for one in told] == sorted((one["created_at"] for one in told), reverse=True)


def test_the_session_that_asks(cast: World) -> None:
    """A browser that asks finds itself marked."""
    signed_in(cast, BOB)
    here = signed_in(cast, BOB).get("/api/v1/sessions").json or {}
    assert [one["current"] for one in here["items"]] == [True, False]


def test_ending_one(cast: World) -> None:
    """A session that was ended opens nothing; somebody else's is not there to be ended."""
    bob, ada = signed_in(cast, BOB), signed_in(cast, ADA)
    (mine,), (adas,) = sessions_of(by_basic(cast, BOB)), sessions_of(by_basic(cast, ADA))
    assert by_basic(cast, BOB).delete(f"/sessions/{adas}").status_code == 404
    assert by_basic(cast, BOB).delete(f"/sessions/{mine}").status_code == 204
    assert (bob.is_signed_in(), ada.is_signed_in()) == (False, True)


def test_ending_all_others(cast: World) -> None:
    """A browser ends all other sessions and goes on; a program ends all."""
    browsers: list[Browser] = [signed_in(cast, BOB) for _ in range(3)]
    answer = browsers[0].client.delete("/api/v1/sessions", headers=PROOF)
    assert (answer.json, [one.is_signed_in() for one in browsers]) == ({"ended": 2}, [True, False, False])
    assert by_token(cast, BOB, Scope.WRITE).delete("/sessions").json == {"ended": 1}
    assert not browsers[0].is_signed_in()


def test_a_cookie_needs_proof_of_the_page(cast: World) -> None:
    """With a cookie a change needs X-CSRFToken, or a browser's word that a page of ours asks."""
    bob = signed_in(cast, BOB)
    refused = bob.client.patch("/api/v1/users/whoami", json={"full_name": "x"})
    assert (refused.status_code, cast.user(BOB).full_name) == (403, "")
    assert bob.client.patch("/api/v1/users/whoami", json={"full_name": "x"}, headers=PROOF).status_code == 200


def test_an_idle_session_is_over(cast: World) -> None:
    """A session that is over is not listed, and cannot be asked for."""
    with time_machine.travel("2026-05-01 12:00:00+00:00", tick=False) as clock:
        signed_in(cast, BOB)
        (mine,) = sessions_of(by_basic(cast, BOB))
        clock.shift(3 * 3600)
        assert sessions_of(by_basic(cast, BOB)) == []
        assert by_basic(cast, BOB).get(f"/sessions/{mine}").status_code == 404


def test_strangers(cast: World) -> None:
    """Nobody is told anything without credentials."""
    for path in ("/users/whoami", "/sessions", "/tokens"):
        assert anonymous(cast).get(path).status_code == 401
