"""Commands start quickly: they import no more than they need."""

import pytest

from tests.server_process import Server
from tests.world import BOB, OTHER_PASSWORD, World

pytestmark = pytest.mark.sqlite(reason="commands import the same for both, but for the driver")
PROFILE = "import time:"


def imported_by(world: World, monkeypatch: pytest.MonkeyPatch, words: str) -> set[str]:
    """Run a command in a process of its own; return the packages it imported."""
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    result = Server(world.folder).run(*words.split(), typed=OTHER_PASSWORD + "\n")
    lines = result.stderr.splitlines()
    assert (result.returncode, [line for line in lines if not line.startswith(PROFILE)]) == (0, [])
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize("words", [
    "user list", f"user show {BOB} --json", f"user deactivate {BOB}", "user add erin", "session list",
    "token list", f"token add {BOB} backup",
    "superuser --username erin --password-stdin", "setup status", "config check",
])  # fmt: skip
def test_commands_import_what_they_need(cast: World, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    """A command on an installation that is up to date imports no web framework, no server and no migrations."""
    imported = imported_by(cast, monkeypatch, words)
    assert {"authapp", "sqlalchemy"} <= imported
    assert not imported & {"flask", "flask_login", "flask_wtf", "wtforms", "werkzeug", "granian", "alembic"}


def test_a_list_needs_no_judge(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`user list` loads neither the judge of passwords, nor the names of browsers, nor what writes log lines."""
    assert not imported_by(cast, monkeypatch, "user list") & {"zxcvbn", "ua_parser", "structlog"}
