"""How the pages of the users slow down with the number of users: 1,000 beside 100,000.

Run it with `make bench`, or `python benchmarks/users.py --url postgresql://…` with an empty database for each size
(`{size}` in the address is replaced by the number of users). It prints milliseconds, the median of many rounds, and
how they grow; both sizes take turns, so that a busy machine spoils both alike.
"""

import argparse
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

from flask.testing import FlaskClient
from sqlalchemy import insert, text

from authapp import clock, directory, names, passwords, provision, wizard
from authapp.audit import Actor
from authapp.config.examine import Start, examine
from authapp.database import Database, upgrade
from authapp.directory import Query
from authapp.factory import create_app
from authapp.models import KnownName, NamePart, User, new_id
from authapp.paths import Locations
from authapp.web.state import App

SIZES = (1_000, 100_000)
ROUNDS = 40
AT_MOST = 1.3  # times as slow
SHELL = Actor("command line", name="benchmark")
OWNER, PASSWORD = "ada@example.com", "Correct-horse battery"
FIRST = ("Ada", "Grace", "Katherine", "Alan", "Edsger", "Barbara", "Donald", "Radia", "Leslie", "Frances")
LAST = ("Lovelace", "Hopper", "Johnson", "Turing", "Dijkstra", "Liskov", "Knuth", "Perlman", "Lamport", "Allen")


def main() -> None:
    """Fill, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--url", help="where to make the users, with {size} in it; SQLite without it")
    url = arguments.parse_args().url
    with tempfile.TemporaryDirectory() as folder:
        stages = [Stage(Path(folder) / str(size), size, url and url.format(size=size)) for size in SIZES]
        print(
            f"{'milliseconds, median of ' + str(ROUNDS):34}"
            + "".join(f"{size:>12,}" for size in SIZES)
            + "   growth"
        )
        worst = max(_compare(name, [stage.acts[name] for stage in stages]) for name in stages[0].acts)
    print(f"\nworst growth {worst:.2f}; at most {AT_MOST} is wanted")


def _compare(name: str, acts: list[Callable[[], object]]) -> float:
    times: list[list[float]] = [[] for _ in acts]
    for _ in range(ROUNDS + 3):
        for act, took in zip(acts, times, strict=True):
            began = time.perf_counter()
            act()
            took.append((time.perf_counter() - began) * 1000)
    medians = [statistics.median(took[3:]) for took in times]  # the first rounds warm up
    growth = medians[-1] / medians[0]
    print(f"{name:34}" + "".join(f"{median:12.2f}" for median in medians) + f"{growth:9.2f}")
    return growth


class Stage:
    """An installation with so many users, a superuser's browser, and what is measured."""

    def __init__(self, folder: Path, size: int, url: str | None) -> None:
        folder.mkdir()
        locations = Locations(folder / "config.yml", named=False, data=folder)
        self.database = Database(url or f"sqlite:///{folder / 'authapp.db'}")
        upgrade(self.database)
        provision.prepare(self.database)
        self.app: App = create_app(
            locations,
            Start.from_layers(examine(locations), {"database.url": self.database.url, "log.level": "error"}),
        )
        wizard.found_by_command(self.database, self.app.live.snapshot, OWNER, PASSWORD, SHELL)
        self.ids = list(self._fill(size))
        self.browser: FlaskClient = self.app.test_client()
        self._sign_in()
        self.turn = 0
        deep = self._deep_cursor(size)
        self.acts: dict[str, Callable[[], object]] = {
            "first page": lambda: self._open(""),
            "deep page (90 % of the way)": lambda: self._open(f"?cursor={deep}"),
            "sorted by last sign-in": lambda: self._open("?sort=-last_login_at"),
            "sorted by creation": lambda: self._open("?sort=-created_at"),
            "only superusers": lambda: self._open("?role=admin"),
            "only inactive": lambda: self._open("?active=false"),
            "search for one": lambda: self._open("?q=user000777"),
            "search that finds a tenth": lambda: self._open("?q=hopper"),
            "search that finds all": lambda: self._open("?q=user"),
            "activate or deactivate": self._switch,
        }

    def _fill(self, size: int) -> Iterator[str]:
        """Make users in rows, without the slow hashes: what is measured never verifies one."""
        chance, now = random.Random(size), clock.now()  # noqa: S311 - no secrets
        no_password = passwords.hash_password(PASSWORD)
        users: list[dict[str, object]] = []
        for number in range(size):
            username = f"user{number:06}@example.com"
            full_name = f"{FIRST[number % 10]} {LAST[number // 10 % 10]}"
            seen = now - timedelta(minutes=chance.randrange(500_000)) if chance.random() < 0.7 else None
            users.append({
                "id": new_id(), "username": username, "username_key": names.fold(username), "full_name": full_name,
                "password_hash": no_password, "role": "admin" if number % 20 == 0 else "user",
                "is_active": chance.random() < 0.9, "signed_up": False,
                "created_at": now - timedelta(minutes=chance.randrange(1_000_000)), "last_login_at": seen,
            })  # fmt: skip
        parts = [
            {"part": part, "user_id": user["id"]}
            for user in users
            for part in names.parts(str(user["username"]), str(user["full_name"]))
        ]
        known = [{"username_key": user["username_key"], "known_since": now} for user in users]
        with self.database.writing() as db:
            for table, rows in ((User, users), (NamePart, parts), (KnownName, known)):
                db.execute(insert(table), rows)
            db.execute(text("ANALYZE"))  # as the database does by itself after a while
        yield from (str(user["id"]) for user in users)

    def _sign_in(self) -> None:
        page = self.browser.get("/login").text
        self.browser.post("/login", data={"csrf_token": _token(page), "username": OWNER, "password": PASSWORD})
        self.token = _token(self._open(""))

    def _open(self, query: str) -> str:
        answer = self.browser.get(f"/admin/users{query}")
        assert answer.status_code == 200, answer.status
        return answer.text

    def _switch(self) -> None:
        """Switch one user after the other off, or on again."""
        self.turn += 1
        user_id = self.ids[self.turn * 7 % len(self.ids)]
        data = {"csrf_token": self.token, **({"on": "y"} if self.turn % 2 else {})}
        answer = self.browser.post(f"/admin/users/{user_id}/active", data=data)
        assert answer.status_code == 303, answer.status

    def _deep_cursor(self, size: int) -> str:
        """Return the cursor nine tenths down the list."""
        cursor = ""
        for _ in range(size * 9 // 10 // 100):
            with self.database.reading() as db:
                page = directory.page(db, self.app.live.current, Query(limit=100, cursor=cursor), SHELL)
            cursor = page.next_cursor or ""
        return cursor


def _token(page: str) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    return found[1] if found else ""


if __name__ == "__main__":
    main()
