"""Completion: the scripts for the shells, and what is offered when somebody presses Tab."""

import subprocess
import sys
from pathlib import Path

import pytest

from authapp import invitations
from authapp.invitations import NewUser
from tests.cli.commands import Run, credentials, said
from tests.server_process import APP, clean_environment
from tests.world import ADA, BOB, CHARLIE, DORA, OTHER_PASSWORD, PASSWORD, SHELL, WEAK_PASSWORD, World

SHELLS = ["bash", "zsh", "fish"]
DONE_TO_A_USER = [
    "show", "activate", "deactivate", "promote", "demote", "rename", "reset-password", "unlock", "delete",
]  # fmt: skip


def offered(run: Run, words: str) -> list[str]:
    """Press Tab behind these words, in bash; return what is offered. Nothing else may reach the terminal."""
    typed = {"COMP_WORDS": f"authapp {words}", "COMP_CWORD": str(len(words.split(" "))), "COMP_TYPE": "9"}
    result = run(prog_name="authapp", env={"_AUTHAPP_COMPLETE": "bash_complete", **typed})
    assert (result.exit_code, result.stderr) == (0, "")
    return [line.partition(",")[2] for line in result.stdout.splitlines() if line]


# -- the scripts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_the_scripts(run: Run, tmp_path: Path, shell: str) -> None:
    """`completion` prints what a shell needs, without an installation, and makes none."""
    script = said(run("completion", shell))
    assert f"_AUTHAPP_COMPLETE={shell}_complete" in script
    assert "main" not in script
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", ["completion", "completion cmd", "completion bash zsh"])
def test_another_shell(run: Run, words: str) -> None:
    """A shell nobody knows is wrong usage."""
    result = run(*words.split())
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


# -- what is offered ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "some"), [
    ("", {"run", "user", "session", "superuser", "completion"}), ("us", {"user"}),
    ("user ", set(DONE_TO_A_USER) | {"list", "add"}), ("session ", {"list", "revoke"}),
    ("token ", {"list", "add", "revoke"}), ("token add bob ci --scope ", {"read", "write", "admin"}),
    ("completion ", set(SHELLS)), ("user list --role ", {"admin", "user"}), ("user list --so", {"--sort"}),
])  # fmt: skip
def test_commands_are_offered(run: Run, tmp_path: Path, words: str, some: set[str]) -> None:
    """Commands, options and what they take are offered, without an installation."""
    assert set(offered(run, words)) >= some
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [
    *(f"user {command} b" for command in DONE_TO_A_USER), "session list --user b", "session revoke --user b",
    "token list --user b", "token revoke --user b", "token add b",
])  # fmt: skip
@pytest.mark.usefixtures("cast")
def test_names_are_offered(run: Run, words: str) -> None:
    """Where a user is meant, names that begin like what was typed are offered."""
    assert offered(run, words) == [BOB]


@pytest.mark.usefixtures("cast")
def test_everybody_is_offered(run: Run) -> None:
    """Before anything is typed, everybody is offered."""
    assert offered(run, "user show ") == [ADA, BOB, CHARLIE, DORA]


@pytest.mark.parametrize("words", ["user show x", "user show ob", "user show %", "user rename bob b", "user add b"])
@pytest.mark.usefixtures("cast")
def test_nobody_is_offered(run: Run, words: str) -> None:
    """Nobody is offered whose name begins otherwise, nor where a new name is to be typed."""
    assert offered(run, words) == []


@pytest.mark.parametrize(
    "name", ["b$(reboot)", "b`reboot`", "b;reboot", "b&reboot", "b'b", 'b"b', "b|b", "b>b", "b\\b", "b*"]
)
def test_names_that_shells_obey(run: Run, cast: World, name: str) -> None:
    """A name that a shell would take apart or run is not offered: strangers choose names, and Tab inserts them."""
    cast.add(name)
    assert offered(run, "user show b") == [BOB]


def test_a_name_like_an_option(run: Run, cast: World) -> None:
    """A name that a command would take for an option is not offered."""
    cast.add("--yes")
    assert offered(run, "user delete ") == [ADA, BOB, CHARLIE, DORA]


@pytest.mark.parametrize("name", ["Łucja", "山田", "o.neil+b@example.com", "a_b-c"])
def test_names_of_every_language(run: Run, world: World, name: str) -> None:
    """A name of letters is offered in any language."""
    world.add(name)
    assert offered(run, f"user show {name[0]}") == [name]


def test_user_names_come_first(run: Run, cast: World) -> None:
    """A user is offered by user name, however many others have a full name that begins so."""
    bakers = [NewUser(f"x{number}", f"Baker {number}", PASSWORD) for number in range(60)]
    invitations.invite(cast.database, cast.snapshot.effective, bakers, SHELL)
    assert offered(run, "user show b") == [BOB]


@pytest.mark.sqlite(reason="the environment names the same PostgreSQL database for every folder")
def test_another_installation(run: Run, cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `--config` the names of that installation are offered, and no others."""
    cast.write_config("# nothing\n")
    elsewhere = cast.folder / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert offered(run, "user show b") == []
    assert offered(run, f"user show --config {cast.config_file} b") == [BOB]


def test_the_program_itself(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program a shell starts answers it, and needs neither Flask nor a server for that."""
    monkeypatch.chdir(cast.folder)
    words = {"COMP_WORDS": "authapp user show b", "COMP_CWORD": "3", "_AUTHAPP_COMPLETE": "zsh_complete"}
    program = "from authapp.cli import main; main(prog_name='authapp')"
    where = {**clean_environment(), **words, "PYTHONPATH": str(APP.parent)}
    where |= {"AUTHAPP_DATABASE_URL": cast.database_url} if cast.database_url else {}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=where, timeout=60, check=True
    )
    assert (result.stdout.splitlines(), result.stderr) == (["plain", BOB, "_"], "")


# -- where there is nothing to offer --------------------------------------------------------------------------


@pytest.mark.parametrize("words", ["user show b", "session list --user b", "user show --config missing.yml b"])
def test_no_installation(run: Run, tmp_path: Path, words: str) -> None:
    """Where there is no installation nobody is offered, nothing is said, and nothing is made."""
    assert offered(run, words) == []
    assert not list(tmp_path.iterdir())


@pytest.mark.sqlite(reason="the file of the database holds something else")
@pytest.mark.parametrize("content", [b"", b"this is no database" * 1000])
def test_broken_database(run: Run, tmp_path: Path, content: bytes) -> None:
    """Where the database cannot be read nobody is offered, and nothing is said."""
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "data" / "authapp.db").write_bytes(content)
    assert offered(run, "user show b") == []


@pytest.mark.parametrize("words", ["user show \udcff", "user rename \udcff b", "session list --user \udcff --j"])
@pytest.mark.usefixtures("cast")
def test_bytes_that_are_no_text(run: Run, words: str) -> None:
    """Nobody is offered for what is not UTF-8, and nothing is said."""
    assert BOB not in offered(run, words)


def test_config_that_cannot_be_used(run: Run, cast: World) -> None:
    """While the config file cannot be used nobody is offered, and the problem is left to the command."""
    cast.write_config("server:\n  prot: 1\n")
    assert offered(run, "user show b") == []


def test_config_whose_credentials_are_refused(run: Run, cast: World) -> None:
    """Refused credentials in the config file are told when a command runs, not while it is typed."""
    cast.write_config(credentials(password=WEAK_PASSWORD))
    assert offered(run, "user show b") == [BOB]


def test_completing_changes_nothing(run: Run, cast: World) -> None:
    """Pressing Tab writes nothing: credentials that were just edited are adopted by whoever serves."""
    before = cast.tables()
    cast.restart()
    cast.write_config(credentials(password=OTHER_PASSWORD))
    assert offered(run, "user show b") == [BOB]
    assert cast.tables() == before
