"""The cast and the stage of the tests.

Ada is the owner, Bob an active user, Charlie waits for activation, Dora is a second superuser.
"""

import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, TypeVar

import argon2
from flask.testing import FlaskClient
from sqlalchemy import NullPool, create_engine, make_url, select, text
from werkzeug.test import TestResponse

from authapp import invitations, passwords, provision, settings, users, wizard
from authapp.audit import Actor
from authapp.base import Base
from authapp.config.examine import Start, examine
from authapp.config.live import Snapshot
from authapp.database import Database, upgrade
from authapp.errors import Place
from authapp.factory import create_app
from authapp.invitations import NewUser
from authapp.models import AuditEntry, Role, SignedIn, User
from authapp.paths import Locations, locate
from authapp.variables import Variable
from authapp.web.state import App

# Only for tests: the least that argon2 accepts.
CHEAPEST = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
PASSWORD = "Correct-horse battery"
OTHER_PASSWORD = "Staple (of) Tuesdays"
WEAK_PASSWORD = "short"
ADA, BOB, CHARLIE, DORA = "ada@example.com", "bob", "charlie", "dora"
SHELL = Actor("command line", name="tests")
LOOKS = 3  # times that the app looks at its files before a test goes on with a database that gives no answer

T = TypeVar("T")


def use_cheap_hashes() -> None:
    """Make hashing cost next to nothing in this process."""
    passwords.HASHER = CHEAPEST
    passwords.dummy_hash.cache_clear()


@dataclass
class World:
    """One installation in a folder of its own: config file, data folder, database, app.

    `variables`: its environment, beside that of the tests; an app that runs has read it already.
    """

    folder: Path
    _empty_database: Path
    database_url: str | None = None
    browsers: list["Browser"] = field(default_factory=list)
    connections: list[Database] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def config_file(self) -> Path:
        """`config.yml`."""
        return self.folder / "config.yml"

    @property
    def locations(self) -> Locations:
        """Where things are."""
        found = Locations(self.config_file, named=False, data=self.folder / "data")
        if self.config_file.exists():
            found = locate(str(self.config_file))
        given = {
            name: Variable(text, Place(f"environment variable {name}")) for name, text in self.variables.items()
        }
        return replace(found, variables={**found.variables, **given})

    @cached_property
    def database(self) -> Database:
        """The database, with its schema and what every installation has."""
        database = self.connect()
        upgrade(database)
        provision.prepare(database, Start.from_layers(examine(self.locations)).values["auth.mode"])
        return database

    def connect(self) -> Database:
        """Open the database as a process of its own would; at first there is only the schema."""
        data = self.folder / "data"
        data.mkdir(mode=0o700, exist_ok=True)
        if self.database_url is None and not (data / "authapp.db").exists():
            shutil.copy(self._empty_database, data / "authapp.db")
        database = Database(self.database_url or f"sqlite:///{data / 'authapp.db'}")
        self.connections.append(database)
        return database

    @cached_property
    def app(self) -> App:
        """The app; made when it is first asked for, so write the config file before."""
        _ = self.database
        overrules = {"database.url": self.database_url} if self.database_url else {}
        app = create_app(self.locations, Start.from_layers(examine(self.locations), overrules))
        app.testing = False  # errors become answers, as in production
        return app

    def write_mode(self, mode: str, *, credentials: bool = False) -> None:
        """Write `auth.mode` into the config file, with Ada's credentials or without."""
        given = f"server: {{basic-auth: {{username: '{ADA}', password: '{PASSWORD}'}}}}\n" if credentials else ""
        self.write_config(f"auth: {{mode: {mode}}}\n{given}")

    def restart(self) -> None:
        """Stop the app; the next that is asked for starts with the files as they are now."""
        if app := self.__dict__.pop("app", None):
            app.database.dispose()

    @property
    def is_untouched(self) -> bool:
        """Whether nothing was written or opened yet."""
        return not self.connections and not self.variables and not any(self.folder.iterdir())

    # -- the config file ----------------------------------------------------------------------------------

    def write_config(self, text: str) -> None:
        """Put a config file in place, as if saved a second ago, and let the app look at it."""
        draft = self.folder / "config.yml.new"
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o600)
        a_second_ago = time.time_ns() - 10**9
        os.utime(draft, ns=(a_second_ago, a_second_ago))
        draft.replace(self.config_file)
        self.look()

    def remove_config(self) -> None:
        """Take the config file away."""
        self.config_file.unlink()
        self.look()

    def write_credentials(self, username: str | None = ADA, password: str | None = PASSWORD) -> None:
        """Write `server.basic-auth` into the config file."""
        lines = ["server:", "  basic-auth:"]
        lines += [f"    username: '{username}'"] if username is not None else []
        lines += [f"    password: '{password}'"] if password is not None else []
        self.write_config("\n".join(lines) + "\n")

    def look(self) -> None:
        """Let the app, if there is one already, look at its files now.

        A look that was put off, because a busy database gave no answer in time, is tried again a few times.
        """
        if "app" in self.__dict__:
            any(self.app.live.look() for _ in range(LOOKS))

    @property
    def snapshot(self) -> Snapshot:
        """The state of the config in force."""
        return self.app.live.snapshot

    # -- people -------------------------------------------------------------------------------------------

    def set_up(self, username: str = ADA, password: str = PASSWORD) -> User:
        """Finish the setup with Ada as the owner."""
        assert wizard.found_by_command(self.database, self.snapshot, username, password, SHELL)
        return self.user(username)

    def add(self, username: str, *, active: bool = True, superuser: bool = False, password: str = PASSWORD) -> User:
        """Add a user."""
        wanted = NewUser(username, password=password, role=Role.ADMIN if superuser else Role.USER, active=active)
        return invitations.invite(self.database, self.snapshot.effective, [wanted], SHELL)[0].user

    def add_cast(self) -> None:
        """Set up, and add Bob, Charlie and Dora."""
        self.set_up()
        self.add(BOB)
        self.add(CHARLIE, active=False)
        self.add(DORA, superuser=True)

    def user(self, username: str) -> User:
        """Return a user as the database has it now."""
        with self.database.reading() as db:
            found = users.find(db, username)
        assert found is not None, f"nobody is called {username}"
        return found

    def setup_token(self) -> str:
        """Return a good setup token."""
        token = wizard.ensure_token(self.database, self.snapshot, self.folder / "data")
        assert token is not None
        return token

    # -- what the database says ---------------------------------------------------------------------------

    def setting(self, key: str) -> Any:
        """Return a row of the Settings table."""
        with self.database.reading() as db:
            return settings.load(db, key)

    def events(self) -> list[str]:
        """Return the audit table as `event outcome`, oldest first."""
        with self.database.reading() as db:
            rows = db.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
        return [f"{row.event} {row.outcome}" for row in rows]

    def audit(self, event: str) -> list[AuditEntry]:
        """Return the audit entries of one kind, oldest first."""
        with self.database.reading() as db:
            return list(db.scalars(select(AuditEntry).where(AuditEntry.event == event).order_by(AuditEntry.id)))

    def sessions_of(self, username: str) -> int:
        """Count a user's sessions."""
        with self.database.reading() as db:
            wanted = select(SignedIn).join(User, User.id == SignedIn.user_id).where(User.username == username)
            return len(db.scalars(wanted).all())

    def tables(self) -> dict[str, list[str]]:
        """Return every row of every table, as text."""
        with self.database.engine.connect() as connection:
            return {
                table.name: sorted(str(tuple(row)) for row in connection.execute(table.select()))
                for table in Base.metadata.sorted_tables
            }

    def wizard(self) -> "Browser":
        """Return a browser that opened the address with the setup token."""
        browser = self.browser()
        browser.get(f"/setup?token={self.setup_token()}")
        return browser

    def browser(self) -> "Browser":
        """Return a new browser."""
        browser = Browser(self.app.test_client())
        self.browsers.append(browser)
        return browser

    def stop(self) -> None:
        """End the app; whoever asks for it afterwards starts it again."""
        self.close()
        self.__dict__.pop("app", None)

    def close(self) -> None:
        """Close every connection."""
        if "app" in self.__dict__:
            self.app.database.dispose()
        for database in self.connections:
            database.dispose()


@dataclass
class Browser:
    """Flask's client with what a browser does: cookies, and forms that carry their CSRF token."""

    client: FlaskClient

    def get(self, path: str, **rest: Any) -> TestResponse:
        """Open a page."""
        return self.client.get(path, **{"buffered": True, **rest})

    def post(
        self, path: str, data: dict[str, Any] | None = None, *, form: str | None = None, **rest: Any
    ) -> TestResponse:
        """Send a form that stands on the page `form` (by default the address it is sent to)."""
        token = csrf_token(self.get(form or path).text)
        return self.client.post(path, data={"csrf_token": token, **(data or {})}, **{"buffered": True, **rest})

    def sign_in(self, username: str = ADA, password: str = PASSWORD, **more: str) -> TestResponse:
        """Type user name and password."""
        return self.post("/login", {"username": username, "password": password, **more})

    def sign_out(self) -> TestResponse:
        """Press the button."""
        return self.post("/logout", form="/")

    def is_signed_in(self) -> bool:
        """Tell whether the home page opens."""
        return self.get("/").status_code == 200

    def switch(self, user: User, what: str, *, on: bool) -> TestResponse:
        """Move a switch of the table of users: `active` or `superuser`."""
        return self.post(f"/admin/users/{user.id}/{what}", {"on": "y"} if on else {}, form="/admin/users")


def at_once(*calls: Callable[[], T]) -> list[T | Exception]:
    """Run calls in threads that start together; return what each returned or raised."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T | Exception:
        start.wait()
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(run, calls))


def csrf_token(page: str) -> str:
    """Return the CSRF token of a page's first form; empty when there is none."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    return found[1] if found else ""


class _Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


def elements(page: str, tag: str | None = None) -> list[tuple[str, dict[str, str]]]:
    """Return a page's elements, or those of one tag, with their attributes."""
    parser = _Elements()
    parser.feed(page)
    return [element for element in parser.found if tag in (None, element[0])]


def signed_in(world: World, username: str = ADA, password: str = PASSWORD) -> Browser:
    """Return a browser in which somebody is signed in."""
    browser = world.browser()
    assert browser.sign_in(username, password).status_code == 303
    return browser


@contextmanager
def moved_away(world: World) -> Iterator[None]:
    """Take the database away from under the running app for a while."""
    data, elsewhere = world.folder / "data", world.folder / "elsewhere"
    world.app.database.dispose()
    world.database.dispose()
    data.rename(elsewhere)
    with _renamed(world.database_url) if world.database_url else nullcontext():
        yield
        world.app.database.dispose()
    elsewhere.rename(data)


@contextmanager
def _renamed(url: str) -> Iterator[None]:
    """Let a PostgreSQL database, to which nobody is connected, have another name for a while."""
    parts = make_url(url)
    server = create_engine(parts.set(database="postgres"), isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with server.connect() as connection:
        # PostgreSQL's own vacuum may be in it.
        ended = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
        connection.execute(ended, {"name": parts.database})
        connection.execute(text(f"ALTER DATABASE {parts.database} RENAME TO {parts.database}_away"))
    yield
    with server.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {parts.database}_away RENAME TO {parts.database}"))
