"""What all commands about users and sessions have in common: whom they mean, how they answer, how they refuse."""

import getpass
import os
from pathlib import Path

import pytest
from sqlalchemy import text

from authapp import database
from authapp.cli import common
from tests.cli.commands import FACTS, MORE_FACTS, Run, is_one_sentence, is_safe_to_show, printed, problems_of
from tests.world import BOB, CHARLIE, World

# The commands that are done to one user: what has to stand behind the user's name.
DONE_TO_A_USER = {
    "show": "", "activate": "", "deactivate": "", "promote": "", "demote": "", "rename": "robert",
    "reset-password": "", "unlock": "", "delete": "--yes",
}  # fmt: skip
EVERY_COMMAND = [
    *(f"user {command} {BOB} {rest}".strip() for command, rest in DONE_TO_A_USER.items()),
    "user list", "user add erin", "session list", f"session list --user {BOB}", "session revoke 1",
    f"session revoke --user {BOB}", "session revoke --all",
    "token list", f"token list --user {BOB}", f"token add {BOB} backup", "token revoke 1",
    f"token revoke --user {BOB}", "token revoke --all",
]  # fmt: skip
FOREIGN = "\udcff"  # a byte of the command line that is not UTF-8, as Python hands it on
EVIL = ["\x1b[31mred", "a\nb", "a\x9b31mb", "a\u202eb"]


def done_to(user: str, command: str) -> list[str]:
    """Return the words of a command that is done to a user."""
    return ["user", command, user, *DONE_TO_A_USER[command].split()]


# -- whom they mean -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["name", "name in capitals", "id", "id in capitals"])
@pytest.mark.parametrize("command", DONE_TO_A_USER)
def test_a_user_is_meant_by_name_or_id(run: Run, cast: World, command: str, how: str) -> None:
    """Every command takes a user's name, however it is written, or the user's id."""
    bob = cast.user(BOB)
    user = bob.id if how.startswith("id") else BOB
    user = user.upper() if how.endswith("in capitals") else user
    assert printed(run(*done_to(user, command), "--json"))["id"] == bob.id


@pytest.mark.parametrize("user", ["nobody", "", "%"])
@pytest.mark.parametrize("command", DONE_TO_A_USER)
def test_nobody_of_that_name(run: Run, cast: World, command: str, user: str) -> None:
    """A user who is not there: one sentence with exit status 1; scripts are told nothing, and nothing changes."""
    before = cast.tables()
    result = run(*done_to(user, command), "--json")
    assert is_one_sentence(result)
    assert result.stdout == ""
    assert cast.tables() == before


# -- what scripts are told ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "facts"), [
    *((command, MORE_FACTS) for command in DONE_TO_A_USER if command not in ("reset-password", "delete")),
    ("reset-password", FACTS | {"initial_password"}),
    ("delete", {"id", "username", "deleted"}),
])  # fmt: skip
@pytest.mark.usefixtures("cast")
def test_json_is_what_was_promised(run: Run, command: str, facts: set[str]) -> None:
    """With `--json` a command prints one object with the documented fields, and nothing else."""
    told = printed(run(*done_to(BOB, command), "--json"))
    assert set(told) == facts
    assert told["username"] == ("robert" if command == "rename" else BOB)


def test_json_tells_the_user_as_changed(run: Run, cast: World) -> None:
    """The object shows the user as the command left them."""
    told = printed(run("user", "promote", CHARLIE, "--json"))
    assert (told["role"], told["is_superuser"], told["is_active"]) == ("admin", True, False)
    assert printed(run("user", "show", cast.user(CHARLIE).id, "--json")) == told


# -- where there is nothing to work on ------------------------------------------------------------------------


@pytest.mark.sqlite(reason="there is no installation where its file is missing")
@pytest.mark.parametrize("words", EVERY_COMMAND)
def test_no_installation(run: Run, tmp_path: Path, words: str) -> None:
    """Where there is no installation, a command says where it looked, and makes nothing."""
    result = run(*words.split())
    assert is_one_sentence(result)
    assert str(tmp_path / "data" / "authapp.db") in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", EVERY_COMMAND)
def test_older_schema(run: Run, world: World, words: str) -> None:
    """A schema of an older version is left as it is; one line says what upgrades it."""
    with world.database.writing() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    before = world.tables()
    result = run(*words.split())
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "authapp bootstrap" in result.stderr
    assert world.tables() == before


@pytest.mark.parametrize("words", EVERY_COMMAND)
def test_bad_config(run: Run, world: World, words: str) -> None:
    """With a config file that cannot be used a command names the problems, ends with 2 and makes nothing."""
    world.write_config("server:\n  prot: 1\nsessions:\n  lifetime: 1h\n")
    assert len(problems_of(run(*words.split()))) == 2
    assert list(world.folder.iterdir()) == [world.config_file]


@pytest.mark.parametrize("words", EVERY_COMMAND)
def test_named_config_that_is_missing(run: Run, tmp_path: Path, words: str) -> None:
    """Every command takes `--config`; a file that is not there is a problem that names it, with exit status 2."""
    missing = tmp_path / "missing.yml"
    assert str(missing) in problems_of(run(*words.split(), "--config", str(missing)))[0]


# -- wrong usage ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [
    "user", "user nope", "user show", "user show a b", "user rename bob", "user list bob", "user list --role boss",
    "user list --sort size", "user add", "user add a b", "user add a --role boss",
    "user add a --superuser --role user",
    "user activate", "user delete", "user delete bob --nope", "session", "session nope", "session list bob",
    "session revoke", "session revoke 1 --all", "session revoke --user bob --all", "session revoke 1 --user bob",
    "token", "token nope", "token list bob", "token add bob", "token add bob a b", "token add bob a --scope all",
    "token add bob a --expires soon", "token add bob a --expires 0d", "token revoke", "token revoke 1 --all",
    "token revoke --user bob --all", "token revoke 1 --user bob",
])  # fmt: skip
def test_wrong_usage(run: Run, cast: World, words: str) -> None:
    """Wrong usage ends with exit status 2, says how it is used, and changes nothing."""
    before = cast.tables()
    result = run(*words.split())
    assert result.exit_code == 2
    assert "Usage:" in result.output
    assert cast.tables() == before


# -- what is written down -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "event"), [
    ("user add erin", "user.created"), (f"user activate {CHARLIE}", "user.activated"),
    (f"user deactivate {BOB}", "user.deactivated"), (f"user promote {BOB}", "user.promoted"),
    ("user demote dora", "user.demoted"), (f"user rename {BOB} robert", "user.edited"),
    (f"user reset-password {BOB}", "user.password-reset"), (f"user delete {BOB} --yes", "user.deleted"),
    ("session revoke --all", "session.everybodys-ended"),
])  # fmt: skip
def test_a_change_is_recorded(run: Run, cast: World, words: str, event: str) -> None:
    """The audit table says that it was done on the command line, and by which account of the host."""
    assert run(*words.split()).exit_code == 0
    entry = cast.audit(event)[-1]
    assert (entry.road, entry.actor, entry.actor_id) == ("command line", getpass.getuser(), None)


def test_an_account_without_a_name(run: Run, cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container whose account has no name, the audit table holds the account's number."""

    def nameless() -> str:
        raise KeyError

    monkeypatch.setattr(common, "getuser", nameless)
    assert run("user", "deactivate", BOB).exit_code == 0
    assert cast.audit("user.deactivated")[-1].actor == str(os.getuid())


def test_an_account_whose_name_is_no_text(run: Run, cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An account's name that is not UTF-8 keeps nobody from working."""
    monkeypatch.setenv("LOGNAME", FOREIGN)
    assert run("user", "deactivate", BOB).exit_code == 0
    assert not cast.user(BOB).is_active


# -- what is no name ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [
    f"user show {FOREIGN}", f"user add {FOREIGN}", f"user add erin --full-name {FOREIGN}",
    f"user rename {BOB} {FOREIGN}", f"user list --search {FOREIGN}", f"session revoke {FOREIGN}",
])  # fmt: skip
def test_bytes_that_are_no_text(run: Run, cast: World, words: str) -> None:
    """Words that are not UTF-8 are wrong usage, and change nothing."""
    before = cast.tables()
    result = run(*words.split())
    assert result.exit_code == 2, result.exception
    assert "not UTF-8" in result.stderr
    assert cast.tables() == before


@pytest.mark.parametrize("name", EVIL)
@pytest.mark.parametrize("words", ["user add", f"user rename {BOB}", "user add erin --full-name", "user show"])
def test_names_that_terminals_obey(run: Run, cast: World, words: str, name: str) -> None:
    """A name with control characters is refused, and the refusal does not repeat them to the terminal."""
    before = cast.tables()
    result = run(*words.split(), name)
    assert is_one_sentence(result)
    assert is_safe_to_show(result.output)
    assert cast.tables() == before


# -- a database that is busy ----------------------------------------------------------------------------------


@pytest.mark.sqlite("only there a writer keeps all others out")
@pytest.mark.parametrize("words", [f"user deactivate {BOB}", "user add erin", "session revoke --all"])
def test_a_busy_database(run: Run, cast: World, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """While another program keeps the database from being written, a command says so and changes nothing."""
    before = cast.tables()
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 10)
    with cast.database.writing() as db:
        db.connection()  # begins the transaction
        result = run(*words.split())
    assert is_one_sentence(result)
    assert "database" in result.stderr
    assert cast.tables() == before
