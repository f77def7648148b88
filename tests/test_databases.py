"""The PostgreSQL databases that one test uses after the other: none sees what another left."""

import psycopg
import pytest
from sqlalchemy import make_url

from tests.databases import PostgresStock
from tests.programs import PostgresServer

pytestmark = pytest.mark.postgres
ADD = """
    INSERT INTO audit (at, event, outcome, road, actor, address, target, detail)
    VALUES (now(), 'x', 'x', 'x', '', '', '', '{}') RETURNING id
"""


@pytest.fixture(scope="module")
def stock(postgres: PostgresServer) -> PostgresStock:
    """Databases for the tests of this file."""
    return PostgresStock.on(postgres)


def connect(url: str) -> psycopg.Connection:
    """Connect to a database."""
    return psycopg.connect(make_url(url).set(drivername="postgresql").render_as_string(), autocommit=True)


def name_of(url: str) -> str | None:
    """Return the name of a database."""
    return make_url(url).database


def test_rows_are_gone_and_numbers_begin_anew(stock: PostgresStock) -> None:
    """A database is used again without the rows of a test, and counts from where it did before."""
    with stock.taken() as used, connect(used) as connection:
        assert connection.execute(ADD).fetchall() == [(1,)]
    with stock.taken() as again, connect(again) as connection:
        assert name_of(again) == name_of(used)
        assert connection.execute("SELECT count(*) FROM audit").fetchall() == [(0,)]
        assert connection.execute(ADD).fetchall() == [(1,)]


@pytest.mark.parametrize(
    "change",
    [
        "DROP TABLE nodes",
        "ALTER TABLE users RENAME TO gone; ALTER TABLE gone RENAME TO users",
        "CREATE TABLE orders (id integer)",
        "CREATE RULE swallow AS ON INSERT TO known_names DO INSTEAD NOTHING",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = 64', current_database()); END $$",
    ],
)
def test_what_was_altered_is_not_used_again(stock: PostgresStock, change: str) -> None:
    """A database whose tables or options were changed, even there and back, is dropped."""
    with stock.taken() as used, connect(used) as connection:
        connection.execute(change)
    with stock.taken() as another:
        assert name_of(another) != name_of(used)


def test_who_stayed_is_sent_away(stock: PostgresStock) -> None:
    """A connection that a test left open in the middle of a change holds up no later test."""
    with stock.taken() as used:
        left = connect(used)
        left.execute("BEGIN; LOCK TABLE audit")
    with stock.taken() as again, connect(again) as connection:
        assert name_of(again) == name_of(used)
        assert connection.execute(ADD).fetchall() == [(1,)]
    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")
    left.close()
