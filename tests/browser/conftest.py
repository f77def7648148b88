"""What the tests in a browser share: Chromium, servers, and people who use them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.person import Person, visit
from tests.programs import find_chromium
from tests.server_process import Server, installation

# As root Chromium starts only without its sandbox; the rest keeps it from asking anybody anything by itself.
CHROMIUM_OPTIONS = ["--no-sandbox", "--disable-quic", "--disable-background-networking"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of a process."""
    program = find_chromium()
    assert program is not None, "a test in a browser lacks its marker"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def fresh(tmp_path: Path, database_url: str | None) -> Iterator[Server]:
    """A running server nobody has set up yet."""
    with installation(tmp_path, database_url=database_url) as server:
        yield server.start()


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory, other_url: str | None) -> Iterator[Server]:
    """A running server that waits for its setup, for all tests of a file that do not finish it."""
    with installation(tmp_path_factory.mktemp("waiting"), database_url=other_url) as server:
        yield server.start()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, shared_url: str | None) -> Iterator[Server]:
    """A running server that Ada has set up, for all tests of a file."""
    with installation(tmp_path_factory.mktemp("shared"), database_url=shared_url) as server:
        server.start().set_up()
        yield server


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Callable[..., Person]]:
    """Let somebody new open a browser: `visitor(server)`.

    Afterwards no page may have broken the Content-Security-Policy, failed in a script, or asked another host.
    """
    people: list[Person] = []

    def arrive(server: Server, **options: object) -> Person:
        people.append(visit(browser, server, **options))
        return people[-1]

    yield arrive
    for person in people:
        person.context.close()
    for person in people:
        assert person.violations == []
        assert person.errors == []
        assert person.hosts <= {f"127.0.0.1:{person.server.port}"}
