"""Every page, light and dark, narrow and wide: axe finds no violation, and nothing scrolls sideways."""

import json
import time
from collections.abc import Callable, Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.person import Person, visit
from tests.server_process import Server, credentials, installation, wait_for
from tests.world import ADA, BOB, DORA, OTHER_PASSWORD, PASSWORD, WEAK_PASSWORD

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser-accessibility"),
    pytest.mark.sqlite(reason="the pages are the same on both; test_story.py and others run on both"),
]
LONG_NAME = "a-very-long-user-name-that-goes-on-and-on@a-very-long-domain-name-indeed.example.com"
Way = Callable[[Person], object]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with several users, one with a long name, and a config file that supplies something."""
    with installation(tmp_path_factory.mktemp("shared")) as server:
        server.start().set_up()
        for name in (BOB, LONG_NAME):
            server.run("superuser", "--username", name, "--password-stdin", typed=PASSWORD + "\n")
        server.run("user", "add", DORA, "--full-name", "Dora the Second", "--active")
        for name in (ADA, LONG_NAME):
            server.run(
                "token", "add", name, "a program with quite a long name, which runs each night", "--expires", "9d"
            )
            server.run("token", "add", name, "unbounded", "--scope", "admin")
        server.write_config("organization:\n  name: An Organization With A Long Name\nauth:\n  mode: basic\n")
        yield server


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that started closed."""
    with installation(tmp_path_factory.mktemp("closed")) as server:
        server.write_config(credentials(ADA, WEAK_PASSWORD))
        yield server.start()


@pytest.fixture(scope="module")
def open_to_all(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server where strangers may sign up."""
    with installation(tmp_path_factory.mktemp("open")) as server:
        server.write_config("auth:\n  sign-up: true\n")
        server.start().set_up()
        yield server


@pytest.fixture(scope="module")
def recovering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose owner got new credentials from the file, and then a bad edit; there is another superuser."""
    with installation(tmp_path_factory.mktemp("recovering")) as server:
        server.start().set_up()
        server.run("superuser", "--username", DORA, "--password-stdin", typed=PASSWORD + "\n")
        server.run("token", "add", DORA, "nightly")
        server.recover(ADA, OTHER_PASSWORD)
        server.write_config(credentials(ADA, WEAK_PASSWORD))
        wait_for(lambda: "config.yml, line" in server.client().get("/login").text, "the edit is refused")
        yield server


@pytest.fixture
def bypassing(browser: Browser) -> Iterator[Callable[[Server], Person]]:
    """Let somebody open a browser that lets axe's own script in, whatever the page's policy says."""
    people: list[Person] = []

    def arrive(server: Server) -> Person:
        people.append(visit(browser, server, bypass_csp=True, reduced_motion="reduce"))
        return people[-1]

    yield arrive
    for person in people:
        person.context.close()


def finish(person: Person) -> None:
    """Submit the setup with a weak password."""
    person.open(person.server.setup_path).fill(username=ADA, password=WEAK_PASSWORD).press("Finish and sign in")


def paste(person: Person, users: str) -> Person:
    """As Ada, look at a pasted list."""
    return person.sign_in().open("/admin/users/list").fill(users=users).press("Preview")


def delete_all(person: Person) -> Person:
    """As Ada, choose everybody and ask to delete them."""
    person.sign_in().open("/admin/users")
    person.page.get_by_role("checkbox", name="Choose all on this page").check()
    return person.press("Delete…")


def be_asked_again(person: Person) -> None:
    """As Ada, change something long after the password was typed."""
    person.sign_in().open("/admin/users")
    person.server.forget_proofs()
    person.flip(f"Active: {LONG_NAME}").fill(proof="wrong").press("Go on")


def be_invited(person: Person) -> None:
    """Sign in with an initial password."""
    made = json.loads(person.server.run("user", "add", f"g{time.time_ns()}", "--active", "--json").stdout)
    person.sign_in(made["username"], made["initial_password"])


def show_recovery(person: Person) -> None:
    """Open the sign-in page and unfold what it says about recovery."""
    person.open("/login").page.get_by_text("Trouble signing in?").click()


def unfold(person: Person) -> None:
    """As Ada, set something, and look at what each layer says of every option."""
    person.sign_in().open("/admin/settings")
    person.page.get_by_label("throttle.attempts", exact=True).fill("7")
    person.press("Save all changes", part="#throttle")
    for summary in person.page.locator("summary").all():
        summary.click()


def be_refused(person: Person) -> None:
    """As Ada, type something that does not fit."""
    person.sign_in().open("/admin/settings")
    person.page.get_by_label("session.lifetime", exact=True).fill("soon")
    person.press("Save all changes", part="#session")


def make_token(person: Person, name: str) -> Person:
    """As Ada, make an API token."""
    return person.sign_in().open("/account/tokens").fill(name=name).press("Make token")


def unfold_api(person: Person) -> None:
    """As Ada, look at some of what the API's documentation says."""
    person.sign_in().open("/api/v1/docs")
    for operation in ("login", "create_users", "all_users", "all_settings"):
        person.page.locator(f"#{operation} summary").click()


# name -> the server it is a page of, and the way to it
PAGES: dict[str, tuple[str, Way]] = {
    "setup token": ("waiting", lambda person: person.open("/setup")),
    "setup token, wrong": ("waiting", lambda person: person.open("/setup").fill(token="wrong").press("Continue")),
    "setup": ("waiting", lambda person: person.open(person.server.setup_path)),
    "setup, half typed": ("waiting", lambda person: person.open(person.server.setup_path).fill(password="Abc")),
    "setup, refused": ("waiting", finish),
    "setup, finished": ("shared", lambda person: person.open("/setup")),
    "sign in": ("shared", show_recovery),
    "sign in, refused": ("shared", lambda person: person.sign_in(ADA, "wrong")),
    "sign in, signed out": ("shared", lambda person: person.sign_in().press("Sign out")),
    "sign in, bad edit": ("recovering", lambda person: person.open("/login")),
    "home": ("shared", lambda person: person.sign_in()),
    "account": ("shared", lambda person: person.sign_in().open("/account")),
    "password": ("shared", lambda person: person.sign_in().open("/account/password")),
    "password, refused": (
        "shared",
        lambda person: (
            person.sign_in()
            .open("/account/password")
            .fill(current_password="wrong", new_password=OTHER_PASSWORD)
            .press("Change password")
        ),
    ),
    "users": ("shared", lambda person: person.sign_in().open("/admin/users")),
    "new user": ("shared", lambda person: person.sign_in().open("/admin/users/new")),
    "new user, refused": ("shared", lambda person: person.sign_in().create(BOB, WEAK_PASSWORD)),
    "users, found": (
        "shared",
        lambda person: person.sign_in().open("/admin/users?q=a-very&role=admin&sort=-created_at"),
    ),
    "users, none found": ("shared", lambda person: person.sign_in().open("/admin/users?q=nobody-is-called-so")),
    "users, deleting several": ("shared", delete_all),
    "new list": ("shared", lambda person: person.sign_in().open("/admin/users/list")),
    "new list, refused": ("shared", lambda person: paste(person, f"{LONG_NAME}, Somebody\na:b")),
    "new list, preview": ("shared", lambda person: paste(person, "grace, Grace Hopper\nnew-" + LONG_NAME)),
    "initial passwords": (
        "shared",
        lambda person: paste(person, f"u{time.time_ns()}\nw{time.time_ns()}@example.com").press("Create 2 users"),
    ),
    "a user": ("shared", lambda person: person.sign_in().open("/admin/users?q=a-very").follow(LONG_NAME)),
    "a user, invited": ("shared", lambda person: person.sign_in().open("/admin/users?q=dora").follow(DORA)),
    "a user, deleting": (
        "shared",
        lambda person: (
            person.sign_in()
            .open("/admin/users?q=a-very")
            .follow(LONG_NAME)
            .follow("Delete this user")
            .fill(typed="x")
            .press("Delete for good")
        ),
    ),
    "asked for the password again": ("shared", be_asked_again),
    "asked twice": (
        "shared",
        lambda person: person.sign_in(BOB).open("/admin/users?q=bob").flip(f"Superuser: {BOB}"),
    ),
    "sessions": ("shared", lambda person: person.sign_in().open("/admin/sessions")),
    "audit": ("shared", lambda person: person.sign_in().open("/admin/audit?outcome=success")),
    "audit, none found": ("shared", lambda person: person.sign_in().open("/admin/audit?user=nobody")),
    "settings": ("shared", lambda person: person.sign_in().open("/admin/settings")),
    "settings, unfolded": ("shared", unfold),
    "settings, refused": ("shared", be_refused),
    "own sessions": ("shared", lambda person: person.sign_in().open("/account/sessions")),
    "tokens": ("shared", lambda person: person.sign_in().open("/account/tokens")),
    "tokens, refused": ("shared", lambda person: make_token(person, "x" * 101)),
    "new token": ("shared", lambda person: make_token(person, f"program {time.time_ns()}")),
    "API": ("shared", unfold_api),
    "initial password to be replaced": ("shared", be_invited),
    "sign up": ("open_to_all", lambda person: person.open("/sign-up")),
    "sign in, with a link to sign up": ("open_to_all", lambda person: person.open("/login")),
    "signed up": (
        "open_to_all",
        lambda person: person.open("/sign-up").fill(username=BOB, password=PASSWORD).press("Sign up"),
    ),
    "not found": ("shared", lambda person: person.sign_in().open("/nothing")),
    "closed start": ("closed", lambda person: person.open("/")),
    "recovery": ("recovering", lambda person: person.sign_in(ADA, OTHER_PASSWORD)),
    "home, just set up": ("fresh", lambda person: person.set_up()),
}


def look_at(person: Person) -> Iterator[str]:
    """Show a page light and dark, narrow and wide; gives the name of each look."""
    for scheme in ("light", "dark"):
        for width in (390, 1280):
            person.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            person.page.set_viewport_size({"width": width, "height": 800})
            yield f"{scheme}, {width} px"


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_accessible(
    request: pytest.FixtureRequest, bypassing: Callable[[Server], Person], name: str
) -> None:
    """Axe finds no violation on the page, light or dark, at 390 or 1280 px, and it never scrolls sideways."""
    place, way = PAGES[name]
    person = bypassing(request.getfixturevalue(place))
    way(person)
    for look in look_at(person):
        found = Axe().run(person.page)
        assert found.violations_count == 0, f"{look}: {found.generate_report()}"
        assert person.page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0, look
