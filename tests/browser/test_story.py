"""The main job in a real browser: set up, sign in, look after users, recover by editing the config file."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.person import Person, visit
from tests.server_process import Server, wait_for
from tests.world import ADA, BOB, CHARLIE, OTHER_PASSWORD, PASSWORD, WEAK_PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser-story")]
Visitor = Callable[..., Person]

# -- story 1: first run ---------------------------------------------------------------------------------------


def test_every_page_leads_to_the_setup(waiting: Server, visitor: Visitor) -> None:
    """Before the setup the start page, and any other, leads to the wizard, which asks for the setup token."""
    ada = visitor(waiting)
    assert [ada.open(page).path for page in ("/", "/login", "/admin/users", "/nothing")] == ["/setup"] * 4
    assert ada.field("Setup token").is_visible()


def test_the_printed_link_opens_the_wizard(waiting: Server, visitor: Visitor) -> None:
    """The printed link proves access: it leads to the credentials, and the token is gone from the address."""
    ada = visitor(waiting)
    ada.page.goto(waiting.setup_link)
    assert ada.page.url == f"{waiting.address}/setup"
    assert ada.heading == "Choose your credentials"


def test_the_token_can_be_pasted(waiting: Server, visitor: Visitor) -> None:
    """Without the link the token from the data folder opens the wizard; a wrong one is refused."""
    ada = visitor(waiting).open("/").fill(token="wrong").press("Continue")
    assert "That setup token is not valid." in ada.text
    ada.fill(token=(waiting.folder / "data" / "setup-token").read_text(encoding="ascii")).press("Continue")
    assert ada.heading == "Choose your credentials"


def rules(person: Person) -> dict[str, str]:
    """Return the password rules on the page: the first words, and `met`, `unmet` or nothing."""
    found = person.page.locator("[data-rule]").all()
    return {rule.inner_text()[:14]: rule.get_attribute("class") or "" for rule in found}


def test_the_rules_tick_while_typing(waiting: Server, visitor: Visitor) -> None:
    """Each rule that the browser can check is ticked or not with every letter that is typed."""
    ada = visitor(waiting).open(waiting.setup_path).fill(username=ADA)
    field = ada.field("Password")
    assert set(rules(ada).values()) == {""}
    field.press_sequentially("abc")
    assert (rules(ada)["a lower-case l"], rules(ada)["an upper-case "]) == ("met", "unmet")
    field.press_sequentially("D-")
    assert (rules(ada)["an upper-case "], rules(ada)["a symbol, such"], rules(ada)["at least 12 ch"]) == (
        ("met", "met", "unmet")
    )
    field.fill("")
    assert set(rules(ada).values()) == {""}


def test_the_rule_the_server_checks_ticks_too(waiting: Server, visitor: Visitor) -> None:
    """Whether a password is easy to guess, which the server alone can tell, is shown while typing too."""
    ada = visitor(waiting).open(waiting.setup_path).fill(username=ADA)
    hard = ada.page.locator("[data-rule^='hard to guess']")
    ada.field("Password").press_sequentially("Password-1234")
    expect(hard).to_have_class("unmet")
    ada.field("Password").fill(PASSWORD)
    expect(hard).to_have_class("met")


def test_the_user_name_is_no_password(waiting: Server, visitor: Visitor) -> None:
    """The rule that the password is not the user name follows what is typed into either field."""
    ada = visitor(waiting).open(waiting.setup_path).fill(username=PASSWORD, password=PASSWORD)
    not_name = ada.page.locator("[data-rule='not the user name']")
    expect(not_name).to_have_class("unmet")
    ada.fill(username=ADA)
    expect(not_name).to_have_class("met")


def test_a_weak_password_is_refused_by_the_server(waiting: Server, visitor: Visitor) -> None:
    """Submitting a weak password shows each broken rule, and keeps the user name that was typed."""
    ada = visitor(waiting).open(waiting.setup_path).fill(username=ADA, password=WEAK_PASSWORD)
    ada.press("Finish and sign in")
    assert "at least 12 characters" in ada.page.locator(".error").inner_text()
    assert ada.field("User name").input_value() == ADA
    assert ada.field("Password").input_value() == ""


def test_the_password_can_be_shown(waiting: Server, visitor: Visitor) -> None:
    """A button shows the password as it is typed, and hides it again."""
    ada = visitor(waiting).open(waiting.setup_path).fill(password=PASSWORD)
    field = ada.field("Password")
    ada.page.get_by_role("button", name="Show").click()
    assert field.get_attribute("type") == "text"
    ada.page.get_by_role("button", name="Hide").click()
    assert field.get_attribute("type") == "password"


def test_the_setup_ends_signed_in(fresh: Server, visitor: Visitor) -> None:
    """The wizard ends on the home page, which says who you are, what to do next, and how to get back in."""
    ada = visitor(fresh).set_up()
    assert ada.path == "/"
    assert ada.heading == f"Hello, {ADA}"
    assert "Create a user" in ada.text
    ada.page.get_by_text("If you ever lose your password").click()
    assert "config.yml" in ada.text


def test_the_setup_is_gone_afterwards(shared: Server, visitor: Visitor) -> None:
    """After the setup its page says that it is finished and leads to the sign-in page."""
    bob = visitor(shared).open("/setup")
    assert bob.heading == "Setup is finished"
    assert bob.follow("Sign in").path == "/login"


# -- story 2: signing in --------------------------------------------------------------------------------------


def test_signing_out_and_in(shared: Server, visitor: Visitor) -> None:
    """Signing out leads to the sign-in page and says so; signing in leads home."""
    ada = visitor(shared).sign_in().press("Sign out")
    assert ada.path == "/login"
    assert "You are signed out." in ada.text
    assert ada.fill(username=ADA, password=PASSWORD).press("Sign in").heading == f"Hello, {ADA}"


@pytest.mark.parametrize(("username", "password"), [(ADA, "wrong"), ("nobody", PASSWORD)])
def test_a_wrong_sign_in(shared: Server, visitor: Visitor, username: str, password: str) -> None:
    """A wrong password and an unknown user name are refused with the same neutral sentence."""
    ada = visitor(shared).sign_in(username, password)
    assert ada.page.get_by_role("alert").all_inner_texts() == ["That user name and password do not match."]
    assert not ada.is_signed_in()


def test_signing_in_leads_to_where_one_wanted(shared: Server, visitor: Visitor) -> None:
    """Whoever opens a page without being signed in lands on it after signing in."""
    ada = visitor(shared).open("/admin/users")
    assert ada.path == "/login"
    assert ada.fill(username=ADA, password=PASSWORD).press("Sign in").path == "/admin/users"


def test_a_restart_signs_nobody_out(shared: Server, visitor: Visitor) -> None:
    """The browser stays signed in when the server is restarted."""
    ada = visitor(shared).sign_in()
    shared.restart()
    assert ada.is_signed_in()


def test_staying_signed_in_is_a_choice(shared: Server, visitor: Visitor) -> None:
    """The cookie ends with the browser, unless somebody chose to be kept signed in."""
    ada, bob = visitor(shared).sign_in(), visitor(shared).open("/login")
    bob.field("Keep me signed in").check()
    bob.fill(username=ADA, password=PASSWORD).press("Sign in")
    assert [cookie["expires"] for cookie in ada.context.cookies()] == [-1]
    assert all(cookie["expires"] > 0 for cookie in bob.context.cookies())


def test_scripts_cannot_read_the_cookie(shared: Server, visitor: Visitor) -> None:
    """No script of the page sees the session cookie."""
    ada = visitor(shared).sign_in()
    assert ada.context.cookies()
    assert ada.page.evaluate("document.cookie") == ""


# -- story 3: users -------------------------------------------------------------------------------------------


def test_the_first_look_at_the_users(fresh: Server, visitor: Visitor) -> None:
    """While there is nobody but the owner, the list says so and leads to creating a user."""
    ada = visitor(fresh).set_up().follow("Users")
    assert "So far it is just you." in ada.text
    assert ada.follow("New user").path == "/admin/users/new"


def test_a_new_user_has_to_be_activated(shared: Server, visitor: Visitor) -> None:
    """A user is created inactive and refused; once active they sign in; deactivated, the next click is the last."""
    ada, bob = visitor(shared).sign_in(), visitor(shared)
    assert ada.create(BOB).switch(f"Active: {BOB}").get_attribute("aria-checked") == "false"
    assert "activate" in bob.sign_in(BOB).page.get_by_role("alert").inner_text()
    assert "may sign in" in ada.flip(f"Active: {BOB}").text
    assert bob.sign_in(BOB).heading == f"Hello, {BOB}"
    ada.flip(f"Active: {BOB}")
    assert bob.follow("Account").path == "/login"


def test_a_superuser_is_made_and_unmade(shared: Server, visitor: Visitor) -> None:
    """Who is made superuser may open the admin pages with the next click, and when it is taken back no more."""
    ada, charlie = visitor(shared).sign_in(), visitor(shared)
    ada.create(CHARLIE).flip(f"Active: {CHARLIE}")
    assert charlie.sign_in(CHARLIE).open("/admin/users").heading == "Not allowed"
    ada.flip(f"Superuser: {CHARLIE}")
    assert charlie.open("/").follow("Users").heading == "Users"
    ada.flip(f"Superuser: {CHARLIE}")
    assert charlie.open("/admin/users").heading == "Not allowed"


def test_the_owner_has_no_switches(shared: Server, visitor: Visitor) -> None:
    """The owner can be neither deactivated nor made an ordinary user: both switches are fixed, with the reason."""
    ada = visitor(shared).sign_in().open("/admin/users")
    for label in (f"Active: {ADA}", f"Superuser: {ADA}"):
        assert ada.switch(label).is_disabled()
        assert "The owner is always" in (ada.switch(label).get_attribute("title") or "")


def test_a_name_that_is_taken(shared: Server, visitor: Visitor) -> None:
    """A second user of the same name, written differently, is refused beside the field."""
    ada = visitor(shared).sign_in().create("Zoë")
    ada.create("ZOE\N{COMBINING DIAERESIS}")
    assert ada.page.locator("#username-error").inner_text() == "Another user already has this user name."


ODD_PASSWORDS = {
    "spaces": "Spaces in  the middle!",
    "colons": "Colon: is:fine:too",
    "euro": "Zone-€uro kostet 5 €",
    "emoji": "Emoji 🦊 and 🐻 bite!",
    "256 characters": PASSWORD.ljust(256, "."),
}


@pytest.mark.parametrize("kind", ODD_PASSWORDS)
def test_any_password_works(shared: Server, visitor: Visitor, kind: str) -> None:
    """Passwords with spaces, colons, €, emoji and 256 characters work for creating a user and for signing in."""
    name, password = f"user of {kind}", ODD_PASSWORDS[kind]
    visitor(shared).sign_in().create(name, password).flip(f"Active: {name}")
    assert visitor(shared).sign_in(name, password).heading == f"Hello, {name}"


def test_changing_ones_password(shared: Server, visitor: Visitor) -> None:
    """Who changes the password stays signed in here, is signed out elsewhere, and signs in with the new one."""
    visitor(shared).sign_in().create("eve").flip("Active: eve")
    here, there = visitor(shared).sign_in("eve"), visitor(shared).sign_in("eve")
    here.open("/account/password").fill(current_password=PASSWORD, new_password=OTHER_PASSWORD).press(
        "Change password"
    )
    assert "Your password is changed" in here.text
    assert not there.is_signed_in()
    assert there.sign_in("eve", OTHER_PASSWORD).path == "/"


# -- story 4: recovery ----------------------------------------------------------------------------------------


@pytest.fixture
def recovered(fresh: Server, visitor: Visitor) -> Person:
    """Ada, signed in with the first password, when the config file has got a new one and the server noticed."""
    ada = visitor(fresh).set_up()
    fresh.recover(ADA, OTHER_PASSWORD)
    return ada


def test_an_edit_gives_new_credentials(recovered: Person) -> None:
    """Credentials written into the file while the server runs work; old credentials and sessions do not."""
    assert recovered.follow("Account").path == "/login"
    assert "do not match" in recovered.sign_in(ADA, PASSWORD).text
    assert recovered.sign_in(ADA, OTHER_PASSWORD).heading == f"Hello, {ADA}"


def test_recovery_sticks(recovered: Person) -> None:
    """When the lines are taken out of the file again, the new password still works, and the old one does not."""
    recovered.server.write_config("# nothing here\nauth:\n  new-user-is-active: true\n")
    recovered.sign_in(ADA, OTHER_PASSWORD)
    wait_for(lambda: "config.yml:3:3" in recovered.open("/admin/settings").text, "the edit is in force")
    assert recovered.press("Sign out").sign_in(ADA, OTHER_PASSWORD).path == "/"
    assert "do not match" in recovered.press("Sign out").sign_in(ADA, PASSWORD).text


def test_the_admin_pages_show_the_place(recovered: Person) -> None:
    """The admin pages show which values the file supplies, at which line and column, and no secret."""
    recovered.sign_in(ADA, OTHER_PASSWORD).open("/admin/settings")
    for key, place in {"username": "config.yml:3:5", "password": "config.yml:4:5"}.items():
        told = recovered.page.locator(f"[id='server.basic-auth.{key}'] summary").inner_text()
        assert told.startswith(f"config file {place}")
    supplied = recovered.page.locator("summary", has_text="config file").all()
    assert len(supplied) == 2
    assert OTHER_PASSWORD not in recovered.page.content()


def test_a_pinned_password_is_changed_in_the_file(recovered: Person) -> None:
    """While the file supplies the password, the page to change it names the line instead of showing a form."""
    recovered.sign_in(ADA, OTHER_PASSWORD).open("/account/password")
    assert "config.yml, line 4" in recovered.text
    assert recovered.page.locator("input[type=password]").count() == 0


def test_recovery_shows_who_else_gets_in(fresh: Server, visitor: Visitor) -> None:
    """The first page after a recovery lists the other superusers, each with a switch, until the owner goes on."""
    ada = visitor(fresh).set_up().create("mallory").flip("Active: mallory").flip("Superuser: mallory")
    fresh.recover(ADA, OTHER_PASSWORD)
    assert ada.sign_in(ADA, OTHER_PASSWORD).heading == "You are back in"
    ada.flip("Active: mallory")
    assert ada.open("/").heading == f"Hello, {ADA}"


# -- always ---------------------------------------------------------------------------------------------------


def test_a_way_out_of_an_error(shared: Server, visitor: Visitor) -> None:
    """The page for an address that does not exist says so, and leads to the start page."""
    ada = visitor(shared).sign_in().open("/nothing")
    assert ada.heading == "Nothing here"
    assert ada.follow("Go to the start page").path == "/"


def test_a_foreign_script_does_not_run(shared: Server, browser: Browser) -> None:
    """The Content-Security-Policy is enforced: a script in a page's text does not run, and the console says so."""
    ada = visit(browser, shared).open("/login")
    ada.page.evaluate(
        "() => { const script = document.createElement('script');"
        " script.append('document.title = \"owned\"'); document.head.append(script); }"
    )
    wait_for(lambda: ada.page.title() and ada.violations, "the console complains")
    assert ada.page.title() != "owned"
    ada.context.close()


def test_every_time_is_shown_in_the_visitors_own_zone(shared: Server, visitor: Visitor) -> None:
    """The last sign-in is shown in the visitor's time zone, with UTC at hand."""
    ada = visitor(shared, timezone_id="Asia/Tokyo").sign_in().open("/admin/users")
    time = ada.page.locator("time").first
    assert (time.get_attribute("title") or "").endswith("UTC")
    assert "UTC" not in time.inner_text()
