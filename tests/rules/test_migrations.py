"""A database of every earlier version comes up to date with all its rows, on SQLite and on PostgreSQL."""

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Connection, DateTime, MetaData, String, Table, select, text
from sqlalchemy.types import JSON, Boolean

from authapp.base import Base
from authapp.database import Database, require_schema, schemas, upgrade
from tests.migrations import migrate

MOMENT = datetime(2025, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
# Counts of wrong tries may go with any upgrade; all other rows have to stay.
PASSING = {"tries", "alembic_version"}
EARLIER = schemas()[:-1]
ROWS = 3


def value(column: Column[Any], row: int) -> Any:
    """Return what a column may hold: something else in each row, and of the row's number where it refers to one."""
    if column.foreign_keys:
        (key,) = column.foreign_keys
        return value(key.column, row)
    if isinstance(column.type, DateTime):
        return MOMENT.replace(second=row)
    if isinstance(column.type, Boolean):
        return row % 2 == 0
    if isinstance(column.type, JSON):
        return {"number": row, "text": "Zoë 'quoted'"}
    if isinstance(column.type, String):
        length = column.type.length or 36
        named = f"{column.table.name}.{column.name} Żółć {row}"
        return str(uuid.UUID(int=row)) if length == 36 else f"{row}{named}"[:length]
    return row


def fill(connection: Connection) -> dict[str, Table]:
    """Add rows to every table there is, and return the tables as they are at this moment."""
    schema = MetaData()
    schema.reflect(connection)
    kept = {table.name: table for table in schema.sorted_tables if table.name not in PASSING}
    for table in kept.values():
        rows = [{column.name: value(column, row) for column in table.columns} for row in range(1, ROWS + 1)]
        connection.execute(table.insert(), rows)
    return kept


def contents(connection: Connection, tables: dict[str, Table]) -> dict[str, list[dict[str, Any]]]:
    """Return every row of tables, with the columns they had when they were filled."""
    return {
        name: [dict(row) for row in connection.execute(select(table).order_by(*table.primary_key)).mappings()]
        for name, table in tables.items()
    }


@pytest.fixture(params=EARLIER)
def revision(request: pytest.FixtureRequest) -> str:
    """The number of an earlier schema."""
    return str(request.param)


def test_an_upgrade_keeps_every_row(empty: Database, revision: str) -> None:
    """Whatever stood in a database of an earlier version stands in the upgraded one, in every column it had."""
    migrate(empty, command.upgrade, revision)
    with empty.engine.execution_options(authapp_writes=True).begin() as connection:
        tables = fill(connection)
        before = contents(connection, tables)
    upgrade(empty)
    with empty.engine.connect() as connection:
        after = contents(connection, tables)
    assert {len(rows) for rows in before.values()} == {ROWS}
    for name, rows in before.items():
        assert [row for row in rows if row not in after[name]] == []


def test_an_upgrade_keeps_references(empty: Database, revision: str) -> None:
    """After an upgrade every row still has the one it refers to, and goes with it when that one goes."""
    migrate(empty, command.upgrade, revision)
    with empty.engine.execution_options(authapp_writes=True).begin() as connection:
        fill(connection)
    upgrade(empty)
    with empty.engine.execution_options(authapp_writes=True).begin() as connection:
        if empty.is_sqlite:
            assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        connection.execute(text("DELETE FROM users"))
        assert connection.execute(text("SELECT count(*) FROM sessions")).scalar() == 0


def test_an_upgrade_ends_with_the_models(empty: Database, revision: str) -> None:
    """From whichever version, the upgraded schema is the one of the models."""
    migrate(empty, command.upgrade, revision)
    with empty.engine.execution_options(authapp_writes=True).begin() as connection:
        fill(connection)
    upgrade(empty)
    require_schema(empty)
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
