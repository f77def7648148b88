"""Somebody in front of a real browser, who also watches what the browser complains about."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request

from tests.server_process import Server
from tests.world import ADA, PASSWORD

POLICY_WORDS = ("Content Security Policy", "Trusted Type", "TrustedHTML", "TrustedScript")


@dataclass
class Person:
    """A browser with cookies of its own, open at one page of one server."""

    server: Server
    context: BrowserContext
    page: Page
    violations: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)

    def listen(self) -> "Person":
        """Note every complaint of the console, every host that is asked, and every error of a script."""
        self.context.on("console", self._hear)
        self.context.on("request", self._see)
        self.context.on("weberror", lambda error: self.errors.append(str(error.error)))
        return self

    def _hear(self, message: ConsoleMessage) -> None:
        if any(word in message.text for word in POLICY_WORDS):
            self.violations.append(message.text)

    def _see(self, request: Request) -> None:
        self.hosts.add(urlsplit(request.url).netloc.rpartition("@")[2])

    # -- where they are -----------------------------------------------------------------------------------

    def open(self, path: str) -> "Person":
        """Type an address."""
        self.page.goto(self.server.address + path)
        return self

    @property
    def path(self) -> str:
        """The path of the page that is open."""
        return urlsplit(self.page.url).path

    @property
    def text(self) -> str:
        """What can be read on the page."""
        return self.page.locator("body").inner_text()

    @property
    def heading(self) -> str:
        """The page's heading."""
        return self.page.locator("h1").inner_text()

    # -- what they do -------------------------------------------------------------------------------------

    def field(self, label: str) -> Locator:
        """Return the field with a label."""
        return self.page.get_by_label(label, exact=True)

    def fill(self, **fields: str) -> "Person":
        """Type into the fields with these names."""
        for name, text in fields.items():
            self.page.locator(f"[name={name}]").fill(text)
        return self

    def press(self, button: str, *, part: str = "body") -> "Person":
        """Press a button, the one in a part of the page, and wait for the page that follows."""
        with self.page.expect_navigation():
            self.page.locator(part).get_by_role("button", name=button, exact=True).click()
        return self

    def follow(self, link: str) -> "Person":
        """Follow a link."""
        with self.page.expect_navigation():
            self.page.locator("a", has_text=link).first.click()
        return self

    def switch(self, label: str) -> Locator:
        """Return a switch of the table of users, such as `Active: bob`."""
        return self.page.get_by_role("switch", name=label, exact=True)

    def flip(self, label: str) -> "Person":
        """Move a switch of the table of users."""
        with self.page.expect_navigation():
            self.switch(label).click()
        return self

    # -- whole steps --------------------------------------------------------------------------------------

    def set_up(self, username: str = ADA, password: str = PASSWORD) -> "Person":
        """Open the printed link and finish the setup."""
        self.open(self.server.setup_path)
        return self.fill(username=username, password=password).press("Finish and sign in")

    def sign_in(self, username: str = ADA, password: str = PASSWORD) -> "Person":
        """Open the sign-in page, type user name and password, and press the button."""
        return self.open("/login").fill(username=username, password=password).press("Sign in")

    def create(self, username: str, password: str = PASSWORD) -> "Person":
        """As a superuser, create a user; the form is left as it is otherwise."""
        return self.open("/admin/users/new").fill(username=username, password=password).press("Save")

    def is_signed_in(self) -> bool:
        """Tell whether the home page opens."""
        return self.open("/").path == "/"


def visit(browser: Browser, server: Server, **options: object) -> Person:
    """Let somebody new open a browser; `options` are those of Playwright's `new_context`."""
    context = browser.new_context(**options)  # type: ignore[arg-type]  # each is checked where it is written
    context.set_default_timeout(20_000)
    return Person(server, context, context.new_page()).listen()
