"""Moving from SQLite to PostgreSQL: every row arrives, or none."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from authapp import backups, contents, copying, nodes, settings
from authapp.base import Base
from authapp.database import Database, require_schema, upgrade
from authapp.errors import CannotMove
from authapp.models import SignedIn
from authapp.nodes import Here
from tests.programs import PostgresServer
from tests.world import BOB, SHELL, World, signed_in

pytestmark = pytest.mark.postgres


@pytest.fixture
def database_url() -> str | None:
    """It moves away from SQLite."""
    return None


@pytest.fixture
def target(postgres: PostgresServer) -> Iterator[Database]:
    """An empty PostgreSQL database."""
    database = Database(postgres.new_database())
    yield database
    database.dispose()


def rows(database: Database) -> dict[str, int]:
    """Count the rows of every table."""
    with database.engine.connect() as connection:
        return contents.count(connection)


def values(database: Database) -> dict[str, list[dict[str, object]]]:
    """Return every row of every table, in the order of their keys."""
    with database.engine.connect() as connection:
        return {
            table.name: [
                dict(row)
                for row in connection.execute(table.select().order_by(*table.primary_key.columns)).mappings()
            ]
            for table in Base.metadata.sorted_tables
        }


def test_every_row_arrives(cast: World, target: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row of every table arrives with all its values, however few are held in memory at a time."""
    monkeypatch.setattr(contents, "BATCH", 2)
    signed_in(cast, BOB)
    copied = copying.copy(cast.database, target.url)
    assert copied == rows(cast.database) == rows(target)
    before, after = values(cast.database), values(target)
    assert {name: after[name] for name in before} == before
    require_schema(target)


def test_who_served_the_old_database(cast: World, target: Database) -> None:
    """The nodes of the old database do not count as nodes of the new one, where nobody serves yet."""
    nodes.beat(cast.database, Here("web-1", "/etc/authapp/config.yml", "old", 4711), cast.snapshot.effective)
    assert copying.copy(cast.database, target.url)["nodes"] == rows(target)["nodes"] == 1
    with target.reading() as db:
        assert nodes.live(db) == []


def test_no_table_is_left_out(cast: World, target: Database) -> None:
    """Every table there is in the database is among those copied, also one that was added lately."""
    copied = copying.copy(cast.database, target.url)
    with target.engine.connect() as connection:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
        assert set(copied) == set(connection.execute(text(query)).scalars())


def test_it_goes_on_afterwards(cast: World, target: Database) -> None:
    """In the new database people can be added and audit entries be written, with new numbers."""
    copying.copy(cast.database, target.url)
    before = rows(target)["audit"]
    moved = World(cast.folder, cast._empty_database, target.url)
    moved.add("erin")
    entries = moved.audit("user.created")
    moved.close()
    assert (rows(target)["audit"], entries[-1].id > before) == (before + 1, True)


def test_whoever_is_signed_in_stays_so(cast: World, target: Database) -> None:
    """Sessions and secret key move along: nobody has to sign in again."""
    signed_in(cast, BOB)
    copying.copy(cast.database, target.url)
    with target.reading() as db:
        assert settings.stored_secret_key(db) == cast.setting("server.secret-key")
        assert db.query(SignedIn).count() == 1


def test_an_empty_schema_will_do(cast: World, postgres_url: str) -> None:
    """The new database may have its tables already, as long as they are empty."""
    assert copying.copy(cast.database, postgres_url)["users"] == 4


def test_a_second_copy_is_refused(cast: World, target: Database) -> None:
    """What was copied is not copied over."""
    copying.copy(cast.database, target.url)
    before = rows(target)
    with pytest.raises(CannotMove, match=r"not empty: there are rows in .*users"):
        copying.copy(cast.database, target.url)
    assert rows(target) == before


def test_a_database_of_somebody_else(cast: World, target: Database) -> None:
    """A database with tables that are not authapp's is left alone; not even a schema is made in it."""
    with target.writing() as db:
        db.execute(text("CREATE TABLE orders (id integer)"))
    with pytest.raises(CannotMove, match="tables that are not authapp's"):
        copying.copy(cast.database, target.url)
    with target.engine.connect() as connection:
        assert contents.count(connection) == {}


def test_a_row_that_does_not_fit(cast: World, target: Database) -> None:
    """A value PostgreSQL does not take ends it with a sentence without the value, and no row is kept."""
    with cast.database.writing() as db:
        db.execute(text("UPDATE users SET full_name = :name"), {"name": "secret-name " * 100})
    with pytest.raises(CannotMove, match=r"^Nothing was copied: .*too long.*\.$") as raised:
        copying.copy(cast.database, target.url)
    assert "secret-name" not in str(raised.value)
    assert set(rows(target).values()) == {0}


def test_a_row_that_does_not_arrive(cast: World, target: Database) -> None:
    """When the counts differ at the end, it names the table, and no row is kept."""
    upgrade(target)
    with target.writing() as db:
        db.execute(text("CREATE RULE swallow AS ON INSERT TO known_names DO INSTEAD NOTHING"))
    with pytest.raises(CannotMove, match="Not every row arrived in known_names; nothing was changed"):
        copying.copy(cast.database, target.url)
    assert set(rows(target).values()) == {0}


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("sqlite:///other.db", "must begin with postgresql"),
        ("mysql://me:secret-word@host/db", "must begin with"),
        ("postgresql://me:secret@word@host/db", "write @ : / in its password"),
        ("", "must begin with"),
    ],
)
def test_where_it_cannot_be_moved(wanted: str, words: str) -> None:
    """Only to PostgreSQL; what is no address is refused without repeating it."""
    with pytest.raises(CannotMove, match=words) as raised:
        copying.target_url(wanted)
    assert "secret" not in str(raised.value)


def test_a_short_scheme() -> None:
    """`postgres://`, as hosting services print it, is understood."""
    assert copying.target_url("postgres://host/db") == "postgresql://host/db"


def test_a_server_that_does_not_answer(cast: World) -> None:
    """A server that is not there is told in a sentence without the password."""
    with pytest.raises(CannotMove, match=r"^Nothing was copied: .+\.$") as raised:
        copying.copy(cast.database, "postgresql+psycopg://me:secret-word@127.0.0.1:1/none")
    assert "secret-word" not in str(raised.value)


def test_an_installation_can_come_back(cast: World, target: Database) -> None:
    """A backup of the new database can be restored into the old one."""
    copying.copy(cast.database, target.url)
    file = cast.folder / "backup.db"
    backups.back_up(target, file)
    with backups.opened_backup(file, cast.folder) as backup:
        assert backups.restore(cast.database, backup, SHELL)["users"] == 4
