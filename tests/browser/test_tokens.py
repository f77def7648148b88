"""API tokens in a real browser: made, copied, used, taken away; and the API's documentation."""

from collections.abc import Callable
from http.client import HTTPConnection

import pytest

from tests.browser.person import Person
from tests.server_process import Server

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-tokens")]
Visitor = Callable[..., Person]


def whoami(server: Server, token: str) -> int:
    """Ask the API who one is, with a token; return the status."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/api/v1/users/whoami", headers={"X-API-Key": token})
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_token_from_making_to_revoking(shared: Server, visitor: Visitor) -> None:
    """A token is made, shown once, works, and after a click works no more."""
    ada = visitor(shared).sign_in().open("/account").follow("What programs get in with")
    ada.fill(name="backup script").press("Make token")
    token = ada.page.locator("#token").inner_text()
    assert whoami(shared, token) == 200
    ada.follow("I have it, go on")
    assert ("backup script" in ada.text, token in ada.text) == (True, False)
    ada.press("Revoke backup script")
    assert whoami(shared, token) == 401


def test_the_copy_button(shared: Server, visitor: Visitor) -> None:
    """The button copies exactly the token."""
    ada = visitor(shared, permissions=["clipboard-read", "clipboard-write"]).sign_in()
    ada.open("/account/tokens").fill(name="clipboard").press("Make token")
    ada.page.get_by_role("button", name="Copy the token").click()
    ada.page.get_by_text("Copied", exact=True).wait_for()
    copied = ada.page.evaluate("navigator.clipboard.readText()")
    assert copied == ada.page.locator("#token").inner_text()


def test_the_documentation(shared: Server, visitor: Visitor) -> None:
    """Whoever is not signed in is led to sign in and back; an operation unfolds and says what it takes."""
    ada = visitor(shared).open("/api/v1/docs")
    assert ada.path == "/login"
    ada.fill(username="ada@example.com", password="Correct-horse battery").press("Sign in")
    assert ada.path == "/api/v1/docs"
    operation = ada.page.locator("#create_user")
    operation.locator("summary").click()
    assert "text, 1 to 256 characters" in operation.inner_text()
