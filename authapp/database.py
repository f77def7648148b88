"""The engine, transactions, and the schema.

Two kinds of transaction: `reading` and `writing`. On SQLite a writing one takes the write lock at once
(`BEGIN IMMEDIATE`), because a transaction that reads first and writes later loses against any other writer.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session

from authapp import paths
from authapp.errors import SchemaOutdated, StartError
from authapp.sqlite_file import FileId, SqliteFile, keep_to, settle
from authapp.tally import Tally

BUSY_TIMEOUT = 10_000  # milliseconds a SQLite connection waits for another writer
SHORT_TIMEOUT = 200  # milliseconds, on both, for what may as well be left out
# What keeps a request from waiting for a database that is gone, stuck or overrun: seconds, then milliseconds.
POOL_TIMEOUT = 5  # for a connection that others of this process have
CONNECT_TIMEOUT = 5  # for PostgreSQL to take a connection
STATEMENT_TIMEOUT, LOCK_TIMEOUT, IDLE_TIMEOUT = 30_000, 10_000, 60_000
KEEPALIVES = {
    "keepalives": 1,
    "keepalives_idle": 5,  # seconds without a word before the first probe
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,  # milliseconds that what was sent may stay unacknowledged
}
# The numbers of PostgreSQL's advisory locks: around upgrades ("authap"), and between changes and sign-ins.
UPGRADE_LOCK = 0x617574686170
CHANGE_LOCK = UPGRADE_LOCK + 1

DatabaseError = SQLAlchemyError


class Database:
    """One database: its engine, and the two kinds of transaction.

    `file_id`: the SQLite file it must be; by default whichever is there. `may_create`: where there is none, one is
    made; a process that serves must not, because an empty one looks like an installation nobody has set up.
    """

    def __init__(self, url: str, file_id: FileId | None = None, *, may_create: bool = True) -> None:
        self.url = url
        self.is_sqlite = make_url(url).get_backend_name() == "sqlite"
        options: dict[str, Any] = {} if self.is_sqlite else _postgresql_options(url)
        self.engine: Engine = create_engine(url, hide_parameters=True, **options)
        path = sqlite_file(url)
        self.file = SqliteFile(path, file_id, may_create=may_create) if path else None
        if self.is_sqlite:
            event.listen(self.engine, "connect", _set_up_sqlite)
            if self.file:
                keep_to(self.file, self.engine)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine, "connect", _set_up_postgresql)
            event.listen(self.engine, "begin", _begin_postgresql)
        self.refused = Tally()  # what this process will write down of a flood
        self._writer = self.engine.execution_options(authapp_writes=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a transaction that only reads; what it loads stays usable afterwards."""
        with Session(self.engine, expire_on_commit=False) as db:
            yield db

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a transaction that writes: all of it is kept, or after an exception nothing."""
        with self._writing(self._writer) as db:
            yield db

    @contextmanager
    def in_passing(self) -> Iterator[Session]:
        """Open a transaction that writes what may be left out: it hardly waits, and its failure is passed over.

        Whoever only reads must not be refused because a note of that cannot be kept.
        """
        with (
            suppress(DatabaseError),
            self._writing(self._writer.execution_options(authapp_wait=SHORT_TIMEOUT)) as db,
        ):
            yield db

    @contextmanager
    def _writing(self, engine: Engine) -> Iterator[Session]:
        with Session(engine, expire_on_commit=False) as db, db.begin():
            yield db
        if self.file:
            self.file.require()  # taken away meanwhile, it would be a yes to what nobody will find

    def settle(self) -> None:
        """Let SQLite's file hold what its log does; see `sqlite_file.settle`."""
        if self.file:
            settle(self.engine)

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Return a database; raises StartError where its driver is missing."""
    try:
        return Database(url)
    except ImportError:
        raise StartError("PostgreSQL needs its driver; run: pip install 'authapp[postgres]'.") from None


def reason_of(error: Exception) -> str:
    """Return the word of the database, or of the system, for what is wrong, in one line and without values."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(getattr(error, "orig", None) or error).strip().split("\n")[0]


@contextmanager
def opened(url: str) -> Iterator[Database]:
    """Open a database for a while. Raises StartError."""
    database = open_database(url)
    try:
        yield database
    finally:
        database.dispose()


def database_url(wanted: str | None, locations: paths.Locations) -> str:
    """Return the URL to use: the one wanted, with a relative SQLite path made absolute, or the default one."""
    if not wanted:
        return sqlite_url(locations.data / "authapp.db")
    url = make_url(wanted)
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith(":"):
        url = url.set(database=str(locations.base / url.database))
    return url.render_as_string(hide_password=False)


def sqlite_url(file: Path) -> str:
    """Return the URL of a SQLite file."""
    # Built from its parts, because a folder may be called so that it would mean something in an address.
    return URL.create("sqlite", database=str(file)).render_as_string(hide_password=False)


def sqlite_file(url: str) -> Path | None:
    """Return the file of a SQLite URL, or None, also for an address in SQLite's own words (`file:…`)."""
    parts = make_url(url)
    if parts.get_backend_name() != "sqlite" or not parts.database or parts.database.startswith((":", "file:")):
        return None
    return Path(parts.database)


def _set_up_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # transactions begin where _begin_sqlite says, not where pysqlite guesses
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a revocation that was answered must survive a power cut
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _postgresql_options(url: str) -> dict[str, Any]:
    """Return how to connect; what the URL says itself beats it."""
    wanted = {"connect_timeout": CONNECT_TIMEOUT, **KEEPALIVES}
    arguments = {name: value for name, value in wanted.items() if name not in make_url(url).query}
    return {"pool_pre_ping": True, "pool_timeout": POOL_TIMEOUT, "connect_args": arguments}


def _set_up_postgresql(connection: Any, _record: object) -> None:
    # Asked for after the connection is made: what pools connections, such as PgBouncer, refuses it as an option.
    connection.autocommit = True
    connection.execute(
        f"SET statement_timeout = {STATEMENT_TIMEOUT}; SET lock_timeout = {LOCK_TIMEOUT}; "
        f"SET idle_in_transaction_session_timeout = {IDLE_TIMEOUT}"
    )
    connection.autocommit = False


def _begin_postgresql(connection: Connection) -> None:
    if wait := connection.get_execution_options().get("authapp_wait"):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {wait}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("authapp_writes"):
        connection.exec_driver_sql("BEGIN")
    elif wait := options.get("authapp_wait"):
        with _waiting(connection, wait):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def _waiting(connection: Connection, milliseconds: int) -> Iterator[None]:
    """Let a SQLite connection wait for another writer so long, until the block ends."""
    raw: Any = connection.connection.driver_connection
    raw.execute(f"PRAGMA busy_timeout = {milliseconds}")
    try:
        yield
    finally:
        raw.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")


def lock_changes(connection: Connection, *, shared: bool = False) -> None:
    """Keep changes out to the end of the transaction, and unless `shared` also sign-ins; wait for those in hand.

    On SQLite a transaction that writes is alone anyway.
    """
    if connection.dialect.name != "sqlite":
        function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        connection.execute(text(f"SELECT {function}(:lock)"), {"lock": CHANGE_LOCK})


# -- schema ---------------------------------------------------------------------------------------------------


def schemas() -> list[str]:
    """Return the numbers of all migrations, oldest first, read from the files' names."""
    numbers = [re.match(r"(\d{4})_\w+\.py", file.name) for file in (paths.MIGRATIONS / "versions").iterdir()]
    return sorted(number[1] for number in numbers if number)


def expected_schema() -> str:
    """Return the number of the newest migration."""
    return schemas()[-1]


def current_schema(connection: Connection) -> str | None:
    """Return the number of the newest migration this database went through; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def require_schema(database: Database) -> None:
    """Raise SchemaOutdated unless the database's schema is the one this version works with."""
    if database.file and database.file.is_to_come():
        raise SchemaOutdated(None, expected_schema())
    with database.engine.connect() as connection:
        current = current_schema(connection)
    if current != (expected := expected_schema()):
        raise SchemaOutdated(current, expected)


def upgrade(database: Database) -> str | None:
    """Bring the schema up to date, in one transaction, while every other upgrade waits; return which it was.

    Raises SchemaOutdated when the database is from a newer version, StartError when it cannot be used.
    """
    try:
        with database.engine.execution_options(authapp_writes=True).connect() as connection:
            return _upgrade(connection, is_sqlite=database.is_sqlite)
    except DBAPIError as error:
        raise StartError(f"The database cannot be used: {reason_of(error)}.") from None
    finally:
        # Connections that had foreign keys switched off must not be handed out again.
        database.dispose()


def _upgrade(connection: Connection, *, is_sqlite: bool) -> str | None:
    if is_sqlite:
        # Alembic rebuilds a table by dropping it, and dropping a parent would delete its children.
        raw = connection.connection.driver_connection
        if raw is not None:
            raw.execute("PRAGMA foreign_keys = OFF")
    with connection.begin():
        if not is_sqlite:
            # An upgrade takes as long as it takes, and waits as long for another one.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": UPGRADE_LOCK})
        current, expected = current_schema(connection), expected_schema()
        if current == expected:
            return current
        if current is not None and current > expected:
            raise SchemaOutdated(current, expected)
        _run_migrations(connection)
        if is_sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
            raise StartError("The upgraded database has rows without their parents; nothing was changed.")
        return current


def _run_migrations(connection: Connection) -> None:
    # Alembic takes longer to import than all the rest, and only an upgrade needs it.
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config()
    config.set_main_option("script_location", str(paths.MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
