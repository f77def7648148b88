"""Databases with something in them already, to be copied: making them anew takes longer than most tests do."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection
from sqlalchemy import make_url

from authapp.database import Database, upgrade
from tests.programs import PostgresServer
from tests.world import World


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
    """A PostgreSQL database that nobody is connected to any more."""

    server: PostgresServer
    name: str

    def copy_to(self, world: World) -> None:
        """Let a world begin with what is in the database."""
        name = str(make_url(world.database_url or "").database)
        with self.server.connect() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
            _copy(connection, self.name, name)

    @contextmanager
    def copied(self) -> Iterator[str]:
        """Return the URL of a new database with the same in it, gone when the block ends."""
        name = f"test_{uuid.uuid4().hex}"
        with self.server.connect() as connection:
            _copy(connection, self.name, name)
        yield make_url(self.server.url).set(database=name).render_as_string()
        with self.server.connect() as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _copy(connection: Connection, template: str, name: str) -> None:
    """Copy a database file by file, which takes a third of the time; before version 15 there is no other way."""
    strategy = "STRATEGY FILE_COPY" if connection.info.server_version >= 150000 else ""
    connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} {strategy}")


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
