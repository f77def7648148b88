"""One node with SQLite, one with PostgreSQL, two with the same PostgreSQL: requests a second, and their time.

Run it with `make bench`, or `python -m benchmarks.nodes --workers 2`. Every node is a real server; by default it
has one process, so that the second one adds something. All ways take turns, and what counts are the ratios:
clients, nodes and PostgreSQL share one machine, so that two nodes are never twice as fast here, and with all of its
processors busy perhaps not faster at all. PostgreSQL and SQLite write to the disk for certain, as in production;
passwords are hashed as in production, too.

Then it counts what each kind of request asks of PostgreSQL: that decides how many nodes one database can serve.
"""

import argparse
import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask.testing import FlaskClient
from sqlalchemy import event, select

from authapp import issued_tokens, passwords, users
from authapp.audit import Actor
from authapp.config.examine import Start, examine
from authapp.database import Database
from authapp.factory import create_app
from authapp.models import Scope, User
from authapp.paths import Locations
from benchmarks.load import CLIENTS, Act, Request, Turn, press, ratio, row
from tests.programs import find_postgres, start_postgres
from tests.server_process import Client, Server, installation
from tests.world import ADA, PASSWORD

ROUNDS = 5
SHELL = Actor("command line", name="benchmark")
SQLITE, POSTGRESQL, TWO = "SQLite, one node", "PostgreSQL, one node", "PostgreSQL, two nodes"


def main() -> None:
    """Start the nodes, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--workers", type=int, default=1, help="processes of each node")
    arguments.add_argument("--rounds", type=int, default=ROUNDS)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name, ExitStack() as held:
        folder = Path(name)
        url = held.enter_context(_postgresql(folder))
        sqlite = held.enter_context(_site(folder / "sqlite", 1, given.workers))
        one = held.enter_context(_site(folder / "postgresql", 2, given.workers, url))
        ways = {SQLITE: (sqlite, sqlite.nodes), POSTGRESQL: (one, one.nodes[:1]), TWO: (one, one.nodes)}
        _compare(ways, given.rounds)
        _print_questions(one, folder)


DURABLE = ("fsync=on", "synchronous_commit=on", "full_page_writes=on")  # as a real one; a test's is not


@contextmanager
def _postgresql(folder: Path) -> Iterator[str]:
    programs = find_postgres()
    assert programs, "PostgreSQL's programs are not there"
    with start_postgres(programs, folder, *DURABLE) as server:
        yield server.new_database()


# -- the nodes ------------------------------------------------------------------------------------------------


@dataclass
class Site:
    """One installation: its nodes, and those who use it."""

    nodes: list[Server]
    cookie: str
    token: str
    user_ids: list[str]
    forms: list["Visitor"]
    numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def acts(self) -> dict[str, Act]:
        """What is asked, by name."""
        return {
            "page, signed in": lambda _: Request("GET", "/", {"Cookie": self.cookie}),
            "API, with a token": lambda _: self._call("GET", "/users/whoami"),
            "sign-in": self._sign_in,
            "adding a user": lambda _: self._call(
                "POST", "/users", {"username": f"new{next(self.numbers):06}@example.com"}, 201
            ),
            "changing a user": lambda client: self._call(
                "PATCH", f"/users/{self.user_ids[client]}", {"full_name": f"Number {next(self.numbers)}"}
            ),
        }

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None, status: int = 200) -> Request:
        headers = {"X-API-Key": self.token, "Content-Type": "application/json"}
        return Request(method, f"/api/v1{path}", headers, json.dumps(body) if body else None, status)

    def _sign_in(self, client: int) -> Request:
        page = self.forms[client]
        form = {"csrf_token": page.csrf, "username": f"user{client}", "password": PASSWORD}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": _cookies(page)}
        return Request("POST", "/login", headers, urlencode(form), 303)


@dataclass
class Visitor(Client):
    """Somebody who opened the sign-in page, and types into its form again and again."""

    csrf: str = ""


@contextmanager
def _site(folder: Path, nodes: int, workers: int, url: str | None = None) -> Iterator[Site]:
    with ExitStack() as held:
        servers: list[Server] = []
        for number in range(nodes):
            home = folder / str(number)
            home.mkdir(parents=True)
            server = held.enter_context(installation(home, workers, url)).start(patience=120)
            if not servers:
                owner = server.set_up()
            servers.append(server)
        database = Database(url or f"sqlite:///{servers[0].folder / 'data' / 'authapp.db'}")
        ids, token = _people(database)
        database.dispose()
        forms = [Visitor(servers[client % nodes].port) for client in range(CLIENTS)]
        for visitor in forms:
            visitor.csrf = visitor.token("/login")
        for number, visitor in enumerate(forms):  # from now on they are known, and wait longer for their turn
            Client(visitor.port).sign_in(f"user{number}")
        yield Site(servers, _cookies(owner), token, ids, forms)


def _people(database: Database) -> tuple[list[str], str]:
    """Make a user for each client, and a token for the owner's programs."""
    with database.writing() as db:
        password_hash = passwords.hash_password(PASSWORD)
        made = [users.add(db, f"user{number}", password_hash, is_active=True) for number in range(CLIENTS)]
        owner = db.scalars(select(User).where(User.username == ADA)).one()
        ids = [user.id for user in made]
    return ids, issued_tokens.create(database, owner.id, "benchmark", SHELL, scope=Scope.ADMIN).token


def _cookies(client: Client) -> str:
    return "; ".join(f"{name}={value}" for name, value in client.cookies.items())


# -- how fast -------------------------------------------------------------------------------------------------


def _compare(ways: dict[str, tuple[Site, list[Server]]], rounds: int) -> None:
    print(f"{CLIENTS} clients, median of {rounds} rounds")
    print(f"{'':46}{'a second':>10}{'ms':>10}{'ms, 95 %':>10}{'processor, ms':>14}")
    ratios: dict[str, tuple[float, float]] = {}
    for name in ways[SQLITE][0].acts:
        turns = _turns(ways, name, rounds)
        for way, taken in turns.items():
            print(f"{name:20}{way:26}{row(taken)}", flush=True)
        ratios[name] = ratio(turns, POSTGRESQL, SQLITE), ratio(turns, TWO, POSTGRESQL)
    print(f"\n{'requests a second, ratios':30}{'PostgreSQL to SQLite':>24}{'two nodes to one':>20}")
    for name, (to_sqlite, to_one) in ratios.items():
        print(f"{name:30}{to_sqlite:24.2f}{to_one:20.2f}")


def _turns(ways: dict[str, tuple[Site, list[Server]]], name: str, rounds: int) -> dict[str, list[Turn]]:
    turns: dict[str, list[Turn]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way, (site, nodes) in ways.items():
            turn = press(nodes, site.acts[name])
            turns[way] += [turn] if number else []  # the first round warms up
    return turns


# -- what PostgreSQL is asked ---------------------------------------------------------------------------------


def _print_questions(site: Site, folder: Path) -> None:
    """Ask the same in this process, and count what reaches the database."""
    url = site.nodes[0].database_url
    locations = Locations(folder / "config.yml", named=False, data=folder)
    app = create_app(locations, Start.from_layers(examine(locations), {"database.url": url, "log.level": "error"}))
    program: FlaskClient = app.test_client(use_cookies=False)
    print(f"\n{'a request asks PostgreSQL':26}{'statements':>12}{'transactions':>14}{'round trips':>14}")
    for name, act in site.acts.items():
        # The fewest: the first request after half a second also reads the settings.
        found = min((_questions(app.database, program, act(0)) for _ in range(5)), key=_trips)
        print(f"{name:26}{found['statements']:12}{found['transactions']:14}{_trips(found):14}")
    app.database.dispose()


def _trips(found: Counter[str]) -> int:
    return found["statements"] + found["checkouts"] + 2 * found["transactions"]


def _questions(database: Database, program: FlaskClient, wanted: Request) -> Counter[str]:
    """Count statements, transactions and connections taken from the pool, each of which is tried out first."""
    found: Counter[str] = Counter()
    listeners = {
        "before_cursor_execute": lambda *_: found.update(["statements"]),
        "begin": lambda *_: found.update(["transactions"]),
        "checkout": lambda *_: found.update(["checkouts"]),
    }
    for name, listener in listeners.items():
        event.listen(database.engine, name, listener)
    answer = program.open(wanted.path, method=wanted.method, headers=wanted.headers, data=wanted.body)
    for name, listener in listeners.items():
        event.remove(database.engine, name, listener)
    assert answer.status_code == wanted.status, answer.text
    return found


if __name__ == "__main__":
    main()
