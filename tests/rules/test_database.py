"""The engine, the two kinds of transaction, and the schema, on SQLite and on PostgreSQL."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from stat import S_IMODE
from typing import Any

import pytest
import time_machine
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import MetaData, column, inspect, select, table, text
from sqlalchemy.exc import IntegrityError

from authapp import clock, directory, names, paths, provision, sessions, settings, tokens
from authapp.base import Base
from authapp.config import sections
from authapp.config.overlay import Effective
from authapp.config.sections import SessionOptions
from authapp.database import (
    BUSY_TIMEOUT,
    Database,
    current_schema,
    database_url,
    expected_schema,
    require_schema,
    sqlite_file,
    upgrade,
)
from authapp.directory import Query
from authapp.errors import SchemaOutdated, StartError
from authapp.models import KnownName, NamePart, Setting, SignedIn, User, Workspace
from authapp.paths import Locations
from tests.migrations import migrate
from tests.programs import PostgresServer
from tests.world import ADA, BOB, SHELL, World, at_once

UPGRADE = """
import sys
import alembic.command
from authapp.database import Database, upgrade
print("ready", flush=True)
sys.stdin.readline()
upgrade(Database(sys.argv[1]))
"""
LOCATIONS = Locations(Path("/somewhere/config.yml"), named=True, data=Path("/somewhere/data"))
TABLES = [
    "audit",
    "audit_blocks",
    "known_names",
    "name_parts",
    "nodes",
    "organizations",
    "refusals",
    "sessions",
    "settings",
    "tokens",
    "tries",
    "users",
    "workspaces",
]


def tables(database: Database) -> list[str]:
    """Return the names of the tables, except Alembic's own."""
    with database.engine.connect() as connection:
        return sorted(set(inspect(connection).get_table_names()) - {"alembic_version"})


def set_schema(database: Database, number: str) -> None:
    """Pretend that the schema has another number."""
    with database.writing() as db:
        db.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})


def upgrading_process(url: str) -> subprocess.Popen[str]:
    """Start a process that upgrades as soon as it is told to."""
    process = subprocess.Popen(
        [sys.executable, "-c", UPGRADE, url],
        cwd=paths.SHIPPED,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


# -- the schema -----------------------------------------------------------------------------------------------


def test_migrations_make_the_models_tables(empty: Database) -> None:
    """What the migrations make is what the models say, down to types, indexes and names."""
    upgrade(empty)
    assert tables(empty) == TABLES == sorted(Base.metadata.tables)
    with empty.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_bear_names(empty: Database) -> None:
    """Every constraint has the name the models give it, so that a later migration can drop it."""
    upgrade(empty)
    with empty.engine.connect() as connection:
        found = inspect(connection)
        for table in Base.metadata.sorted_tables:
            assert found.get_pk_constraint(table.name)["name"] == table.primary_key.name
            names = {key["name"] for key in found.get_foreign_keys(table.name)}
            assert names == {key.name for key in table.foreign_key_constraints}


def test_upgrading_twice(empty: Database) -> None:
    """Upgrading what is up to date changes nothing."""
    upgrade(empty)
    provision.prepare(empty)
    with empty.reading() as db:
        before = settings.load_all(db)
    upgrade(empty)
    with empty.reading() as db:
        assert settings.load_all(db) == before


def test_going_back(empty: Database) -> None:
    """Every migration can be undone."""
    upgrade(empty)
    migrate(empty, command.downgrade, "base")
    assert tables(empty) == []


def test_processes_upgrading_at_once(empty: Database) -> None:
    """Several processes may upgrade one database at the same moment: one does, the others wait."""
    processes = [upgrading_process(empty.url) for _ in range(4)]
    outcomes = at_once(*(partial(process.communicate, "go\n", timeout=60) for process in processes))
    assert outcomes == [("", "")] * 4
    require_schema(empty)


def test_preparing_at_once(empty: Database) -> None:
    """Several nodes may start on one empty database: they share one installation and one secret key."""
    upgrade(empty)
    nodes = [Database(empty.url) for _ in range(4)]
    made = at_once(*(partial(provision.prepare, node) for node in nodes))
    for node in nodes:
        node.dispose()
    assert [outcome for outcome in made if isinstance(outcome, Exception)] == []
    assert len({str(outcome) for outcome in made}) == 1


def test_the_schemas_number(empty: Database) -> None:
    """The number of the schema is that of the newest migration, none before the first."""
    with empty.engine.connect() as connection:
        assert current_schema(connection) is None
    upgrade(empty)
    with empty.engine.connect() as connection:
        assert current_schema(connection) == expected_schema()


def test_migrations_form_one_line() -> None:
    """The migrations' files are numbered, and the newest number is the head."""
    assert ScriptDirectory(paths.MIGRATIONS).get_heads() == [expected_schema()]


def test_an_older_schema_is_refused(empty: Database) -> None:
    """Without a schema the database cannot be used; the sentence says what to do."""
    with pytest.raises(SchemaOutdated, match="Run: authapp bootstrap"):
        require_schema(empty)


@pytest.mark.parametrize("look", [upgrade, require_schema])
def test_a_newer_schema_is_refused(empty: Database, look: Callable[[Database], None]) -> None:
    """A database from a newer version is left alone; the sentence says so."""
    upgrade(empty)
    set_schema(empty, "9999")
    with pytest.raises(SchemaOutdated, match="newer version"):
        look(empty)
    assert tables(empty) == TABLES


def test_a_failed_upgrade_leaves_nothing(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade that fails on its way is undone whole."""
    real = command.upgrade

    def fail_at_the_end(config: Config, revision: str) -> None:
        real(config, revision)
        raise ZeroDivisionError

    monkeypatch.setattr(command, "upgrade", fail_at_the_end)
    with pytest.raises(ZeroDivisionError):
        upgrade(empty)
    monkeypatch.undo()
    assert tables(empty) == []
    upgrade(empty)
    assert tables(empty) == TABLES


def test_foreign_keys_hold_after_an_upgrade(empty: Database) -> None:
    """A row cannot refer to one that is not there, right after an upgrade too."""
    upgrade(empty)
    orphan = Workspace(id="w", organization_id="nowhere", name="w", created_at=clock.now())
    with pytest.raises(IntegrityError), empty.writing() as db:
        db.add(orphan)


@pytest.mark.postgres
def test_postgresql_is_not_waited_for_without_end(postgres: PostgresServer) -> None:
    """On PostgreSQL every wait has an end; what the URL says of connecting counts."""
    database = Database(postgres.url + "?connect_timeout=7")
    with database.engine.connect() as connection:
        limits = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        found = [connection.execute(text(f"SHOW {limit}")).scalar() for limit in limits]
        raw: Any = connection.connection.driver_connection
        parameters = raw.info.get_parameters()
    database.dispose()
    assert found == ["30s", "10s", "1min"]
    assert (parameters["connect_timeout"], parameters["tcp_user_timeout"]) == ("7", "15000")


# -- upgrading what is in use ---------------------------------------------------------------------------------

TOKEN = "the token in Bob's cookie"
OLD_NAMES = [ADA, BOB, "Zoë Żółć", "x" * 256, "agent42", "a.b_c " * 40 + "z"]
LONG_AGO = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=UTC)


@pytest.fixture
def old(empty: Database) -> Database:
    """A database as the first version made it, with people in it; Bob is signed in."""
    migrate(empty, command.upgrade, "0001")
    role = {"role": "admin", "is_active": True, "created_at": LONG_AGO, "last_login_at": LONG_AGO}
    people = [
        {
            "id": f"id{number}",
            "username": name,
            "username_key": names.fold(name),
            "password_hash": "$argon2id$x",
            **role,
        }
        for number, name in enumerate(OLD_NAMES)
    ]
    session = {"id": "s", "token_sha256": tokens.digest(TOKEN), "user_id": "id1", "address": "", "user_agent": ""}
    times = {"created_at": LONG_AGO, "last_seen_at": LONG_AGO, "remember": True}
    with empty.engine.execution_options(authapp_writes=True).begin() as connection:
        schema = MetaData()
        schema.reflect(connection)
        connection.execute(schema.tables["users"].insert(), people)
        connection.execute(schema.tables["sessions"].insert(), {**session, **times})
        # As that version wrote it: what writes it today knows columns that came later.
        happened = {"at": LONG_AGO, "event": "installation.created", "outcome": "success", "road": "authapp"}
        nobody = {"actor": "", "address": "", "target": "", "detail": {}}
        connection.execute(schema.tables["audit"].insert(), {**happened, **nobody})
    return empty


def contents(database: Database, columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """Return every row of some tables, cut to some columns."""
    with database.engine.connect() as connection:
        return {
            name: sorted(map(str, connection.execute(select(*map(column, wanted)).select_from(table(name)))))
            for name, wanted in columns.items()
        }


def test_an_upgrade_loses_nothing(old: Database) -> None:
    """Whatever stood in a database of the first version stands in the newest as it was."""
    with old.engine.connect() as connection:
        found = inspect(connection)
        # What the throttle counted is forgotten: it is about the last minutes.
        kept = set(tables(old)) - {"tries"}
        columns = {name: [each["name"] for each in found.get_columns(name)] for name in kept}
    before = contents(old, columns)
    upgrade(old)
    assert contents(old, columns) == before
    assert len(before["users"]) == len(OLD_NAMES)


def test_sessions_survive_an_upgrade(old: Database) -> None:
    """Whoever was signed in before an upgrade is signed in afterwards; the sign-in counts as the last proof."""
    upgrade(old)
    with time_machine.travel(LONG_AGO), old.reading() as db:
        found = sessions.find(db, SessionOptions(), TOKEN)
    assert found is not None
    session, user = found
    assert (user.username, session.proved_at) == (BOB, LONG_AGO)
    with old.writing() as db:
        db.execute(text("DELETE FROM users WHERE id = 'id1'"))
        assert db.get(SignedIn, session.id) is None


def test_people_from_before_an_upgrade_are_ordinary(old: Database) -> None:
    """Users from before have no full name, no initial password to replace, and did not sign up."""
    upgrade(old)
    with old.reading() as db:
        found = {(user.full_name, user.must_change_password, user.signed_up) for user in db.scalars(select(User))}
    assert found == {("", False, False)}


@pytest.mark.parametrize(
    ("search", "name"), [("example", ADA), ("żół", OLD_NAMES[2]), ("42", "agent42"), ("xx", "x" * 256)]
)
def test_people_from_before_an_upgrade_are_found(old: Database, search: str, name: str) -> None:
    """A search finds users from before an upgrade like any other."""
    upgrade(old)
    with old.reading() as db:
        page = directory.page(db, Effective(sections.Config()), Query(search=search), SHELL)
    assert [one.user.username for one in page.users] == [name]


def test_an_upgrade_writes_what_the_rules_write(old: Database) -> None:
    """What users from before an upgrade are found by, and that their names are known, is as if made today."""
    upgrade(old)
    with old.reading() as db:
        parts = {(row.part, row.user_id) for row in db.scalars(select(NamePart))}
        known = {row.username_key for row in db.scalars(select(KnownName))}
    assert parts == {(part, f"id{at}") for at, name in enumerate(OLD_NAMES) for part in names.parts(name)}
    assert known == set(map(names.fold, OLD_NAMES))


# -- transactions ---------------------------------------------------------------------------------------------


def test_all_or_nothing(world: World) -> None:
    """After an exception nothing of a transaction is kept."""

    def fail() -> None:
        with world.database.writing() as db:
            settings.store(db, "one", 1)
            db.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert world.setting("one") is None


def test_reading_keeps_nothing(world: World) -> None:
    """What is written in a transaction that only reads is gone with it."""
    with world.database.reading() as db:
        settings.store(db, "one", 1)
    assert world.setting("one") is None


def test_what_was_loaded_stays_usable(cast: World) -> None:
    """A row can be looked at when its transaction is over."""
    with cast.database.writing() as db:
        user = db.get_one(User, cast.user(BOB).id)
    assert user.username == BOB


def test_writers_wait_for_each_other(world: World) -> None:
    """Several processes that read first and write later lose nothing, and none hears of a locked database."""
    with world.database.writing() as db:
        settings.store(db, "counter", 0)

    def count(database: Database) -> None:
        for _ in range(25):
            with database.writing() as db:
                counter = db.get_one(Setting, "counter", with_for_update=True)
                counter.value += 1

    assert at_once(*(partial(count, world.connect()) for _ in range(4))) == [None] * 4
    assert world.setting("counter") == 100


def test_a_reader_does_not_wait_for_a_writer(world: World) -> None:
    """While somebody writes, others read what was there before."""
    with world.database.writing() as writer:
        settings.store(writer, "one", 1)
        writer.flush()
        assert world.setting("one") is None
    assert world.setting("one") == 1


def test_many_threads_share_one_database(world: World) -> None:
    """As many threads as a server has may each open a transaction; they take turns with the connections."""
    _ = world.database
    ids = at_once(*[lambda: str(world.setting("installation")["id"])] * 30)
    assert set(ids) == {world.setting("installation")["id"]}


def test_children_go_with_their_parent(cast: World) -> None:
    """Deleting a user's row deletes the rows of the user's sessions, by the database itself."""
    bob = cast.user(BOB)
    moment = clock.now()
    with cast.database.writing() as db:
        times = {"created_at": moment, "last_seen_at": moment, "proved_at": moment}
        db.add(SignedIn(token_sha256="x", user_id=bob.id, **times))
    with cast.database.writing() as db:
        db.execute(text("DELETE FROM users WHERE id = :id"), {"id": bob.id})
    assert cast.tables()["sessions"] == []


def test_one_name_one_row(cast: World) -> None:
    """The database itself refuses a second user of a name."""
    again = User(username="x", username_key=ADA, created_at=clock.now())
    with pytest.raises(IntegrityError), cast.database.writing() as db:
        db.add(again)


def test_errors_show_no_values(cast: World) -> None:
    """An error of the database does not repeat what was to be written."""
    again = User(username="x", username_key=ADA, password_hash="$argon2id$abc", created_at=clock.now())
    with pytest.raises(IntegrityError) as raised, cast.database.writing() as db:
        db.add(again)
    assert "$argon2id$abc" not in str(raised.value)


# -- in passing -----------------------------------------------------------------------------------------------


def test_what_is_written_in_passing(cast: World) -> None:
    """What is written in passing is kept like any other change, as long as nothing is in the way."""
    with cast.database.in_passing() as db:
        settings.store(db, "one", 1)
    with cast.database.reading() as db:
        assert settings.load_all(db)["one"] == 1


def test_a_change_in_passing_waits_for_nobody(cast: World) -> None:
    """While another process holds what it needs, a change in passing is left out, and that stops nobody."""
    with cast.connect().writing() as other:
        settings.store(other, settings.INSTALLATION, {"held": True})
        with cast.database.in_passing() as db:
            settings.store(db, settings.INSTALLATION, {"in passing": True})
    with cast.database.reading() as db:
        assert settings.load_all(db)[settings.INSTALLATION] == {"held": True}


def test_the_next_change_waits_again(cast: World) -> None:
    """After a change in passing the same connection waits for others as long as ever."""
    with cast.database.in_passing() as db:
        settings.store(db, "one", 1)
        waits = "PRAGMA busy_timeout" if cast.database.is_sqlite else "SHOW lock_timeout"
    with cast.database.writing() as db:
        assert db.execute(text(waits)).scalar() == (BUSY_TIMEOUT if cast.database.is_sqlite else "10s")


# -- where it is ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "url"),
    [
        (None, "sqlite:////somewhere/data/authapp.db"),
        ("sqlite:///users.db", "sqlite:////somewhere/users.db"),
        ("sqlite:////elsewhere/users.db", "sqlite:////elsewhere/users.db"),
        ("postgresql://me:secret@host:5433/db", "postgresql://me:secret@host:5433/db"),
    ],
)
def test_database_urls(wanted: str | None, url: str) -> None:
    """Without a URL it is SQLite in the data folder; a relative path starts from the config file's folder."""
    assert database_url(wanted, LOCATIONS) == url


@pytest.mark.parametrize(
    ("url", "file"),
    [
        ("sqlite:////a/b.db", Path("/a/b.db")),
        ("sqlite:///:memory:", None),
        ("sqlite:///file:/a/b.db?mode=ro&uri=true", None),
        ("postgresql://host/db", None),
    ],
)
def test_sqlite_files(url: str, file: Path | None) -> None:
    """Only a SQLite URL names a file."""
    assert sqlite_file(url) == file


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """A SQLite file, and the files beside it, can be read by nobody else."""
    database = Database(f"sqlite:///{tmp_path / 'authapp.db'}")
    upgrade(database)
    with database.writing() as db:
        settings.store(db, "one", 1)
    modes = {file.name: S_IMODE(file.stat().st_mode) for file in tmp_path.glob("authapp.db*")}
    database.dispose()
    assert "authapp.db-wal" in modes
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("kind", ["garbage", "a folder", "no folder"])
def test_what_is_no_database(tmp_path: Path, kind: str) -> None:
    """A file that is no database, or cannot be one, is told in a sentence and left as it is."""
    file = tmp_path / "missing" / "authapp.db" if kind == "no folder" else tmp_path / "authapp.db"
    if kind == "garbage":
        file.write_bytes(b"this is no database, " * 500)
    elif kind == "a folder":
        file.mkdir()
    with pytest.raises(StartError, match=r"^The database cannot be used: .+\.$"):
        upgrade(Database(f"sqlite:///{file}"))
    assert kind != "garbage" or file.read_bytes().startswith(b"this is no database")


@pytest.mark.postgres
def test_postgres_that_does_not_answer() -> None:
    """A PostgreSQL server that is not there is told in a sentence, without the password."""
    with pytest.raises(StartError, match=r"^The database cannot be used: ") as raised:
        upgrade(Database("postgresql+psycopg://me:secret-word@127.0.0.1:1/none"))
    assert "secret-word" not in str(raised.value)


@pytest.mark.parametrize("name", ["what?", "100%20", "a#b", "ü b", "plain"])
def test_any_folder_may_hold_the_database(tmp_path: Path, name: str) -> None:
    """The default database lies in the data folder, whatever signs are in the folder's name."""
    data = tmp_path / name
    locations = replace(LOCATIONS, data=data)
    assert sqlite_file(database_url(None, locations)) == data / "authapp.db"
