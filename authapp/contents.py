"""What a database holds: the rows of every table there is, counted, read, copied, and taken out."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Table, func, inspect, select, text
from sqlalchemy.exc import OperationalError

from authapp.base import Base
from authapp.config.options import INSTALLATION
from authapp.database import Database, lock_changes
from authapp.errors import CannotMove
from authapp.models import Setting

BATCH = 1000  # rows that are in memory at the same time
LOCK_TRIES = 20  # of half a second each


def tables() -> list[Table]:
    """Return all tables, each after those its rows refer to."""
    return Base.metadata.sorted_tables


@contextmanager
def snapshot(database: Database) -> Iterator[Connection]:
    """Open a transaction that sees one state of the database to its end, whatever others write."""
    how: dict[str, Any] = {} if database.is_sqlite else {"isolation_level": "REPEATABLE READ"}
    with database.engine.connect().execution_options(**how) as connection, connection.begin():
        yield connection


def count(connection: Connection) -> dict[str, int]:
    """Return how many rows each table has; an older schema lacks some tables."""
    there = set(inspect(connection).get_table_names())
    wanted = {table.name: select(func.count()).select_from(table) for table in tables() if table.name in there}
    return {name: connection.execute(query).scalar_one() for name, query in wanted.items()}


def size(connection: Connection) -> int:
    """Return how many bytes the database takes."""
    if connection.dialect.name == "sqlite":
        query = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    else:
        query = "SELECT pg_database_size(current_database())"
    return int(connection.execute(text(query)).scalar_one())


def mode(connection: Connection) -> str | None:
    """Return the recorded mode, if there is one."""
    if not inspect(connection).has_table(Setting.__tablename__):
        return None
    value = connection.execute(select(Setting.value).where(Setting.key == INSTALLATION)).scalar()
    return value.get("auth_mode") if isinstance(value, dict) else None


def keep_writers_out(connection: Connection) -> None:
    """Let nobody else write to the end of the transaction; a writing one of SQLite does so anyway.

    Raises CannotMove when others do not let it.
    """
    if connection.dialect.name == "sqlite":
        return
    # Changes and sign-ins first, then the Settings table, of which a change holds a row before anything else.
    names = [Setting.__tablename__, *(table.name for table in tables() if table.name != Setting.__tablename__)]
    for _ in range(LOCK_TRIES):
        with suppress(OperationalError), connection.begin_nested():
            # Given up before PostgreSQL looks for deadlocks, which it does after a second: it might end a request.
            connection.execute(text("SET LOCAL lock_timeout = '500ms'"))
            lock_changes(connection)
            connection.execute(text(f"LOCK TABLE {', '.join(names)} IN EXCLUSIVE MODE"))
            return
    raise CannotMove("Others write into the database all the time; nothing was changed. Try again, or stop them.")


def clear(connection: Connection) -> None:
    """Delete every row of every table."""
    for table in reversed(tables()):
        connection.execute(table.delete())


def read(connection: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of a table, a batch at a time."""
    rows = connection.execute(select(table), execution_options={"yield_per": BATCH})
    for batch in rows.mappings().partitions():
        yield [dict(row) for row in batch]


def copy(source: Connection, target: Connection, left_out: Collection[str] = ()) -> dict[str, int]:
    """Add the rows of every table to another database, except those `left_out`, and return how many.

    Raises CannotMove when not all arrive.
    """
    before = count(target)
    copied = {}
    for table in tables():
        copied[table.name] = 0
        for batch in read(source, table) if table.name not in left_out else ():
            target.execute(table.insert(), batch)
            copied[table.name] += len(batch)
    _go_on_counting(target)
    arrived = count(target)
    if different := [name for name, rows in copied.items() if arrived[name] != before[name] + rows]:
        raise CannotMove(f"Not every row arrived in {', '.join(different)}; nothing was changed.")
    return copied


def _go_on_counting(connection: Connection) -> None:
    """Let PostgreSQL number new rows after those that brought their numbers along; SQLite does by itself."""
    if connection.dialect.name == "sqlite":
        return
    for table in tables():
        if (column := table.autoincrement_column) is None:
            continue
        # Never lower than it was: a sequence does not come back when the transaction is undone.
        sequence = "pg_get_serial_sequence(:table, :column)"
        highest = f"SELECT coalesce(max({column.name}), 0) FROM {table.name}"  # noqa: S608 - the models' own names
        query = text(f"SELECT setval({sequence}, greatest(({highest}), nextval({sequence})))")
        connection.execute(query, {"table": table.name, "column": column.name})
