"""People in a real browser: invited, let in, kept out; what they see of their own sessions."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.person import Person
from tests.server_process import Server, installation
from tests.world import BOB, DORA, OTHER_PASSWORD, PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-people")]
Visitor = Callable[..., Person]
GRACE = "grace@example.com"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, shared_url: str | None) -> Iterator[Server]:
    """A running server with Ada, the owner, and Dora, a superuser."""
    with installation(tmp_path_factory.mktemp("people"), database_url=shared_url) as server:
        server.start().set_up()
        server.run("superuser", "--username", DORA, "--password-stdin", typed=PASSWORD + "\n")
        yield server


def invite(ada: Person, username: str) -> str:
    """Create an active user without a password; return the one the page shows."""
    ada.open("/admin/users/new").fill(username=username)
    ada.field("Active may sign in").check()
    ada.press("Save")
    return ada.page.locator(".password").inner_text()


def own_page(ada: Person, username: str) -> Person:
    """Open a user's page through the list."""
    return ada.open(f"/admin/users?q={username}").follow(username)


# -- the same form twice ---------------------------------------------------------------------------------------


def test_a_double_click_sends_once(shared: Server, visitor: Visitor) -> None:
    """Whoever clicks twice on Change password changed it once, and stays signed in."""
    ada = visitor(shared).sign_in()
    initial = invite(ada, "dot")
    dot = visitor(shared).sign_in("dot", initial)
    dot.fill(current_password=initial, new_password=OTHER_PASSWORD)
    with dot.page.expect_navigation():
        dot.page.get_by_role("button", name="Change password", exact=True).dblclick()
    assert dot.is_signed_in()


# -- invitations ----------------------------------------------------------------------------------------------


def test_from_invitation_to_a_password_of_ones_own(shared: Server, visitor: Visitor) -> None:
    """An invited user signs in with the initial password, has to replace it, and only then gets in."""
    initial = invite(visitor(shared).sign_in(), GRACE)
    grace = visitor(shared).sign_in(GRACE, initial)
    assert grace.heading == "Choose a password of your own"
    assert [grace.open(page).path for page in ("/", "/account", "/account/sessions")] == ["/account/password"] * 3
    grace.fill(current_password=initial, new_password=initial).press("Change password")
    assert "choose another one" in grace.text
    grace.fill(current_password=initial, new_password=OTHER_PASSWORD).press("Change password")
    assert grace.path == "/account/sessions"  # where they were going
    assert "do not match" in visitor(shared).sign_in(GRACE, initial).text


def test_the_initial_password_is_shown_once(shared: Server, visitor: Visitor) -> None:
    """Going on and coming back shows the user, and nowhere the initial password."""
    ada = visitor(shared).sign_in()
    initial = invite(ada, "alan")
    for page in ("/admin/users", "/admin/users?q=alan", "/admin/users/new", "/"):
        assert initial not in ada.open(page).page.content()


def test_a_pasted_list(shared: Server, visitor: Visitor) -> None:
    """A pasted list is shown first, with what is wrong in which line; mended, it creates everybody at once."""
    ada = visitor(shared).sign_in().open("/admin/users").follow("Paste a list")
    ada.fill(users="katherine, Katherine Johnson\nKATHERINE\nedsger, Edsger Dijkstra").press("Preview")
    assert "The same user name stands in line 1." in ada.text
    ada.fill(users="katherine, Katherine Johnson\nedsger, Edsger Dijkstra")
    ada.field("Active may sign in at once").check()
    ada.press("Preview").press("Create 2 users")
    passwords = ada.page.locator(".password").all_inner_texts()
    assert len(set(passwords)) == 2
    edsger = visitor(shared).sign_in("edsger", passwords[1])
    assert edsger.heading == "Choose a password of your own"


def test_copying_initial_passwords(shared: Server, visitor: Visitor) -> None:
    """A button copies one initial password, another all of them with their names, one a line."""
    ada = visitor(shared, permissions=["clipboard-read", "clipboard-write"]).sign_in().open("/admin/users/list")
    ada.fill(users="barbara\nradia").press("Preview").press("Create 2 users")
    first, second = ada.page.locator(".password").all_inner_texts()
    ada.page.get_by_role("button", name="Copy the password of barbara").click()
    expect(ada.page.get_by_text("Copied")).to_be_visible()
    assert ada.page.evaluate("navigator.clipboard.readText()") == first
    ada.page.get_by_role("button", name="Copy all").click()
    expect(ada.page.get_by_text("Copied").first).to_be_visible()
    assert ada.page.evaluate("navigator.clipboard.readText()") == f"barbara\t{first}\nradia\t{second}\n"


def test_resetting_a_password(shared: Server, visitor: Visitor) -> None:
    """A reset shows a new initial password, and signs the user out at the next click."""
    ada = visitor(shared).sign_in()
    ada.create("frances").flip("Active: frances")
    frances = visitor(shared).sign_in("frances")
    assert frances.is_signed_in()
    own_page(ada, "frances").press("Reset password")
    initial = ada.page.locator(".password").inner_text()
    assert frances.open("/").path == "/login"
    assert frances.sign_in("frances", initial).heading == "Choose a password of your own"


# -- sessions -------------------------------------------------------------------------------------------------


def test_ending_a_session_from_another_browser(shared: Server, visitor: Visitor) -> None:
    """Somebody with two browsers ends the session of one from the other."""
    visitor(shared).sign_in().create(BOB).flip(f"Active: {BOB}")
    desk, phone = visitor(shared).sign_in(BOB), visitor(shared).sign_in(BOB)
    desk.open("/account").follow("Where you are signed in")
    assert desk.page.get_by_text("This browser").count() == 1
    with desk.page.expect_navigation():
        desk.page.get_by_role("button", name="Sign out: ").click()
    assert "That browser is signed out." in desk.text
    assert phone.open("/").path == "/login"
    assert desk.is_signed_in()


def test_a_superuser_ends_a_session(shared: Server, visitor: Visitor) -> None:
    """On the page of sessions a superuser signs a browser of somebody else's out."""
    ada, dora = visitor(shared).sign_in(), visitor(shared).sign_in(DORA)
    ada.open("/admin/sessions")
    with ada.page.expect_navigation():
        ada.page.get_by_role("button", name=f"Sign out {DORA}").first.click()
    assert f"A session of {DORA} has ended." in ada.text
    assert dora.open("/").path == "/login"


# -- the admin page -------------------------------------------------------------------------------------------


def test_several_at_once(shared: Server, visitor: Visitor) -> None:
    """Choosing all of a search and deactivating them is one button; deleting them asks for a typed word."""
    ada = visitor(shared).sign_in()
    for number in (1, 2, 3):
        ada.create(f"temp{number}").flip(f"Active: temp{number}")
    ada.open("/admin/users").fill(q="temp").press("Search")
    ada.page.get_by_role("checkbox", name="Choose all on this page").check()
    assert "With the 3 chosen:" in ada.text
    ada.press("Deactivate")
    assert ada.switch("Active: temp2").get_attribute("aria-checked") == "false"
    ada.page.get_by_role("checkbox", name="Choose all on this page").check()
    ada.press("Delete…").fill(typed="no").press("Delete for good")
    assert "That is not the word delete." in ada.text
    ada.fill(typed="delete").press("Delete for good")
    assert "3 users deleted." in ada.text
    assert "Nobody found." in ada.text


def test_deleting_somebody(shared: Server, visitor: Visitor) -> None:
    """A user is deleted only after their name was typed."""
    ada = visitor(shared).sign_in().create("leslie")
    own_page(ada, "leslie").follow("Delete this user")
    assert "That is not the user name." in ada.fill(typed="leslei").press("Delete for good").text
    assert "leslie is deleted." in ada.fill(typed="leslie").press("Delete for good").text


def test_taking_away_ones_own_role(shared: Server, visitor: Visitor) -> None:
    """A superuser who switches themselves off is asked twice, and may still cancel."""
    visitor(shared).sign_in().open("/admin/users/new")
    shared.run("superuser", "--username", "donald", "--password-stdin", typed=PASSWORD + "\n")
    donald = visitor(shared).sign_in("donald").open("/admin/users?q=donald").flip("Superuser: donald")
    assert donald.heading == "Are you sure?"
    donald.follow("Cancel")
    assert donald.switch("Superuser: donald").get_attribute("aria-checked") == "true"
    donald.flip("Superuser: donald").press("Yes, take it away")
    assert donald.open("/admin/users").heading == "Not allowed"


def test_the_password_is_asked_again(shared: Server, visitor: Visitor) -> None:
    """When the password was typed a while ago, a change asks for it first, and then does what was wanted."""
    ada = visitor(shared).sign_in().create("edith")
    own_page(ada, "edith")
    shared.forget_proofs()
    ada.flip("Active: edith")
    assert ada.heading == "Is it you?"
    ada.fill(proof="wrong").press("Go on")
    assert "That is not your current password." in ada.text
    ada.fill(proof=PASSWORD).press("Go on")
    assert ada.switch("Active: edith").get_attribute("aria-checked") == "true"
    ada.flip("Superuser: edith")
    assert ada.switch("Superuser: edith").get_attribute("aria-checked") == "true"
