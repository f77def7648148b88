"""Signing in, out and up by the API."""

import pytest
import time_machine

from authapp import invitations
from authapp.invitations import NewUser
from tests.web.program import anonymous, basic, by_basic, by_jwt, by_token
from tests.world import ADA, BOB, CHARLIE, OTHER_PASSWORD, PASSWORD, SHELL, World, signed_in

EVE = "eve"


def log_in(world: World, username: str, password: str) -> tuple[int, dict[str, object]]:
    """Ask for a JWT; return the status and the answer."""
    answer = anonymous(world).post("/login", {"username": username, "password": password})
    return answer.status_code, answer.json or {}


def test_a_jwt_for_a_password(cast: World) -> None:
    """A right user name and password get a JWT that is good for `session.lifetime`, and nothing else."""
    cast.write_config("session: {lifetime: 2h}\n")
    status, answer = log_in(cast, BOB, PASSWORD)
    assert (status, set(answer)) == (200, {"access_token", "token_type", "expires_in"})
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 7200)


def test_a_jwt_ends(cast: World) -> None:
    """After `expires_in` seconds a JWT opens nothing; a second before, it does."""
    with time_machine.travel("2026-05-01 12:00:00+00:00", tick=False) as clock:
        program = by_jwt(cast, BOB)
        clock.shift(12 * 3600 - 1)
        assert program.get("/users/whoami").status_code == 200
        clock.shift(1)
        assert program.get("/users/whoami").status_code == 401


@pytest.mark.parametrize(("username", "password"), [(BOB, "wrong"), ("nobody", PASSWORD), ("", ""), (BOB, "")])
def test_a_wrong_pair(cast: World, username: str, password: str) -> None:
    """Whatever is wrong with the pair, the answer is the same."""
    status, answer = log_in(cast, username, password)
    assert (status, answer["detail"]) == (401, "That user name and password do not match.")


def test_inactive(cast: World) -> None:
    """Only who typed the right password learns that the account waits."""
    assert log_in(cast, CHARLIE, "wrong")[1]["detail"] == "That user name and password do not match."
    status, answer = log_in(cast, CHARLIE, PASSWORD)
    assert (status, "activate" in str(answer["detail"])) == (401, True)


def test_too_many_tries(cast: World) -> None:
    """After too many wrong passwords the answer is 429, and says how long to wait."""
    for _ in range(10):
        log_in(cast, BOB, "wrong")
    answer = anonymous(cast).post("/login", {"username": BOB, "password": PASSWORD})
    assert (answer.status_code, int(answer.headers["Retry-After"]) > 800) == (429, True)


def test_an_initial_password_gets_no_jwt(cast: World) -> None:
    """Whoever has to replace an initial password gets no JWT, and is told why."""
    (made,) = invitations.invite(cast.database, cast.snapshot.effective, [NewUser(EVE, active=True)], SHELL)
    status, answer = log_in(cast, EVE, made.initial_password or "")
    assert (status, answer["type"]) == (403, "password-change-required")
    assert all("tokens" not in table or not rows for table, rows in cast.tables().items())


def test_a_cookie_does_not_matter(cast: World) -> None:
    """A browser that is signed in gets a JWT like everybody: the pair counts, not the cookie."""
    ada = signed_in(cast)
    answer = ada.client.post("/api/v1/login", json={"username": BOB, "password": PASSWORD})
    assert answer.status_code == 200


def test_logout_revokes_the_jwt(cast: World) -> None:
    """Signing out with a JWT revokes it at once, and no other; asking again is no mistake."""
    program, other = by_jwt(cast, BOB), by_jwt(cast, BOB)
    assert [program.post("/logout").status_code for _ in range(2)] == [204, 204]
    assert program.get("/users/whoami").status_code == 401
    assert other.get("/users/whoami").status_code == 200


def test_logout_ends_the_session(cast: World) -> None:
    """Signing out with a cookie ends that session, with proof that a page of ours asks."""
    ada = signed_in(cast)
    assert ada.client.post("/api/v1/logout").status_code == 403
    answer = ada.client.post("/api/v1/logout", headers={"Sec-Fetch-Site": "same-origin"})
    assert (answer.status_code, answer.headers["Clear-Site-Data"]) == (204, '"cache", "storage"')
    assert "Content-Type" not in answer.headers
    assert not ada.is_signed_in()
    assert cast.sessions_of(ADA) == 0


def test_logout_leaves_what_it_cannot_end(cast: World) -> None:
    """Signing out with HTTP Basic, an API token or nothing ends nothing."""
    token = by_token(cast, BOB)
    for program in (by_basic(cast, BOB), token, anonymous(cast)):
        assert program.post("/logout").status_code == 204
    assert token.get("/users/whoami").status_code == 200


def test_signing_up(cast: World) -> None:
    """Where it is allowed a stranger becomes a user who waits, and a name that is taken gets the same answer."""
    body = {"username": EVE, "password": OTHER_PASSWORD, "full_name": "Eve E."}
    assert anonymous(cast).post("/sign-up", body).status_code == 404
    cast.write_config("auth: {sign-up: true}\n")
    answers = [anonymous(cast).post("/sign-up", {**body, "username": name}) for name in (EVE, BOB)]
    assert [(answer.status_code, answer.data) for answer in answers] == [(202, b""), (202, b"")]
    assert (cast.user(EVE).is_active, cast.user(EVE).full_name) == (False, "Eve E.")


def test_the_same_road(cast: World) -> None:
    """Wrong tries by HTTP Basic, JWT login and the form count together."""
    for _ in range(3):
        anonymous(cast).get("/users/whoami", headers=basic(BOB, "wrong"))
        log_in(cast, BOB, "wrong")
        cast.browser().sign_in(BOB, "wrong")
    log_in(cast, BOB, "wrong")
    assert by_basic(cast, BOB).get("/users/whoami").status_code == 429
    assert cast.browser().sign_in(BOB, PASSWORD).status_code == 429
