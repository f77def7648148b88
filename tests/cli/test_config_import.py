"""`authapp config import`: from another system's file to signing in."""

import os
from pathlib import Path

import pytest

from tests.cli.commands import Run, is_one_sentence, is_safe_to_show
from tests.world import World

FILES = Path(__file__).parents[1] / "files"
PEOPLE = {
    "kestra-application.yml": ("admin@kestra.io", "Admin1234"),
    "langsmith-values.yaml": ("admin@example.com", "Tulip%Harbor,92 rain"),
    "langsmith.env": ("admin@example.com", "Tulip%Harbor#92 rain"),
    "langflow.env": ("admin", "securepassword of mine"),
    "langinfra.env": ("admin", "securepassword of mine"),
}


@pytest.mark.parametrize("name", PEOPLE)
def test_people_sign_in_as_they_did(run: Run, world: World, name: str) -> None:
    """Import, check, bootstrap: then the owner of each system signs in with the name and password they had."""
    made = run("config", "import", str(FILES / name))
    assert made.exit_code == 0, made.stderr
    world.write_config(made.stdout)
    checked = run("config", "check")
    assert (checked.exit_code, checked.stdout) == (0, "config.yml is fine.\n"), checked.output
    assert run("bootstrap").exit_code == 0
    assert world.browser().sign_in(*PEOPLE[name]).status_code == 303


def test_a_weak_password_is_asked_for_at_setup(run: Run, world: World) -> None:
    """What fits no policy is left out, and the file passes the check without it."""
    made = run("config", "import", "-", typed="LANGFLOW_SUPERUSER=admin\nLANGFLOW_SUPERUSER_PASSWORD=langflow\n")
    assert "LANGFLOW_SUPERUSER_PASSWORD: left out" in made.stderr
    world.write_config(made.stdout)
    assert run("config", "check").exit_code == 0
    assert "/setup?token=" in run("bootstrap").stdout


def test_standard_input_is_read(run: Run) -> None:
    """`helm get values langsmith | authapp config import -` needs no file in between."""
    made = run("config", "import", "-", typed=(FILES / "langsmith-values.yaml").read_bytes())
    assert made.exit_code == 0
    assert "standard input:1:1 images: left out" in made.stderr
    assert made.stdout == run("config", "import", str(FILES / "langsmith-values.yaml")).stdout


def test_mode_none_is_written_when_it_is_allowed(run: Run) -> None:
    """Only `--allow-none` lets everybody in as before."""
    typed = "LANGINFRA_AUTO_LOGIN=True\n"
    made = run("config", "import", "-", typed=typed)
    assert "none" not in made.stdout
    assert "--allow-none" in made.stderr
    allowed = run("config", "import", "-", "--allow-none", typed=typed)
    assert "auth:\n  mode: none\n" in allowed.stdout
    assert not allowed.stderr


@pytest.mark.parametrize("content", ["server:\n  port: 1\n", "{", "", b"\xff", "AUTH_TYPE=oauth\n", "#" * 300_000])
def test_what_cannot_be_imported_ends_with_a_sentence(run: Run, tmp_path: Path, content: str | bytes) -> None:
    """A file of nobody's, a broken one and one that is too large: exit status 1, and nothing on standard output."""
    file = tmp_path / "theirs.yml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    for result in (run("config", "import", str(file)), run("config", "import", "-", typed=content)):
        assert is_one_sentence(result)
        assert not result.stdout


def test_a_path_that_is_no_file_ends_with_a_sentence(run: Run, tmp_path: Path) -> None:
    """A missing file, a folder and a pipe are told, and none of them is waited for."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "nowhere.yml", tmp_path, tmp_path / "pipe"):
        result = run("config", "import", str(path))
        assert is_one_sentence(result)
        assert f"Nothing was imported: {path.name} " in result.stderr
        assert "expected an application.yml of Kestra" in result.stderr


def test_a_terminal_obeys_nothing(run: Run) -> None:
    """Control characters of a file reach the terminal neither in the config nor in the lines beside it."""
    text = 'kestra: {server: {basicAuth: {password: "Tulip\\x1b[2J Harbor-92"}}, "\\x1b[2J": 1}\n"\\x1b[2J": 1\n'
    made = run("config", "import", "-", typed=text)
    assert made.exit_code == 0
    assert is_safe_to_show(made.stdout)
    assert is_safe_to_show(made.stderr)


def test_it_needs_no_installation_and_makes_none(run: Run, tmp_path: Path) -> None:
    """Importing reads one file and writes none, also where a config file is damaged."""
    (tmp_path / "config.yml").write_text("kestra: x\n")
    assert run("config", "import", "config.yml").exit_code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["config.yml"]
