"""Databases with something in them already, to be copied: making them anew takes longer than most tests do."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Composed, Identifier, Literal
from sqlalchemy import make_url

from authapp.database import Database, upgrade
from tests.programs import PostgresServer
from tests.world import World

# The parameters of what runs on both.
SQLITE_AND_POSTGRES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]

# A database that tests have filled beyond this is not used again: what was deleted slows down who reads.
ROOMY = 2 * 2**20  # bytes; with a few users it is a tenth of that

# PostgreSQL's own tables that say how all others are made, and what numbers their rows; ours begin at 16384. What
# was changed there and changed back stands in a row that another transaction wrote.
CATALOGS = {
    **dict.fromkeys(("pg_attrdef", "pg_class", "pg_constraint", "pg_namespace", "pg_proc", "pg_rewrite"), "oid"),
    **dict.fromkeys(("pg_trigger", "pg_type"), "oid"),
    "pg_attribute": "attrelid",
    "pg_index": "indexrelid",
}
FORM = SQL(
    "SELECT md5(string_agg(concat({0}, ' ', xmin), ',' ORDER BY {0}, xmin::text)) FROM {1} WHERE {0} >= 16384"
)
OPTIONS = """
    SELECT string_agg(setconfig::text, ' ') FROM pg_db_role_setting
    WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
SIZE = "SELECT sum(pg_relation_size(oid)) FROM pg_class WHERE oid >= 16384 AND relkind = 'r'"
END_OTHERS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""


@dataclass(frozen=True, slots=True)
class SqliteCopy:
    """A SQLite file that nobody writes to any more."""

    file: Path

    def copy_to(self, world: World) -> None:
        """Let a world begin with what is in the file."""
        (world.folder / "data").mkdir(mode=0o700, exist_ok=True)
        shutil.copy(self.file, world.folder / "data" / "authapp.db")


@dataclass(frozen=True, slots=True)
class PostgresCopy:
    """All rows of a PostgreSQL database, and where its sequences stand, for others with the same schema."""

    rows: dict[str, bytes]
    sequences: dict[str, int | None]

    @classmethod
    def of(cls, url: str) -> "PostgresCopy":
        """Read a database."""
        with _connect(url) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            sequences = connection.execute("SELECT sequencename, last_value FROM pg_sequences").fetchall()
            return cls({name: _read(connection, name) for (name,) in tables}, dict(sequences))

    def copy_to(self, world: World) -> None:
        """Let a world begin with these rows."""
        with _connect(world.database_url or "") as connection:
            self.fill(connection)

    def fill(self, connection: psycopg.Connection) -> None:
        """Let a database hold these rows and no others."""
        emptied = [SQL("DELETE FROM {}").format(Identifier(table)) for table in self.rows]
        emptied += [_set_back(sequence, last) for sequence, last in self.sequences.items()]
        with connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")  # children may come before parents
            connection.execute(SQL("; ").join(emptied))
            for table in filter(self.rows.get, self.rows):  # those that hold something
                with connection.cursor().copy(SQL("COPY {} FROM STDIN").format(Identifier(table))) as copy:
                    copy.write(self.rows[table])


@dataclass(frozen=True, slots=True)
class PostgresStock:
    """PostgreSQL databases with the schema, each for one test at a time.

    To delete the few rows of a test takes a twentieth of what a new database takes, which is hundreds of files.
    """

    server: PostgresServer
    template: str
    empty: PostgresCopy
    form: object
    _used: list[str] = field(default_factory=list)

    @classmethod
    def on(cls, server: PostgresServer) -> "PostgresStock":
        """Prepare a server; it has no other databases of these names."""
        url = server.new_database()
        with_schema(url)
        with _connect(url) as connection:
            form = _form(connection)
        return cls(server, str(make_url(url).database), PostgresCopy.of(url), form)

    @contextmanager
    def taken(self) -> Iterator[str]:
        """Return the URL of a database with the schema and nothing else, for nobody else until the block ends."""
        name = self._cleaned() or self._made()
        yield self._url(name)
        self._used.append(name)

    def _cleaned(self) -> str | None:
        """Return one that was used before and is like a new one again, if there is one."""
        while self._used:
            name = self._used.pop()
            if self._is_cleaned(name):
                return name
            self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        return None

    def _is_cleaned(self, name: str) -> bool:
        """Delete what a test left; tell whether the rest is as it was, for a test may have altered a table."""
        try:
            with _connect(self._url(name)) as connection:
                connection.execute(END_OTHERS)
                self.empty.fill(connection)
                return _form(connection) == self.form and _size(connection) < ROOMY
        except psycopg.Error:  # it has another name now, or lacks a table
            return False

    def _made(self) -> str:
        name = f"test_{uuid.uuid4().hex}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {self.template}")
        return name

    def _run(self, command: str) -> None:
        with self.server.connect() as connection:
            connection.execute(command)

    def _url(self, name: str) -> str:
        return make_url(self.server.url).set(database=name).render_as_string()


def _connect(url: str) -> psycopg.Connection:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


def _set_back(sequence: str, last: int | None) -> Composed:
    return SQL("SELECT setval({}, {}, {})").format(Literal(sequence), Literal(last or 1), Literal(last is not None))


def _form(connection: psycopg.Connection) -> object:
    """Say how everything in a database is made, but not what it holds."""
    asked = [FORM.format(Identifier(key), Identifier(catalog)) for catalog, key in CATALOGS.items()]
    return connection.execute(SQL(" UNION ALL ").join([*asked, SQL(OPTIONS)])).fetchall()


def _size(connection: psycopg.Connection) -> int:
    row = connection.execute(SIZE).fetchone()
    return int(row[0]) if row else 0


def _read(connection: psycopg.Connection, table: str) -> bytes:
    with connection.cursor().copy(SQL("COPY {} TO STDOUT").format(Identifier(table))) as rows:
        return b"".join(bytes(row) for row in rows)


def taking(request: pytest.FixtureRequest) -> Callable[[], AbstractContextManager[str | None]]:
    """Return what takes a database of the kind that a fixture's parameter names; for SQLite no URL is needed."""
    return (
        request.getfixturevalue("postgres_stock").taken
        if getattr(request, "param", "") == "postgres"
        else nullcontext
    )


def with_schema(url: str) -> None:
    """Give a database the schema and nothing else."""
    database = Database(url)
    upgrade(database)
    if database.is_sqlite:
        with database.engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.dispose()


def with_cast(folder: Path, empty_database: Path, url: str | None = None) -> Path:
    """Give a database, by default a SQLite file in the folder, the four people; return the file."""
    world = World(folder, empty_database, url)
    world.add_cast()
    world.close()
    return folder / "data" / "authapp.db"
