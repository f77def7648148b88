"""A database from a newer version: every command leaves it alone, and says so in one sentence."""

import pytest
from sqlalchemy import text

from tests.cli.commands import Run
from tests.cli.test_all_commands import ALL
from tests.world import ADA, BOB, PASSWORD, World

# How each command is called that has to do with the database.
WORDS = {
    "run": "run",
    "bootstrap": "bootstrap",
    "superuser": "superuser --username erin --password-stdin",
    "setup token": "setup token",
    "setup status": "setup status",
    "user list": "user list",
    "user show": f"user show {BOB}",
    "user add": "user add erin",
    "user activate": f"user activate {BOB}",
    "user deactivate": f"user deactivate {BOB}",
    "user promote": f"user promote {BOB}",
    "user demote": f"user demote {BOB}",
    "user rename": f"user rename {BOB} robert",
    "user reset-password": f"user reset-password {BOB}",
    "user unlock": f"user unlock {BOB}",
    "user delete": f"user delete {BOB} --yes",
    "session list": "session list",
    "session revoke": "session revoke --all",
    "token list": "token list",
    "token add": f"token add {ADA} backup",
    "token revoke": "token revoke --all",
    "config set": "config set organization.name Example",
    "config unset": "config unset organization.name",
    "mode show": "mode show",
    "mode check": "mode check basic",
    "mode set": "mode set none",
    "secret rotate": "secret rotate",
    "audit list": "audit list",
    "audit export": "audit export --format csv new.csv",
    "audit verify": "audit verify",
    "db upgrade": "db upgrade",
    "db backup": "db backup new.db",
    "db restore": "db restore backup.db --yes",
    "db copy": "db copy --to postgresql://127.0.0.1:1/none",
}
# These print what they find, and say beside it that the schema is another one.
TELLING = {"db status": "db status", "doctor": "doctor"}
# These ask no database, or do without one that cannot be asked.
NEED_NONE = {
    *("config check", "config show", "config explain", "config example", "config import"),
    *("hash-password", "completion"),
}


def test_every_command_is_tried() -> None:
    """Of every command it is known whether it needs the database; whoever adds one has to say so."""
    assert set(ALL) == set(WORDS) | set(TELLING) | NEED_NONE


@pytest.mark.parametrize("name", WORDS)
def test_a_newer_schema_is_refused(run: Run, cast: World, name: str) -> None:
    """Every command that needs the database refuses a newer one in one line, and changes nothing in it."""
    assert run("db", "backup", "backup.db").exit_code == 0
    with cast.database.writing() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    before = cast.tables()
    result = run(*WORDS[name].split(), typed=f"{PASSWORD}\n")
    assert (result.exit_code, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
    assert "from a newer version of authapp (schema 9999" in result.stderr
    assert cast.tables() == before


@pytest.mark.parametrize("name", TELLING)
def test_a_newer_schema_is_told(run: Run, cast: World, name: str) -> None:
    """Commands that look at everything say that the schema is a newer one, and end with status 1."""
    with cast.database.writing() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    result = run(*TELLING[name].split())
    assert (result.exit_code, "from a newer version of authapp" in result.output) == (1, True)


def test_the_app_refuses_a_newer_schema(cast: World) -> None:
    """An app that starts on a newer schema answers 503 on every road."""
    with cast.database.writing() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    cast.restart()
    browser = cast.browser()
    answers = {path: browser.get(path).status_code for path in ("/", "/login", "/readyz", "/api/v1/users/whoami")}
    assert set(answers.values()) == {503}
