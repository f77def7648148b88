"""What a million users cost on PostgreSQL: bytes a row, and what reads a whole table.

Run it with `python -m benchmarks.million`; `--users` and `--entries` choose other numbers. It starts a PostgreSQL
of its own, which takes several gigabytes for a while, or fills the empty database named by `--url`. It prints how
large the tables are, then how long each question takes (the median of a few rounds), how many statements it is, and
where PostgreSQL reads very many rows for it.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Index, event, make_url, select, text
from sqlalchemy.schema import CreateIndex

from authapp import (
    audit_chain,
    audit_log,
    clock,
    contents,
    directory,
    logins,
    names,
    passwords,
    provision,
    sessions,
    throttle,
    wizard,
)
from authapp.audit import Actor
from authapp.audit_log import Wanted
from authapp.config.examine import Start, examine
from authapp.database import Database, upgrade
from authapp.directory import Query
from authapp.factory import create_app
from authapp.models import User, new_id
from authapp.paths import Locations
from tests.programs import find_postgres, start_postgres

ROUNDS = 5
# The least a database of this size would be given.
MEMORY = ("shared_buffers=2GB", "max_wal_size=8GB", "work_mem=256MB", "maintenance_work_mem=512MB")
MUCH = 5_000  # rows
SHELL = Actor("command line", name="benchmark")
OWNER, PASSWORD = "ada@example.com", "Correct-horse battery"
FIRST = ("Ada", "Grace", "Katherine", "Alan", "Edsger", "Barbara", "Donald", "Radia", "Leslie", "Frances")
LAST = ("Lovelace", "Hopper", "Johnson", "Turing", "Dijkstra", "Liskov", "Knuth", "Perlman", "Lamport", "Allen")
# What people leave behind, made by the database itself: a session, a token and a known network of every user; and
# entries of 400 days, sealed in blocks of a thousand.
SIGNED_IN = (
    """INSERT INTO sessions
        (id, token_sha256, user_id, created_at, last_seen_at, proved_at, remember, address, user_agent)
    SELECT gen_random_uuid(), encode(sha256(id::bytea), 'hex'), id, now() - random() * interval '30 days',
           now() - random() * interval '90 minutes', now() - interval '1 hour', true, '203.0.113.77',
           'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
    FROM users WHERE username <> '{owner}'""",
    """INSERT INTO tokens (id, kind, sha256, user_id, name, created_at, expires_at, last_used_from)
    SELECT gen_random_uuid(), 'jwt', encode(sha256(('jwt' || id)::bytea), 'hex'), id, '', now(),
           now() + interval '1 hour', '203.0.113.77'
    FROM users WHERE username <> '{owner}'""",
    """INSERT INTO tries (key, user_id, count, expires_at)
    SELECT 'known/' || encode(sha256(id::bytea), 'hex'), id, 1, now() + random() * interval '30 days' FROM users""",
)
HAPPENED = (
    """INSERT INTO audit (at, event, outcome, road, actor_id, actor, address, target_id, target, detail, block_id)
    SELECT now() - interval '400 days' + number * interval '400 days' / {entries},
           (ARRAY['sign-in', 'sign-in', 'sign-in', 'sign-out', 'password.changed'])[1 + number % 5],
           CASE WHEN number % 20 = 0 THEN 'wrong' ELSE 'success' END, 'page', u.id, u.username,
           '203.0.113.' || number % 250, u.id, u.username, '{{}}', 1 + number / 1000
    FROM generate_series(1, {entries}) AS number
    JOIN (SELECT id, username, row_number() OVER () - 1 AS place FROM users) AS u
        ON u.place = number::bigint * 7919 % {users}
    ORDER BY number""",
    """INSERT INTO audit_blocks (id, first_id, last_id, count, sealed_at, seals, previous_mac, mac)
    SELECT block_id, min(id), max(id), count(*), max(at),
           json_agg(json_build_array(id, encode(sha256(id::text::bytea), 'hex'))),
           encode(sha256((block_id - 1)::text::bytea), 'hex'), encode(sha256(block_id::text::bytea), 'hex')
    FROM audit WHERE block_id IS NOT NULL GROUP BY block_id""",
)


def main() -> None:
    """Fill, measure, print."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--url", help="an empty database of PostgreSQL; one is started without it")
    arguments.add_argument("--users", type=int, default=1_000_000)
    arguments.add_argument("--entries", type=int, default=5_000_000)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, _postgres(given.url, Path(folder)) as url:
        stage = Stage(Path(folder), url, given.users, given.entries)
        _print_sizes(stage.database)
        print(f"\n{'milliseconds, median of ' + str(ROUNDS):50}{'':10}{'statements':>12}  rows read, if many")
        for name, act in stage.acts.items():
            _print_act(stage.database, name, act)


@contextmanager
def _postgres(url: str | None, folder: Path) -> Iterator[str]:
    programs = find_postgres()
    if url or programs is None:
        assert url, "PostgreSQL's programs are not there; name a database with --url"
        yield url
        return
    with start_postgres(programs, folder, *MEMORY) as server:
        yield server.new_database()


def _print_sizes(database: Database) -> None:
    print(f"{'table':16}{'rows':>12}{'table MB':>12}{'indexes MB':>12}{'bytes a row':>14}")
    with database.reading() as db:
        for table in contents.tables():
            rows = db.scalar(text(f"SELECT count(*) FROM {table.name}")) or 0  # noqa: S608 - our own tables
            sizes = text("SELECT pg_table_size(CAST(:name AS text)), pg_indexes_size(CAST(:name AS text))")
            own, indexes = db.execute(sizes, {"name": table.name}).one()
            if rows > 1000:
                per_row = (own + indexes) / rows
                print(f"{table.name:16}{rows:12,}{own / 1e6:12,.0f}{indexes / 1e6:12,.0f}{per_row:14,.0f}")


def _print_act(database: Database, name: str, act: Callable[[], object]) -> None:
    asked = _statements(database, act)
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        act()
        times.append((time.perf_counter() - began) * 1000)
    much = [f"{table} {rows:,}" for one in asked for table, rows in _much_read(database, one).items()]
    print(f"{name:50}{statistics.median(times):10.1f}{len(asked):12}  {', '.join(much)}", flush=True)


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement with its values."""

    words: str
    values: Any


def _statements(database: Database, act: Callable[[], object]) -> list[Statement]:
    """Do something once, and return which statements it was."""
    asked: list[Statement] = []

    def note(_connection: object, _cursor: object, words: str, values: object, *_: object) -> None:
        asked.append(Statement(words, values))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return asked


def _much_read(database: Database, asked: Statement) -> dict[str, int]:
    """Return of how many rows a question reads more than a few thousand, by table."""
    if not asked.words.startswith("SELECT"):
        return {}
    with database.engine.connect() as connection:
        found = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {asked.words}", asked.values).scalar()
    assert found is not None
    return {table: rows for table, rows in _read_of(found[0]["Plan"]) if rows > MUCH}


def _read_of(plan: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Yield the tables of a plan, each with the rows it looked at, also those it passed over."""
    if "Relation Name" in plan:
        seen = plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)
        yield plan["Relation Name"], round(seen * plan["Actual Loops"])
    for below in plan.get("Plans", []):
        yield from _read_of(below)


# An id, a user name, a full name, a number.
Person = tuple[str, str, str, int]


class Stage:
    """An installation with so many users and entries, and what is asked of it."""

    def __init__(self, folder: Path, url: str, users: int, entries: int) -> None:
        locations = Locations(folder / "config.yml", named=False, data=folder)
        self.database = Database(url)
        upgrade(self.database)
        provision.prepare(self.database)
        given = {"database.url": url, "log.level": "error"}
        app = create_app(locations, Start.from_layers(examine(locations), given))
        wizard.found_by_command(self.database, app.live.snapshot, OWNER, PASSWORD, SHELL)
        audit_chain.seal(self.database)
        self.effective = app.live.current
        self._fill(users, entries)
        with self.database.reading() as db:
            self.owner = db.scalars(select(User).where(User.username == OWNER)).one()
            self.one = db.scalars(select(User).where(User.username == f"user{users // 2 + 1:07}@example.com")).one()
        self.by = Actor("page", self.owner.id, OWNER, "198.51.100.1")
        self.acts = {**self._of_visitors(), **self._of_superusers(), **self._of_the_machine()}

    # -- filling it -----------------------------------------------------------------------------------------

    def _fill(self, users: int, entries: int) -> None:
        people = sorted(
            (new_id(), f"user{number:07}@example.com", f"{FIRST[number % 10]} {LAST[number // 10 % 10]}", number)
            for number in range(users)
        )
        self._execute("DELETE FROM audit", "DELETE FROM audit_blocks")
        indexes = [index for table in contents.tables() for index in table.indexes if not index.unique]
        for index in indexes:  # to build them once is much faster
            index.drop(self.database.engine)
        self._copy_users(people)
        numbers = {"owner": OWNER, "users": users, "entries": entries}
        with ThreadPoolExecutor() as threads:
            groups = ([words.format(**numbers) for words in group] for group in (SIGNED_IN, HAPPENED))
            tasks = [threads.submit(self._copy_names, people)]
            tasks += [threads.submit(self._execute, *group) for group in groups]
            for task in tasks:
                task.result()
            list(threads.map(self._build, indexes))
        self._execute("VACUUM ANALYZE")

    def _connect(self) -> psycopg.Connection:
        address = make_url(self.database.url).set(drivername="postgresql")
        return psycopg.connect(address.render_as_string(hide_password=False), autocommit=True)

    def _execute(self, *statements: str) -> None:
        with self._connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def _build(self, index: Index) -> None:
        self._execute(str(CreateIndex(index).compile(self.database.engine)))

    def _copy_users(self, people: Sequence[Person]) -> None:
        now, password_hash = clock.now(), passwords.hash_password(PASSWORD)
        where = (
            "users (id, username, username_key, full_name, password_hash, role, is_active, signed_up,"
            " created_at, last_login_at)"
        )
        self._copy(where, (
            (key, name, name, full, password_hash, "user" if number % 10_000 else "admin", number % 10 > 0, False,
             now - timedelta(minutes=number), now - timedelta(seconds=number) if number % 3 else None)
            for key, name, full, number in people
        ))  # fmt: skip
        self._copy("known_names (username_key, known_since)", ((name, now) for _, name, _, _ in people))

    def _copy_names(self, people: Sequence[Person]) -> None:
        parts = sorted((part, key) for key, name, full, _ in people for part in names.parts(name, full))
        self._copy("name_parts (part, user_id)", iter(parts))

    def _copy(self, where: str, rows: Iterator[tuple[object, ...]]) -> None:
        with (
            self._connect() as connection,
            connection.cursor() as cursor,
            cursor.copy(f"COPY {where} FROM STDIN".encode()) as copy,
        ):
            for row in rows:
                copy.write_row(row)

    # -- what is asked --------------------------------------------------------------------------------------

    def _of_visitors(self) -> dict[str, Callable[[], object]]:
        token = self._sign_in()
        return {
            "a sign-in, argon2 included": self._sign_in,
            "the session of a cookie": lambda: self._read(
                lambda db: sessions.find(db, self.effective.config.session, token)
            ),
        }

    def _of_superusers(self) -> dict[str, Callable[[], object]]:
        year_ago, own = clock.now() - timedelta(days=365), Wanted(self.one.id)
        return {
            "users: first page": lambda: self._users(Query()),
            "users: by last sign-in": lambda: self._users(Query(sort="-last_login_at")),
            "users: only superusers": lambda: self._users(Query(role="admin")),
            "users: search for one": lambda: self._users(Query(search="user0000777")),
            "users: search that finds a tenth": lambda: self._users(Query(search="hopper")),
            "users: search that finds a hundredth, inactive": lambda: self._users(Query("hopper", active=False)),
            "users: a search that nothing begins with": lambda: self._users(Query(search="ovelac")),
            "users: a search that finds nothing": lambda: self._users(Query(search="nobody at all")),
            "sessions: first page": lambda: self._read(
                lambda db: sessions.everybodys(db, self.effective.config.session)
            ),
            "audit: first page": lambda: self._audit(Wanted()),
            "audit: of one user": lambda: self._audit(own),
            "audit: wrong passwords": lambda: self._audit(Wanted(event="sign-in", outcome="wrong")),
            "audit: wrong passwords from one address": lambda: self._audit(
                Wanted(event="sign-in", outcome="wrong", address="203.0.113.20")
            ),
            "audit: of an event that never happened": lambda: self._audit(Wanted(event="user.deleted")),
            "audit: older than a year": lambda: self._audit(Wanted(until=year_ago)),
            "audit: since an hour ago": lambda: self._audit(Wanted(since=clock.now() - timedelta(hours=1))),
            "locks": lambda: self._read(lambda db: throttle.locks(db, self.effective.config.throttle, 500)),
        }

    def _of_the_machine(self) -> dict[str, Callable[[], object]]:
        return {
            "authapp db status": self._count,
            "sealing, with nothing to seal": lambda: audit_chain.seal(self.database),
            "counting the throttle's rows": lambda: self._read(lambda db: throttle.trim(db, 10**9)),
        }

    def _sign_in(self) -> str:
        by = Actor("page", address="203.0.113.5")
        return logins.sign_in(self.database, self.effective, self.one.username, PASSWORD, by)

    def _read(self, what: Callable[[Any], object]) -> object:
        with self.database.reading() as db:
            return what(db)

    def _users(self, query: Query) -> object:
        return self._read(lambda db: directory.page(db, self.effective, query, self.by))

    def _audit(self, wanted: Wanted) -> object:
        return self._read(lambda db: audit_log.page(db, wanted, self.by))

    def _count(self) -> object:
        with contents.snapshot(self.database) as connection:
            return contents.count(connection)


if __name__ == "__main__":
    main()
