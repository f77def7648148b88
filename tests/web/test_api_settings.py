"""Options by the API: values, where they come from, and setting them."""

from typing import Any

import pytest

from authapp.config.options import OPTIONS
from authapp.models import Scope
from tests.web.program import by_basic, by_token, fields
from tests.world import ADA, BOB, PASSWORD, World

OPTION = "/settings/auth.sign-up"
SETTABLE = sorted(key for key, option in OPTIONS.items() if option.settable)


def told(world: World, path: str = OPTION) -> dict[str, Any]:
    """Return what is told of an option."""
    answer = by_basic(world).get(path)
    assert answer.status_code == 200, answer.text
    return dict(answer.json or {})


def test_every_option(cast: World) -> None:
    """Every option is listed, with its value, layer and place."""
    items = told(cast, "/settings")["items"]
    assert [one["key"] for one in items] == list(OPTIONS)
    assert {one["key"] for one in items if one["settable"]} == set(SETTABLE)


def test_a_default(cast: World) -> None:
    """An option nobody set has its default, and no place."""
    found = told(cast)
    assert (found["value"], found["source"], found["place"], found["pinned"]) == (False, "default", None, False)


def test_setting(cast: World) -> None:
    """A value that was set counts with the next request, and comes from the Settings table."""
    answer = by_basic(cast).put(OPTION, {"value": True})
    assert (answer.status_code, (answer.json or {})["value"]) == (200, True)
    assert (told(cast)["value"], told(cast)["source"]) == (True, "Settings table")
    assert cast.setting("auth.sign-up") is True


def test_taking_back(cast: World) -> None:
    """What was taken out of the Settings table has its default again; taking out nothing is no mistake."""
    by_basic(cast).put(OPTION, {"value": True})
    assert [by_basic(cast).delete(OPTION).status_code for _ in range(2)] == [204, 204]
    assert (told(cast)["value"], told(cast)["source"]) == (False, "default")


@pytest.mark.parametrize("value", ["45m", "2700s", "0h 45m"])
def test_texts_as_in_a_config_file(cast: World, value: str) -> None:
    """A text means what it means in a config file, and is answered in one form."""
    answer = by_basic(cast).put("/settings/session.idle-timeout", {"value": value})
    assert (answer.json or {})["value"] == "45m"


@pytest.mark.parametrize("key", ["auth.signUp", "AUTH.SIGN_UP", "auth.sign_up"])
def test_spelling(cast: World, key: str) -> None:
    """Keys may be spelled as in a config file."""
    assert told(cast, f"/settings/{key}")["key"] == "auth.sign-up"


def test_a_pinned_option(cast: World) -> None:
    """What the config file supplies is told with its place, and nothing else changes it: 409."""
    cast.write_config("auth:\n  sign-up: true\n")
    found = told(cast)
    assert (found["value"], found["source"], found["pinned"]) == (True, "config file", True)
    assert found["place"] == "config.yml:2:3"
    for answer in (by_basic(cast).put(OPTION, {"value": False}), by_basic(cast).delete(OPTION)):
        assert (answer.status_code, "config.yml, line 2" in answer.text) == (409, True)
    assert cast.setting("auth.sign-up") is None


@pytest.mark.parametrize("key", sorted(OPTIONS.keys() - set(SETTABLE)))
def test_what_is_for_the_file_alone(cast: World, key: str) -> None:
    """What only file or environment may give is refused with 409, and told as everything else."""
    assert told(cast, f"/settings/{key}")["settable"] is False
    for answer in (
        by_basic(cast).put(f"/settings/{key}", {"value": "x"}),
        by_basic(cast).delete(f"/settings/{key}"),
    ):
        assert answer.status_code == 409


@pytest.mark.parametrize("key", ["auth", "nothing.at-all", "installation", "setup.token", "%00"])
def test_what_is_no_option(cast: World, key: str) -> None:
    """What is no option is not there: sections and other rows of the table neither."""
    for method in ("GET", "DELETE"):
        assert by_basic(cast).ask(method, f"/settings/{key}").status_code == 404
    assert by_basic(cast).put(f"/settings/{key}", {"value": "x"}).status_code == 404


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("auth.sign-up", "perhaps"),
        ("session.lifetime", "soon"),
        ("session.lifetime", -5),
        ("throttle.attempts", 0),
        ("password.policy", "x"),
    ],
)
def test_bad_values(cast: World, key: str, value: object) -> None:
    """A value that does not fit is refused, and the refusal says what would."""
    answer = by_basic(cast).put(f"/settings/{key}", {"value": value})
    assert (answer.status_code, fields(answer)) == (422, ["value"])
    assert cast.setting(key) is None


@pytest.mark.parametrize("body", [{}, {"value": None}, {"value": []}, {"value": {}}, {"values": 1}, []])
def test_bad_bodies(cast: World, body: object) -> None:
    """The body is an object with one value."""
    assert by_basic(cast).put(OPTION, body).status_code == 422


def test_secrets_are_masked(cast: World) -> None:
    """No secret is ever told, also not in a layer that does not count."""
    cast.write_credentials(ADA, PASSWORD)
    key = cast.setting("server.secret-key")
    answer = by_basic(cast).get("/settings")
    assert PASSWORD not in answer.text
    assert key not in answer.text
    assert "argon2" not in answer.text


@pytest.mark.parametrize(("scope", "status"), [(Scope.READ, 403), (Scope.WRITE, 403), (Scope.ADMIN, 200)])
def test_scopes(cast: World, scope: Scope, status: int) -> None:
    """Every scope reads settings; only `admin` changes them."""
    token = by_token(cast, ADA, scope)
    assert token.get(OPTION).status_code == 200
    assert token.put(OPTION, {"value": True}).status_code == status


def test_superusers_alone(cast: World) -> None:
    """Plain users see no settings and change none."""
    bob = by_basic(cast, BOB)
    answers = [bob.get("/settings"), bob.get(OPTION), bob.put(OPTION, {"value": True}), bob.delete(OPTION)]
    assert [answer.status_code for answer in answers] == [403] * 4
