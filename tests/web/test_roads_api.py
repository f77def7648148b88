"""The API, through the one table of who may do what to whom."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import TestResponse

from authapp.models import Scope, User
from tests.people_cases import (
    ASKED_TWICE,
    DONE,
    HAS_TO_CHANGE_PASSWORD,
    HAS_TO_SIGN_IN,
    LAST_SUPERUSER,
    NEW_NAME,
    NEWCOMER,
    NOT_ALLOWED,
    NOT_FOUND,
    Act,
    Road,
    Scene,
    Stage,
    go,
)
from tests.web.program import Program, anonymous, by_basic, by_jwt, by_token
from tests.world import DORA, World

ACTS: dict[str, tuple[str, str, dict[str, Any] | None]] = {
    "invite": ("POST", "/users", {"username": NEWCOMER}),
    "list": ("GET", "/users", None),
    "activate": ("PATCH", "/users/{}", {"is_active": True}),
    "deactivate": ("PATCH", "/users/{}", {"is_active": False}),
    "promote": ("PATCH", "/users/{}", {"is_superuser": True}),
    "demote": ("PATCH", "/users/{}", {"role": "user"}),
    "rename": ("PATCH", "/users/{}", {"username": NEW_NAME}),
    "reset": ("POST", "/users/{}/reset-password", None),
    "unlock": ("POST", "/users/{}/unlock", None),
    "delete": ("DELETE", "/users/{}", None),
    "end-sessions": ("DELETE", "/users/{}/sessions", None),
}
WITH_CREDENTIALS = frozenset({"owner", "superuser", "user", "left"})


def _ready(stage: Stage, credential: Callable[[World, str, str], Program]) -> Act:
    program = anonymous(stage.world)
    if stage.actor is not None:
        program = credential(stage.world, stage.actor.username, stage.password)
        program.get("/users/whoami")  # a first use is written down; what is refused later must change nothing
    if stage.by == "left" and stage.actor is not None:
        stage.switch_off(User.id == stage.actor.id)

    def act(name: str) -> str:
        method, path, body = ACTS[name]
        if name == "end-sessions" and stage.by == "user" and stage.is_own:
            path = "/sessions"
        answer = program.ask(method, path.format(stage.target_id), body)
        stage.shown = answer.text
        return _outcome_of(answer)

    return act


def _outcome_of(answer: TestResponse) -> str:
    said = {
        (401, ""): HAS_TO_SIGN_IN,
        (403, "password-change-required"): HAS_TO_CHANGE_PASSWORD,
        (403, ""): NOT_ALLOWED,
        (404, "There is no such user."): NOT_FOUND,
        (409, "is the owner, who cannot be"): LAST_SUPERUSER,
        (409, "is the last active superuser, who cannot be"): LAST_SUPERUSER,
    }
    if answer.status_code < 300:
        return DONE
    return next(
        (
            outcome
            for (status, words), outcome in said.items()
            if answer.status_code == status and words in answer.text
        ),
        f"{answer.status}: {answer.text}",
    )


def _as_token(world: World, username: str, _password: str) -> Program:
    return by_token(world, username, Scope.ADMIN)


BASIC = Road(WITH_CREDENTIALS | {"owing", "stranger"}, lambda stage: _ready(stage, by_basic))
JWT = Road(WITH_CREDENTIALS, lambda stage: _ready(stage, by_jwt))
TOKEN = Road(WITH_CREDENTIALS, lambda stage: _ready(stage, _as_token), frozenset(ACTS) - {"reset"})
RESET_BY_TOKEN = replace(TOKEN, acts=frozenset({"reset"}), words=((DONE, NOT_ALLOWED), (NOT_FOUND, NOT_ALLOWED)))


def scenes(road: Road) -> list[Scene]:
    """Return what a road can come to; a program knows what it does, and is not asked twice."""
    once = (replace(one, outcomes=tuple(o for o in one.outcomes if o[1] != ASKED_TWICE)) for one in road.scenes())
    return [scene for scene in once if scene.outcomes]


@pytest.mark.parametrize("scene", scenes(BASIC), ids=str)
def test_with_http_basic(cast: World, scene: Scene) -> None:
    """Whoever acts gets from the API what the table says, and what is refused changes nothing."""
    assert go(cast, scene, BASIC) == BASIC.expects(scene)


@pytest.mark.parametrize("scene", scenes(JWT), ids=str)
def test_with_a_jwt(cast: World, scene: Scene) -> None:
    """A JWT does and is refused the same as its user."""
    assert go(cast, scene, JWT) == JWT.expects(scene)


@pytest.mark.parametrize("scene", scenes(TOKEN), ids=str)
def test_with_an_api_token(cast: World, scene: Scene) -> None:
    """An API token of the scope `admin` does and is refused the same as its user, but for passwords."""
    assert go(cast, scene, TOKEN) == TOKEN.expects(scene)


@pytest.mark.parametrize("scene", scenes(RESET_BY_TOKEN), ids=str)
def test_no_api_token_resets(cast: World, scene: Scene) -> None:
    """No API token resets a password, whosever it is and whoever is meant."""
    assert go(cast, scene, RESET_BY_TOKEN) == RESET_BY_TOKEN.expects(scene)


@pytest.mark.parametrize("body", [{"is_active": False}, {"role": "user"}])
def test_a_program_is_not_asked_twice(cast: World, body: dict[str, Any]) -> None:
    """A superuser's program that takes something from its own user is believed, and gets no further."""
    path, program = f"/users/{cast.user(DORA).id}", by_basic(cast, DORA)
    assert program.patch(path, body).status_code == 200
    assert program.get("/users").status_code in (401, 403)
