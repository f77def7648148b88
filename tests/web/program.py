"""A program that uses the API, as tests write it."""

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from authapp import issued_tokens
from authapp.audit import Actor
from authapp.models import Scope
from tests.world import ADA, PASSWORD, World

API = "/api/v1"


@dataclass
class Program:
    """Flask's client without cookies, and the header it proves itself with."""

    client: FlaskClient
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: Any = None, **rest: Any) -> TestResponse:
        """Send a request; what is sent along is JSON."""
        headers = {**self.headers, **rest.pop("headers", {})}
        more = {"json": body} if body is not None else {}
        return self.client.open(f"{API}{path}", method=method, headers=headers, buffered=True, **more, **rest)

    def get(self, path: str, **rest: Any) -> TestResponse:
        """Ask for something."""
        return self.ask("GET", path, **rest)

    def post(self, path: str, body: Any = None, **rest: Any) -> TestResponse:
        """Make something, or have something done."""
        return self.ask("POST", path, body, **rest)

    def patch(self, path: str, body: Any, **rest: Any) -> TestResponse:
        """Change something."""
        return self.ask("PATCH", path, body, **rest)

    def put(self, path: str, body: Any, **rest: Any) -> TestResponse:
        """Set something."""
        return self.ask("PUT", path, body, **rest)

    def delete(self, path: str, **rest: Any) -> TestResponse:
        """Take something away."""
        return self.ask("DELETE", path, **rest)


def basic(username: str = ADA, password: str = PASSWORD) -> dict[str, str]:
    """Return the header of HTTP Basic."""
    return {"Authorization": f"Basic {b64encode(f'{username}:{password}'.encode()).decode()}"}


def anonymous(world: World) -> Program:
    """Return a program that proves nothing."""
    return Program(world.app.test_client(use_cookies=False))


def by_basic(world: World, username: str = ADA, password: str = PASSWORD) -> Program:
    """Return a program with a user name and a password."""
    return Program(world.app.test_client(use_cookies=False), basic(username, password))


def by_jwt(world: World, username: str = ADA, password: str = PASSWORD) -> Program:
    """Return a program with a JWT."""
    answer = anonymous(world).post("/login", {"username": username, "password": password})
    assert answer.status_code == 200, answer.text
    bearer = {"Authorization": f"Bearer {answer.json['access_token']}"} if answer.json else {}
    return Program(world.app.test_client(use_cookies=False), bearer)


def by_token(world: World, username: str = ADA, scope: Scope = Scope.ADMIN) -> Program:
    """Return a program with an API token."""
    user = world.user(username)
    made = issued_tokens.create(world.database, user.id, "a program", Actor("form", user.id), scope=scope)
    return Program(world.app.test_client(use_cookies=False), {"X-API-Key": made.token})


def fields(answer: TestResponse) -> list[str]:
    """Return the fields that a refusal is about, one for each broken rule."""
    return [entry["field"] for entry in (answer.json or {}).get("errors", [])]
