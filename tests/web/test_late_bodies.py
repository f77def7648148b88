"""Bodies that come in late: whoever may no longer, when the last byte is here, may not."""

from collections.abc import Callable
from functools import partial
from io import BytesIO
from urllib.parse import urlencode

import pytest
from typing_extensions import Buffer

from authapp import invitations, issued_tokens, sessions, user_passwords, users
from authapp.audit import Actor
from tests.web.program import Program, basic, by_basic, by_jwt, by_token
from tests.world import ADA, BOB, PASSWORD, World, csrf_token, signed_in

SHELL = Actor("command line")
OTHER_PASSWORD = "Another-horse battery"
NEW_TOKEN = b'{"name": "backdoor"}'
JSON = {"Content-Type": "application/json"}


class Late(BytesIO):
    """A body before whose first byte something happens."""

    def __init__(self, text: bytes, before: Callable[[], object]) -> None:
        super().__init__(text)
        self.before: Callable[[], object] | None = before

    def readinto(self, buffer: Buffer) -> int:
        """Let it happen, once, and go on."""
        happens, self.before = self.before, None
        if happens is not None:
            happens()
        return super().readinto(buffer)


def send(program: Program, method: str, path: str, body: Late) -> int:
    """Send a late body; return the status."""
    length = {"CONTENT_LENGTH": str(len(body.getvalue()))}
    return program.ask(method, path, input_stream=body, headers=JSON, environ_overrides=length).status_code


def reset(world: World, username: str) -> None:
    """Reset a password; its user replaces the initial one at once."""
    effective, user = world.snapshot.effective, world.user(username)
    invitations.reset_password(world.database, effective, user.id, SHELL)
    user_passwords.set_password(world.database, effective, user.id, OTHER_PASSWORD, SHELL)


@pytest.mark.parametrize("program", [by_basic, by_jwt])
def test_a_token_after_a_reset(cast: World, program: Callable[[World, str], Program]) -> None:
    """Somebody whose password is reset while their body comes in gets no API token that outlives it."""
    late = Late(NEW_TOKEN, partial(reset, cast, BOB))
    assert send(program(cast, BOB), "POST", "/tokens", late) == 401
    assert cast.tables()["tokens"] == []


def test_a_token_that_is_revoked(cast: World) -> None:
    """A token that is revoked while the body comes in changes nothing."""
    program, body = by_token(cast), b'{"username": "eve", "role": "admin"}'
    late = Late(body, partial(issued_tokens.revoke_everybodys, cast.database, SHELL))
    assert send(program, "POST", "/users", late) == 401


@pytest.mark.parametrize("path", ["/users", "/users/batch"])
def test_a_superuser_no_more(cast: World, path: str) -> None:
    """Who is made a user while the body comes in creates nobody, of whatever length the body may be."""
    user = users.set_superuser(cast.database, cast.user(BOB).id, SHELL, superuser=True)
    late = Late(b"{}", partial(users.set_superuser, cast.database, user.id, SHELL, superuser=False))
    assert send(by_basic(cast, BOB), "POST", path, late) == 403


def test_a_long_form(cast: World) -> None:
    """A list of users that a page sends counts only if its sender is still signed in when all of it is here."""
    browser, path = signed_in(cast, ADA), "/admin/users/list"
    text = urlencode({"csrf_token": csrf_token(browser.get(path).text), "users": "eve", "create": "yes"}).encode()
    options = cast.snapshot.effective.config.session
    late = Late(text, partial(sessions.revoke_everybodys, cast.database, options, SHELL))
    answer = browser.client.post(
        path,
        input_stream=late,
        content_type="application/x-www-form-urlencoded",
        environ_overrides={"CONTENT_LENGTH": str(len(text))},
    )
    assert (answer.status_code, answer.location) == (303, "/login")


def test_nobody_is_waited_for(cast: World) -> None:
    """Who may not is told so before a byte of the body is here."""
    late = Late(NEW_TOKEN, partial(pytest.fail, "it was read"))
    nobody = Program(cast.app.test_client(use_cookies=False), basic(BOB, f"not {PASSWORD}"))
    assert send(nobody, "POST", "/tokens", late) == 401
