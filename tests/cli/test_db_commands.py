"""`authapp db`: the commands around the database."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from authapp import nodes
from authapp.database import expected_schema
from authapp.nodes import Here
from tests.cli.commands import Run, is_one_sentence, printed, said
from tests.programs import PostgresServer
from tests.world import ADA, BOB, OTHER_PASSWORD, PASSWORD, World, signed_in

SCHEMA = expected_schema()


def set_schema(world: World, number: str) -> None:
    """Pretend that the schema has another number."""
    with world.database.writing() as db:
        db.execute(text("UPDATE alembic_version SET version_num = :number"), {"number": number})


# -- status and upgrade ---------------------------------------------------------------------------------------


def test_status(run: Run, cast: World) -> None:
    """`db status` says which database it is, its schema, its mode, and how many rows each table has."""
    shown = said(run("db", "status"))
    address = cast.database_url or f"sqlite:///{cast.folder / 'data' / 'authapp.db'}"
    assert f"Database: {address}\n" in shown
    assert f"Schema: {SCHEMA}, this version needs {SCHEMA}\nMode: basic\nSize: " in shown
    assert "users          4\n" in shown


def test_status_for_scripts(run: Run, cast: World) -> None:
    """`db status --json` says the same to a script."""
    facts = printed(run("db", "status", "--json"))
    assert facts["rows"] == {name: len(rows) for name, rows in cast.tables().items()}
    assert (facts["schema"], facts["expected_schema"], facts["mode"]) == (SCHEMA, SCHEMA, "basic")
    assert facts["size"] > 4096


@pytest.mark.parametrize(("number", "words"), [("0001", "authapp bootstrap"), ("9999", "newer version")])
def test_status_of_another_schema(run: Run, cast: World, number: str, words: str) -> None:
    """Where the schema is not the one needed, `db status` exits 1 and says what to do, beside what there is."""
    set_schema(cast, number)
    result = run("db", "status", "--json")
    assert (result.exit_code, len(result.stderr.splitlines()), words in result.stderr) == (1, 1, True)
    assert json.loads(result.stdout)["schema"] == number


@pytest.mark.postgres
def test_status_shows_no_password(run: Run, world: World, postgres_url: str) -> None:
    """The address of the database is shown without its password."""
    url = postgres_url.replace("postgres@", "postgres:secret-word@")
    world.write_config(f"database: {{url: '{url}'}}\n")
    shown = said(run("db", "status"))
    assert ("secret-word" in shown, "Database: postgresql" in shown) == (False, True)


def test_upgrade(run: Run, world: World) -> None:
    """`db upgrade` says from which schema to which, and a second time that there is nothing to do."""
    with world.database.writing() as db:
        db.execute(text("DROP TABLE nodes"))
    set_schema(world, "0006")
    assert said(run("db", "upgrade")) == f"The schema was 0006 and is {SCHEMA} now.\n"
    assert said(run("db", "upgrade")) == f"The schema is {SCHEMA} already; nothing was changed.\n"


@pytest.mark.sqlite(reason="there is no installation where its file is missing")
@pytest.mark.parametrize("words", ["status", "upgrade", "backup new.db", "copy --to postgresql://host/db"])
def test_no_installation(run: Run, tmp_path: Path, words: str) -> None:
    """Where there is no installation, the commands say where they looked, and make nothing."""
    result = run("db", *words.split())
    assert is_one_sentence(result)
    assert "looked for" in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.postgres
@pytest.mark.sqlite(reason="the database is another one")
@pytest.mark.parametrize("words", ["user list", "setup status", "mode show", "config set organization.name Looms"])
def test_no_tables(run: Run, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """In a PostgreSQL database without tables, commands that found nothing say in one sentence what would."""
    monkeypatch.setenv("AUTHAPP_DATABASE_URL", postgres.new_database())
    result = run(*words.split())
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "schema is missing" in result.stderr
    assert "authapp bootstrap" in result.stderr


# -- backup and restore ---------------------------------------------------------------------------------------


def test_backup_and_restore(run: Run, cast: World) -> None:
    """`db backup` writes a file; `db restore` brings it back after the typed word, and says what is over."""
    assert "4 users among them" in said(run("db", "backup", "backup.db"))
    cast.add("erin")
    result = run("db", "restore", "backup.db", typed="restore\n")
    assert (result.exit_code, "4 users among them" in result.stdout) == (0, True)
    assert "Every session, JWT and API token is over" in result.stdout
    assert "counts of wrong passwords and the list of nodes are not brought back" in result.stdout
    assert "The backup holds 4 users. The database holds 5 users" in result.stderr
    assert len(cast.tables()["users"]) == 4


@pytest.mark.usefixtures("cast")
def test_backup_and_restore_for_scripts(run: Run) -> None:
    """With --json both print how many rows there are; with --yes nobody is asked."""
    made = printed(run("db", "backup", "backup.db", "--json"))
    assert (made["file"], made["rows"]["users"]) == ("backup.db", 4)
    assert printed(run("db", "restore", "backup.db", "--yes", "--json"))["rows"]["users"] == 4


@pytest.mark.usefixtures("cast")
def test_a_second_backup_needs_another_name(run: Run) -> None:
    """A backup replaces no file."""
    said(run("db", "backup", "backup.db"))
    assert is_one_sentence(run("db", "backup", "backup.db"))


@pytest.mark.usefixtures("cast")
def test_a_backup_into_a_folder_that_is_not_there(run: Run) -> None:
    """A file that cannot be made is one sentence, which names it: a timer's mail shows nothing else."""
    result = run("db", "backup", "nowhere/backup.db")
    assert is_one_sentence(result)
    assert "nowhere/backup.db" in result.stderr


@pytest.mark.parametrize("typed", ["yes\n", "\n", "RESTORE\n", ""])
def test_the_word_has_to_be_typed(run: Run, cast: World, typed: str) -> None:
    """Anything but the word changes nothing."""
    said(run("db", "backup", "backup.db"))
    before = cast.tables()
    assert run("db", "restore", "backup.db", typed=typed).exit_code == 1
    assert cast.tables() == before


def test_the_file_is_looked_at_before_asking(run: Run, cast: World) -> None:
    """What is no backup is refused before anybody is asked."""
    (cast.folder / "notes.txt").write_text("these are notes\n" * 100)
    result = run("db", "restore", "notes.txt")
    assert is_one_sentence(result)
    assert "is no backup of authapp" in result.stderr


def test_a_restore_founds_an_installation(run: Run, cast: World) -> None:
    """On a machine with nothing on it a restore makes an installation that works."""
    said(run("db", "backup", "backup.db"))
    cast.close()
    (cast.folder / "data").rename(cast.folder / "lost")
    assert run("db", "restore", "backup.db", "--yes").exit_code == 0
    moved = World(cast.folder, cast._empty_database)
    assert moved.browser().sign_in(BOB, PASSWORD).status_code == 303
    moved.close()


@pytest.mark.sqlite(reason="the file of the database is taken away")
def test_a_restore_where_the_file_was_taken_away(run: Run, cast: World) -> None:
    """Where there was no file, a line says that a server which runs has to be restarted; else there is none."""
    said(run("db", "backup", "backup.db"))
    said(run("db", "restore", "backup.db", "--yes"))
    cast.close()
    (cast.folder / "data" / "authapp.db").unlink()
    assert "goes on with the file it began with: restart it." in run("db", "restore", "backup.db", "--yes").stderr


def test_the_file_still_wins_after_a_restore(run: Run, cast: World) -> None:
    """Credentials in the config file win over those of the backup, as soon as the command is done."""
    said(run("db", "backup", "backup.db"))
    cast.write_credentials(ADA, OTHER_PASSWORD)
    said(run("db", "restore", "backup.db", "--yes"))
    cast.look()
    assert cast.browser().sign_in(ADA, PASSWORD).status_code == 401
    assert cast.browser().sign_in(ADA, OTHER_PASSWORD).status_code == 303


def test_a_running_app_goes_on_after_a_restore(run: Run, cast: World) -> None:
    """An app that runs meanwhile needs no restart: whoever was signed in is not, and can sign in again."""
    browser = signed_in(cast, BOB)
    said(run("db", "backup", "backup.db"))
    said(run("db", "restore", "backup.db", "--yes"))
    cast.look()
    assert not browser.is_signed_in()
    assert signed_in(cast, BOB).is_signed_in()


def test_a_backup_of_another_mode(run: Run, cast: World) -> None:
    """A backup in mode basic is refused where the config wants none: the lock is not got round like this."""
    said(run("db", "backup", "backup.db"))
    cast.write_config("auth: {mode: none}\n")
    before = cast.tables()
    result = run("db", "restore", "backup.db", "--yes")
    assert (result.exit_code, "the recorded mode is basic" in result.stderr) == (2, True)
    assert cast.tables() == before


# -- copy -----------------------------------------------------------------------------------------------------


@pytest.mark.postgres
@pytest.mark.parametrize("way", ["option", "variable"])
def test_copy(run: Run, cast: World, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """`db copy` prints the rows of each table and the line for config.yml, and no password of any kind."""
    url = postgres.new_database().replace("postgres@", "postgres:secret-word@")
    if way == "variable":
        monkeypatch.setenv("AUTHAPP_COPY_TO", url)
    shown = said(run("db", "copy", *(["--to", url] if way == "option" else [])))
    assert "users          4\n" in shown
    assert 'database:\n  url: "postgresql' in shown
    assert "secret-word" not in shown
    cast.write_config(f"database: {{url: '{url}'}}\n")
    assert printed(run("db", "status", "--json"))["rows"]["users"] == 4


@pytest.mark.postgres
def test_copy_while_a_server_runs(run: Run, cast: World, postgres: PostgresServer) -> None:
    """`db copy` names a node that may still write into the old database, since the copy would lack that."""
    nodes.beat(cast.database, Here("web-1", "/etc/authapp/config.yml", "old", 4711), cast.snapshot.effective)
    result = run("db", "copy", "--to", postgres.new_database())
    assert (result.exit_code, len(result.stderr.splitlines())) == (0, 1)
    assert "The node web-1 (/etc/authapp/config.yml, process 4711) served the old database" in result.stderr


@pytest.mark.usefixtures("cast")
def test_copy_where_to(run: Run) -> None:
    """Without an address the command says both ways to give one."""
    result = run("db", "copy")
    assert result.exit_code == 2
    assert "AUTHAPP_COPY_TO" in result.stderr


@pytest.mark.usefixtures("cast")
def test_the_variable_is_known(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable for `db copy` is not told to be a misspelled option."""
    monkeypatch.setenv("AUTHAPP_COPY_TO", "postgresql://host/db")
    assert "COPY_TO" not in run("config", "check").output
