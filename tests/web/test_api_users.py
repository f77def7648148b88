"""Users by the API: what superusers do on the admin pages."""

from typing import Any

import pytest

from authapp.models import Role
from tests.web.program import Program, by_basic, by_jwt, by_token, fields
from tests.world import ADA, BOB, CHARLIE, DORA, OTHER_PASSWORD, World, signed_in

EVE = "eve@example.com"


def made(program: Program, body: dict[str, Any]) -> dict[str, Any]:
    """Make a user; return what is told of them."""
    answer = program.post("/users", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json or {})


def at(world: World, username: str = BOB) -> str:
    """Return the path of a user."""
    return f"/users/{world.user(username).id}"


# -- lists ----------------------------------------------------------------------------------------------------


def all_pages(program: Program, query: str) -> list[str]:
    """Return the user names of every page of a list."""
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = program.get(f"/users?{query}&cursor={cursor}").json or {}
        found += [one["username"] for one in page["items"]]
        cursor = page["next_cursor"]
    return found


@pytest.mark.parametrize("sort", ["", "username", "-username", "role", "-created_at", "last_login_at"])
@pytest.mark.parametrize("limit", [1, 3, 500])
def test_everybody_is_listed_once(cast: World, sort: str, limit: int) -> None:
    """However it is sorted, and however long its pages are, the list holds everybody once."""
    found = all_pages(by_basic(cast), f"sort={sort}&limit={limit}")
    assert sorted(found) == sorted([ADA, BOB, CHARLIE, DORA])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=bo", [BOB]),
        ("role=admin", [ADA, DORA]),
        ("active=false", [CHARLIE]),
        ("role=user&active=true", [BOB]),
        ("q=nobody", []),
    ],
)
def test_filters(cast: World, query: str, found: list[str]) -> None:
    """Search, role and active narrow the list."""
    assert all_pages(by_basic(cast), query) == found


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("sort=password", "sort"),
        ("who=me", ""),  # no name that nothing here has is repeated: it may be a secret in the wrong place
    ],
)
def test_senseless_lists(cast: World, query: str, field: str) -> None:
    """What means nothing is refused, and the refusal names the parameter, if there is one of this name."""
    answer = by_basic(cast).get(f"/users?{query}")
    assert (answer.status_code, fields(answer)) == (422, [field])


# -- making ---------------------------------------------------------------------------------------------------


def test_an_invited_user(cast: World) -> None:
    """Without a password one is generated, told this once, and has to be replaced."""
    eve = made(by_basic(cast), {"username": EVE, "is_active": True})
    assert (eve["role"], eve["is_superuser"], eve["must_change_password"]) == ("user", False, True)
    assert eve["initial_password"] not in by_basic(cast).get(f"/users/{eve['id']}").text
    assert by_basic(cast, EVE, eve["initial_password"]).get("/users/whoami").status_code == 200


def test_a_user_with_a_password(cast: World) -> None:
    """A password that was given is the user's own: nothing is generated, and nothing has to be replaced."""
    body = {"username": EVE, "password": OTHER_PASSWORD, "full_name": "Eve", "role": "admin", "is_active": True}
    eve = made(by_jwt(cast), body)
    assert "initial_password" not in eve
    assert (eve["full_name"], eve["role"], eve["is_superuser"], eve["is_active"]) == ("Eve", "admin", True, True)
    assert by_basic(cast, EVE, OTHER_PASSWORD).get("/users").status_code == 200


@pytest.mark.parametrize("active", [False, True])
def test_active_as_the_option_says(cast: World, *, active: bool) -> None:
    """Unless it is given, a new user is active as `auth.new-user-is-active` says."""
    cast.write_config(f"auth: {{new-user-is-active: {str(active).lower()}}}\n")
    assert made(by_basic(cast), {"username": EVE})["is_active"] is active


def test_where_the_new_user_is(cast: World) -> None:
    """The answer says where the new user is to be found."""
    answer = by_basic(cast).post("/users", {"username": EVE})
    path = answer.headers["Location"].removeprefix("/api/v1")
    assert (by_basic(cast).get(path).json or {})["username"] == EVE


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"username": BOB.upper()}, 409, "username"),
        ({"username": "a:b"}, 422, "username"),
        ({"username": ""}, 422, "username"),
        ({"username": EVE, "password": "short"}, 422, "password"),
        ({"username": EVE, "full_name": "x" * 201}, 422, "full_name"),
        ({"username": EVE, "role": "viewer"}, 422, "role"),
        ({"username": EVE, "is_active": "yes"}, 422, "is_active"),
        ({}, 422, "username"),
    ],
)
def test_refused_users(cast: World, body: dict[str, Any], status: int, field: str) -> None:
    """A user who breaks a rule is not made, and the refusal names the field."""
    answer = by_basic(cast).post("/users", body)
    assert (answer.status_code, set(fields(answer))) == (status, {field})
    assert sorted(all_pages(by_basic(cast), "")) == sorted([ADA, BOB, CHARLIE, DORA])


def test_a_batch(cast: World) -> None:
    """A batch makes all its users, in its order, with a generated password where none is given."""
    rows = [{"username": f"u{number}"} for number in range(3)] + [{"username": EVE, "password": OTHER_PASSWORD}]
    answer = by_basic(cast).post("/users/batch", rows)
    assert answer.status_code == 201
    assert [one["username"] for one in answer.json or []] == ["u0", "u1", "u2", EVE]
    assert ["initial_password" in one for one in answer.json or []] == [True, True, True, False]


def test_a_batch_is_all_or_nothing(cast: World) -> None:
    """One bad row, and nobody is made; every row that is wrong is named, with each rule it breaks."""
    rows = [{"username": "u1"}, {"username": "a:b"}, {"username": BOB}, {"username": "u2", "password": "short"}]
    answer = by_basic(cast).post("/users/batch", rows)
    entries = (answer.json or {})["errors"]
    assert (answer.status_code, {entry["row"] for entry in entries}) == (422, {2, 3, 4})
    assert {entry["field"] for entry in entries} == {"1.username", "2.username", "3.password"}
    assert (answer.json or {})["detail"].startswith("Row 2:")
    assert "'u1'" not in str(cast.tables()["users"])  # with its quotes: a hash may hold the letters


@pytest.mark.parametrize("rows", [[], [{"username": f"u{number}"} for number in range(501)]])
def test_the_size_of_a_batch(cast: World, rows: list[dict[str, str]]) -> None:
    """A batch has one row at least and 500 at most."""
    assert by_basic(cast).post("/users/batch", rows).status_code == 422


def test_the_largest_batch(cast: World) -> None:
    """A batch of 500 long names is no request too large; nobody but superusers may send so much."""
    rows = [{"username": f"{number:03}{'ü' * 250}", "full_name": "ü" * 200} for number in range(500)]
    assert by_basic(cast, BOB).post("/users/batch", rows).status_code in (403, 413)
    answer = by_basic(cast).post("/users/batch", rows)
    assert (answer.status_code, len(answer.json or [])) == (201, 500)


# -- changing -------------------------------------------------------------------------------------------------


def test_several_changes_at_once(cast: World) -> None:
    """What is given is changed, what is not stays."""
    body = {"username": "robert", "full_name": "Robert", "role": "admin", "is_active": False}
    answer = by_basic(cast).patch(at(cast), body).json or {}
    assert (answer["username"], answer["full_name"], answer["role"]) == ("robert", "Robert", "admin")
    assert answer["is_active"] is False
    again = by_basic(cast).patch(f"/users/{answer['id']}", {}).json or {}
    assert again == answer


def test_a_refused_change_undoes_the_others(cast: World) -> None:
    """Changes of one request are made all together or not at all."""
    answer = by_basic(cast, DORA).patch(at(cast, ADA), {"full_name": "x", "is_active": False})
    assert answer.status_code == 409
    assert (cast.user(ADA).full_name, cast.user(ADA).is_active) == ("", True)


@pytest.mark.parametrize(
    ("body", "role"),
    [
        ({"is_superuser": True}, Role.ADMIN),
        ({"role": "admin"}, Role.ADMIN),
        ({"role": "admin", "is_superuser": True}, Role.ADMIN),
        ({"role": "user", "is_superuser": False}, Role.USER),
        ({"is_superuser": False}, Role.USER),
    ],
)
def test_both_words_for_the_role(cast: World, body: dict[str, Any], role: Role) -> None:
    """`role` and `is_superuser` say the same thing."""
    assert by_basic(cast).patch(at(cast, DORA), {"role": "admin"}).status_code == 200
    assert by_basic(cast).patch(at(cast, DORA), body).status_code == 200
    assert cast.user(DORA).role == role


@pytest.mark.parametrize("body", [{"role": "admin", "is_superuser": False}, {"role": "user", "is_superuser": True}])
def test_contradicting_words(cast: World, body: dict[str, Any]) -> None:
    """When they contradict each other nothing is done."""
    assert by_basic(cast).patch(at(cast), body).status_code == 422
    assert cast.user(BOB).role == Role.USER


def test_a_reset(cast: World) -> None:
    """A reset answers a new password this once; the old one, the sessions and the tokens are gone."""
    browser, token = signed_in(cast, BOB), by_token(cast, BOB)
    answer = by_basic(cast).post(f"{at(cast)}/reset-password")
    initial = (answer.json or {})["initial_password"]
    assert set(answer.json or {}) == {"initial_password"}
    assert by_basic(cast, BOB).get("/users/whoami").status_code == 401
    assert (browser.is_signed_in(), token.get("/users/whoami").status_code) == (False, 401)
    assert (by_basic(cast, BOB, initial).get("/users/whoami").json or {})["must_change_password"] is True


def test_deleting(cast: World) -> None:
    """A deleted user is not there any more, and neither is what they could get in with."""
    path, token = at(cast), by_token(cast, BOB)
    assert by_basic(cast).delete(path).status_code == 204
    assert by_basic(cast).get(path).status_code == 404
    assert by_basic(cast).delete(path).status_code == 404
    assert token.get("/users/whoami").status_code == 401


def test_unlocking(cast: World) -> None:
    """A superuser lets somebody try again who was made to wait."""
    for _ in range(10):
        by_basic(cast, BOB, "wrong").get("/users/whoami")
    assert by_basic(cast, BOB).get("/users/whoami").status_code == 429
    assert by_basic(cast).post(f"{at(cast)}/unlock").status_code == 204
    assert by_basic(cast, BOB).get("/users/whoami").status_code == 200


# -- their sessions and tokens --------------------------------------------------------------------------------


def test_somebodys_sessions(cast: World) -> None:
    """A superuser sees a user's sessions, ends one, and ends all."""
    browsers = [signed_in(cast, BOB) for _ in range(3)]
    items = (by_basic(cast).get(f"{at(cast)}/sessions").json or {})["items"]
    assert by_basic(cast).delete(f"{at(cast)}/sessions/{items[0]['id']}").status_code == 204
    assert by_basic(cast).delete(f"{at(cast, ADA)}/sessions/{items[1]['id']}").status_code == 404
    assert [one.is_signed_in() for one in browsers] == [True, True, False]
    assert by_basic(cast).delete(f"{at(cast)}/sessions").json == {"ended": 2}


def test_everybodys_sessions(cast: World) -> None:
    """A superuser sees who is signed in, and where."""
    for name in (ADA, BOB, DORA):
        signed_in(cast, name)
    first = by_basic(cast).get("/users/sessions?limit=2").json or {}
    rest = by_basic(cast).get(f"/users/sessions?cursor={first['next_cursor']}").json or {}
    assert [one["username"] for one in first["items"] + rest["items"]] == [DORA, BOB, ADA]
    assert rest["next_cursor"] is None


def test_somebodys_tokens(cast: World) -> None:
    """A superuser sees a user's tokens, revokes one, and revokes all."""
    tokens = [by_token(cast, BOB), by_token(cast, BOB), by_jwt(cast, BOB)]
    items = (by_basic(cast).get(f"{at(cast)}/tokens").json or {})["items"]
    assert [one["kind"] for one in items] == ["jwt", "api", "api"]
    assert by_basic(cast).delete(f"{at(cast, ADA)}/tokens/{items[0]['id']}").status_code == 404
    assert by_basic(cast).delete(f"{at(cast)}/tokens/{items[0]['id']}").status_code == 204
    assert [one.get("/users/whoami").status_code for one in tokens] == [200, 200, 401]
    assert by_basic(cast).delete(f"{at(cast)}/tokens").json == {"ended": 2}
    assert [one.get("/users/whoami").status_code for one in tokens] == [401, 401, 401]


def test_what_is_nobodys(cast: World) -> None:
    """What is asked of a user who does not exist is answered with 404."""
    path = "/users/11111111-1111-4111-8111-111111111111"
    asked = [("GET", ""), ("DELETE", ""), ("GET", "/sessions"), ("DELETE", "/sessions"), ("GET", "/tokens")]
    for method, more in [*asked, ("DELETE", "/tokens"), ("POST", "/unlock"), ("POST", "/reset-password")]:
        assert by_basic(cast).ask(method, f"{path}{more}").status_code == 404, (method, more)
