"""The pages are used with the keyboard alone, and one always sees where one is."""

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.person import Person
from tests.server_process import Server
from tests.world import ADA, BOB, PASSWORD

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser-keyboard"),
    pytest.mark.sqlite(reason="the pages are the same on both; test_story.py and others run on both"),
]
Visitor = Callable[..., Person]
MOST_STEPS = 100
# What the focused element is called, and whether an outline shows that it has the focus.
WHERE = """() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  const label = element.labels?.[0]?.innerText;
  return {
    name: (element.getAttribute("aria-label") || label || (element !== document.body && element.innerText)
      || element.tagName).trim(),
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    on_screen: element.getBoundingClientRect().right > 0,
  };
}"""


def step_to(person: Person, name: str) -> None:
    """Press Tab until the thing with this name has the focus; each stop on the way must be visible."""
    for _ in range(MOST_STEPS):
        person.page.keyboard.press("Tab")
        where = person.page.evaluate(WHERE)
        if where["name"] == "BODY":  # around the end
            continue
        assert where["outlined"], f"nobody sees that {where['name']} has the focus"
        assert where["on_screen"], f"{where['name']} has the focus outside of the screen"
        if where["name"].startswith(name):
            return
    raise AssertionError(f"Tab never reaches {name}")


def use(person: Person, name: str, key: str = "Enter") -> None:
    """Step to a link or button and press a key that leads to another page."""
    step_to(person, name)
    with person.page.expect_navigation():
        person.page.keyboard.press(key)


def type_into(person: Person, name: str, text: str) -> None:
    """Step to a field and type."""
    step_to(person, name)
    person.page.keyboard.type(text)


def type_at_once(person: Person, text: str) -> None:
    """Type into the field the page begins in; a browser gives it the focus a moment after the page has loaded."""
    first = person.page.locator("[autofocus]")
    expect(first).to_be_focused()
    person.page.keyboard.type(text)
    expect(first).to_have_value(text)


def test_signing_in(shared: Server, visitor: Visitor) -> None:
    """The sign-in page begins in the field for the user name, and Enter in the password signs in."""
    ada = visitor(shared).open("/login")
    type_at_once(ada, ADA)
    type_into(ada, "Password", PASSWORD)
    with ada.page.expect_navigation():
        ada.page.keyboard.press("Enter")
    assert ada.heading == f"Hello, {ADA}"


def test_a_switch_keeps_the_focus(fresh: Server, visitor: Visitor) -> None:
    """After a switch far down the list was moved, it still has the focus, and what was done can be read."""
    ada = visitor(fresh).set_up()
    ada.open("/admin/users/list").fill(users="\n".join(f"row{number:02}" for number in range(40)))
    ada.press("Preview").press("Create 40 users").open("/admin/users")
    ada.flip("Active: row30")
    expect(ada.switch("Active: row30")).to_be_focused()
    expect(ada.page.get_by_role("status")).to_be_in_viewport()
    expect(ada.switch("Active: row30")).to_be_in_viewport()


def test_the_setup(fresh: Server, visitor: Visitor) -> None:
    """The wizard is finished with the keyboard alone; Show shows the password."""
    ada = visitor(fresh).open(fresh.setup_path)
    type_at_once(ada, ADA)
    type_into(ada, "Password", PASSWORD)
    step_to(ada, "Show")
    ada.page.keyboard.press("Space")
    assert ada.page.locator("[name=password]").get_attribute("type") == "text"
    use(ada, "Finish and sign in")
    assert ada.heading == f"Hello, {ADA}"


def test_the_admin_page(shared: Server, visitor: Visitor) -> None:
    """A user is created, activated, made superuser and deactivated with the keyboard alone."""
    ada = visitor(shared).sign_in()
    use(ada, "Users")
    use(ada, "New user")
    type_at_once(ada, BOB)
    type_into(ada, "Password", PASSWORD)
    use(ada, "Save")
    for label, key, state in [
        ("Active", "Space", "true"),
        ("Superuser", "Enter", "true"),
        ("Active", "Enter", "false"),
    ]:
        use(ada, f"{label}: {BOB}", key)
        assert ada.switch(f"{label}: {BOB}").get_attribute("aria-checked") == state


def test_the_whole_list_of_users(shared: Server, visitor: Visitor) -> None:
    """With the keyboard alone users are searched, sorted, chosen, deactivated and deleted."""
    ada = visitor(shared).sign_in()
    for name in ("kim1", "kim2"):
        ada.create(name).flip(f"Active: {name}")
    ada.open("/admin/users")
    type_into(ada, "Search names", "kim")
    use(ada, "Search")
    use(ada, "Created")
    assert ada.page.locator("th[aria-sort=descending]").inner_text().startswith("Created")
    step_to(ada, "Choose all on this page")
    ada.page.keyboard.press("Space")
    use(ada, "Deactivate")
    assert ada.switch("Active: kim2").get_attribute("aria-checked") == "false"
    step_to(ada, "Choose kim1")
    ada.page.keyboard.press("Space")
    use(ada, "Delete…")
    type_at_once(ada, "delete")
    use(ada, "Delete for good")
    assert "kim1 deleted." in ada.text


def test_a_users_page(shared: Server, visitor: Visitor) -> None:
    """With the keyboard alone a user is renamed, their password reset, and they are deleted."""
    ada = visitor(shared).sign_in().create("lee").open("/admin/users?q=lee")
    use(ada, "lee")
    step_to(ada, "User name")
    ada.page.keyboard.press("Control+A")
    ada.page.keyboard.type("lee2")
    use(ada, "Save")
    assert ada.heading == "lee2"
    use(ada, "Reset password")
    use(ada, "I have it, go on")
    ada.open("/admin/users?q=lee2")
    use(ada, "lee2")
    use(ada, "Delete this user")
    type_at_once(ada, "lee2")
    use(ada, "Delete for good")
    assert "lee2 is deleted." in ada.text


def test_a_pasted_list(shared: Server, visitor: Visitor) -> None:
    """With the keyboard alone a list is typed, looked at, and created."""
    ada = visitor(shared).sign_in().open("/admin/users")
    use(ada, "Paste a list")
    type_at_once(ada, "max\nmia, Mia Moss")
    use(ada, "Preview")
    use(ada, "Create 2 users")
    use(ada, "I have them, go on")
    assert ada.heading == "Users"


def test_the_form_for_a_new_user(shared: Server, visitor: Visitor) -> None:
    """The switches of the form for a new user are moved with the space bar."""
    ada = visitor(shared).sign_in().open("/admin/users/new")
    type_at_once(ada, "dora")
    type_into(ada, "Password", PASSWORD)
    step_to(ada, "Active")
    ada.page.keyboard.press("Space")
    use(ada, "Save")
    assert ada.switch("Active: dora").get_attribute("aria-checked") == "true"


def test_a_setting(shared: Server, visitor: Visitor) -> None:
    """With the keyboard alone a setting is typed, saved with Enter, looked at layer by layer, and set back."""
    ada = visitor(shared).sign_in().open("/admin/settings")
    step_to(ada, "throttle.attempts")
    ada.page.keyboard.press("Control+A")
    ada.page.keyboard.type("7")
    with ada.page.expect_navigation():
        ada.page.keyboard.press("Enter")
    assert "Saved: throttle.attempts." in ada.text
    row = ada.page.locator("[id='throttle.attempts']")
    expect(row).to_be_in_viewport()
    step_to(ada, "Settings table")
    ada.page.keyboard.press("Enter")
    expect(row.locator(".layers")).to_contain_text("default")
    use(ada, "Back to default: throttle.attempts")
    assert "throttle.attempts is back to its default: 10." in ada.text


@pytest.mark.parametrize(
    "page",
    [
        "/",
        "/account",
        "/account/password",
        "/admin/users",
        "/admin/users/new",
        "/admin/users/list",
        "/admin/sessions",
        "/admin/settings",
        "/account/sessions",
        "/account/tokens",
        "/api/v1/docs",
        "/nothing",
    ],
)
def test_every_control_is_reached(shared: Server, visitor: Visitor, page: str) -> None:
    """Tab reaches every link, button and field of the page, and each shows that it has the focus."""
    ada = visitor(shared).sign_in().open(page)
    ada.page.evaluate("document.activeElement.blur()")
    inputs = (
        "input:enabled:not([type=hidden], [type=radio]:not(:checked))"  # arrows lead to the other radio buttons
    )
    wanted = f"a[href], button:enabled, {inputs}, select, textarea:not([hidden]), summary"
    visible = [element for element in ada.page.locator(wanted).all() if element.is_visible()]
    reached = set()
    for _ in range(MOST_STEPS):
        ada.page.keyboard.press("Tab")
        reached.add(
            ada.page.evaluate(f"() => [...document.querySelectorAll('{wanted}')].indexOf(document.activeElement)")
        )
    assert len(reached - {-1}) == len(visible)


def test_skipping_the_navigation(shared: Server, visitor: Visitor) -> None:
    """The first stop is a link that skips to the content, and is visible when it has the focus."""
    ada = visitor(shared).sign_in().open("/account")
    step_to(ada, "Skip to the content")
    ada.page.keyboard.press("Enter")
    expect(ada.page.locator("#content")).to_be_focused()
