"""Everything works without JavaScript."""

from collections.abc import Callable

import pytest

from tests.browser.person import Person
from tests.server_process import Server
from tests.world import ADA, BOB, OTHER_PASSWORD, PASSWORD, WEAK_PASSWORD

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser-plain"),
    pytest.mark.sqlite(reason="the pages are the same on both; test_story.py and others run on both"),
]
Visitor = Callable[..., Person]


def plain(visitor: Visitor, server: Server) -> Person:
    """Let somebody open a browser that runs no script."""
    return visitor(server, java_script_enabled=False)


def test_the_setup(fresh: Server, visitor: Visitor) -> None:
    """The wizard works without JavaScript, from the pasted token to the home page."""
    ada = plain(visitor, fresh).open("/")
    ada.fill(token=fresh.setup_link.partition("token=")[2]).press("Continue")
    ada.fill(username=ADA, password=WEAK_PASSWORD).press("Finish and sign in")
    assert "at least 12 characters" in ada.page.locator(".error").inner_text()
    ada.fill(password=PASSWORD).press("Finish and sign in")
    assert ada.heading == f"Hello, {ADA}"
    ada.page.get_by_text("If you ever lose your password").click()
    assert "owns this installation" in ada.text


def test_the_rules_are_listed(waiting: Server, visitor: Visitor) -> None:
    """Without JavaScript the password's rules are readable, and no button is shown that would not work."""
    ada = plain(visitor, waiting).open(waiting.setup_path)
    assert "at least 12 characters" in ada.text
    assert not ada.page.get_by_text("Show", exact=True).is_visible()


def test_signing_in_and_out(shared: Server, visitor: Visitor) -> None:
    """Signing in, a wrong password and signing out work without JavaScript."""
    ada = plain(visitor, shared).sign_in(ADA, "wrong")
    assert "That user name and password do not match." in ada.text
    assert ada.fill(password=PASSWORD).press("Sign in").heading == f"Hello, {ADA}"
    assert ada.press("Sign out").path == "/login"
    assert not ada.is_signed_in()


def test_looking_after_users(shared: Server, visitor: Visitor) -> None:
    """Creating, activating, promoting, demoting and deactivating users work without JavaScript."""
    ada, bob = plain(visitor, shared).sign_in(), plain(visitor, shared)
    ada.create(BOB).flip(f"Active: {BOB}").flip(f"Superuser: {BOB}")
    assert bob.sign_in(BOB).open("/admin/users").heading == "Users"
    ada.flip(f"Superuser: {BOB}")
    assert bob.open("/admin/users").heading == "Not allowed"
    ada.flip(f"Active: {BOB}")
    assert bob.open("/").path == "/login"


def test_inviting_and_the_first_sign_in(shared: Server, visitor: Visitor) -> None:
    """A pasted list, the page with the initial passwords and the forced change work without JavaScript."""
    ada = plain(visitor, shared).sign_in().open("/admin/users/list")
    ada.page.locator("[name=active]").check()
    ada.fill(users="grace, Grace Hopper\nalan").press("Preview").press("Create 2 users")
    initial = ada.page.locator(".password").first.inner_text()
    assert not ada.page.get_by_role("button", name="Copy").first.is_visible()
    grace = plain(visitor, shared).sign_in("grace", initial)
    grace.fill(current_password=initial, new_password=OTHER_PASSWORD).press("Change password")
    assert grace.heading == "Hello, Grace Hopper"


def test_the_whole_admin_page(shared: Server, visitor: Visitor) -> None:
    """Searching, choosing, deleting several, the proof in between and sessions work without JavaScript."""
    ada = plain(visitor, shared).sign_in().create("temp1").create("temp2")
    ada.open("/admin/users").fill(q="temp").press("Search").follow("Last sign-in")
    for name in ("temp1", "temp2"):
        ada.page.get_by_role("checkbox", name=f"Choose {name}").check()
    shared.forget_proofs()
    ada.press("Delete…").fill(proof=PASSWORD).press("Go on").fill(typed="delete").press("Delete for good")
    assert "2 users deleted." in ada.text
    assert ada.follow("Sessions").heading == "Sessions"


def test_the_settings(shared: Server, visitor: Visitor) -> None:
    """A setting is changed, its layers are unfolded, and it is set back, without JavaScript."""
    ada = plain(visitor, shared).sign_in().open("/admin/settings")
    ada.page.get_by_label("organization.name", exact=True).fill("Acme")
    ada.press("Save all changes", part="#organization")
    assert ada.text.startswith("Skip to the content\nAcme")
    told = ada.page.locator("[id='organization.name']")
    told.locator("summary").click()
    assert "Default" in told.locator(".layers").inner_text()
    shared.forget_proofs()
    ada.press("Back to default: organization.name").fill(proof=PASSWORD).press("Go on")
    assert "organization.name is back to its default: Default." in ada.text


def test_changing_ones_password(shared: Server, visitor: Visitor) -> None:
    """The password is changed without JavaScript."""
    plain(visitor, shared).sign_in().create("eve").flip("Active: eve")
    eve = plain(visitor, shared).sign_in("eve").open("/account/password")
    eve.fill(current_password=PASSWORD, new_password=OTHER_PASSWORD).press("Change password")
    assert "Your password is changed" in eve.text
    assert eve.press("Sign out").sign_in("eve", OTHER_PASSWORD).path == "/"


def test_trouble_signing_in(shared: Server, visitor: Visitor) -> None:
    """The sign-in page explains recovery to whoever opens it, without JavaScript."""
    ada = plain(visitor, shared).open("/login")
    ada.page.get_by_text("Trouble signing in?").click()
    assert "basic-auth" in ada.text
