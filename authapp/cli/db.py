"""`authapp db`: the schema, backups, and moving to PostgreSQL."""

from pathlib import Path
from typing import Any

import click

from authapp import backups, contents, copying, nodes, settings, wizard
from authapp.cli.common import (
    config_option,
    counted,
    existing_database,
    json_option,
    print_json,
    print_table,
    printable,
    require_database,
    shell,
)
from authapp.config.checks import mode_lock
from authapp.config.environment import COPY_TO
from authapp.config.options import MODE, OPTIONS
from authapp.config.provenance import shown
from authapp.database import Database, current_schema, database_url, expected_schema, opened, sqlite_file, upgrade
from authapp.errors import CannotMove, ConfigError, SchemaOutdated
from authapp.installed import Installed, open_for_writing, read_start
from authapp.paths import Locations

URL = "database.url"
WORD = "restore"


@click.group("db")
def db_group() -> None:
    """Look after the database: upgrade, back up, restore, move."""


# -- the schema -----------------------------------------------------------------------------------------------


@db_group.command("status", short_help="Say which database it is, and what is in it.")
@config_option
@json_option
def status_command(locations: Locations, *, as_json: bool) -> None:
    """Say which database it is, its schema, and what is in it; exit 1 when the schema has to be another one."""
    with opened(require_database(locations)) as database:
        facts = _facts(database)
    if as_json:
        print_json(facts)
    else:
        _print_facts(facts)
    if facts["schema"] != facts["expected_schema"]:
        raise SchemaOutdated(facts["schema"], facts["expected_schema"])


def _facts(database: Database) -> dict[str, Any]:
    with contents.snapshot(database) as connection:
        return {
            "database": shown(OPTIONS[URL], database.url),
            "schema": current_schema(connection),
            "expected_schema": expected_schema(),
            "mode": contents.mode(connection),
            "size": contents.size(connection),
            "rows": contents.count(connection),
        }


def _print_facts(facts: dict[str, Any]) -> None:
    click.echo(f"Database: {printable(facts['database'])}")
    click.echo(f"Schema: {facts['schema'] or 'none'}, this version needs {facts['expected_schema']}")
    click.echo(f"Mode: {printable(facts['mode'] or 'none recorded yet')}")
    click.echo(f"Size: {facts['size']:,} bytes")
    _print_rows(facts["rows"])


def _print_rows(rows: dict[str, int]) -> None:
    print_table(("TABLE", "ROWS"), [(name, str(number)) for name, number in sorted(rows.items())])


@db_group.command("upgrade")
@config_option
def upgrade_command(locations: Locations) -> None:
    """Bring the schema up to date; harmless to repeat."""
    with opened(require_database(locations)) as database:
        before = upgrade(database)
    after = expected_schema()
    if before == after:
        click.echo(f"The schema is {after} already; nothing was changed.")
    elif before is None:
        click.echo(f"The schema {after} was made.")
    else:
        click.echo(f"The schema was {before} and is {after} now.")


# -- backups --------------------------------------------------------------------------------------------------


@db_group.command("backup", short_help="Write everything into a new file.")
@config_option
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def backup_command(locations: Locations, file: Path, *, as_json: bool) -> None:
    """Write everything into a new FILE, also while a server runs; it replaces nothing."""
    with opened(require_database(locations)) as database:
        rows = backups.back_up(database, file)
    if as_json:
        print_json({"file": str(file), "rows": rows})
    else:
        click.echo(
            f"{printable(str(file))} holds {counted(sum(rows.values()), 'row', 'rows')}, {_users(rows)} among them."
        )
        click.echo("Keep it as safe as the database: whoever has it has every password's hash.")


@db_group.command("restore", short_help="Put a backup in the place of everything.")
@config_option
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask for the word.")
@json_option
def restore_command(locations: Locations, file: Path, *, yes: bool, as_json: bool) -> None:
    """Put a backup in the place of everything in the database; also while a server runs."""
    start = read_start(locations)
    notes = _of_a_lost_file(start.values[URL], locations)
    database = open_for_writing(start.values[URL], locations)
    try:
        with backups.opened_backup(file, locations.data) as backup:
            _require_mode(backup, start.values[MODE])
            if not yes:
                _ask(database, backup)
            upgrade(database)
            rows = backups.restore(database, backup, shell())
    finally:
        database.dispose()
    wizard.remove_token_file(locations.data)
    notes += _adopt(locations)
    if as_json:
        print_json({"file": str(file), "rows": rows})
    else:
        click.echo(f"Restored: {counted(sum(rows.values()), 'row', 'rows')}, {_users(rows)} among them.")
        click.echo("Sessions, tokens, counts of wrong passwords and the list of nodes are not brought back.")
        click.echo("Every session, JWT and API token is over, and the stored secret key is a new one.")
    for note in notes:
        click.echo(note, err=True)


def _of_a_lost_file(wanted: str | None, locations: Locations) -> list[str]:
    """Say what a server does whose file was taken away, since it does not see the new one."""
    file = sqlite_file(database_url(wanted, locations))
    if file is None or file.exists():
        return []
    return ["There was no database file; a server that runs goes on with the file it began with: restart it."]


def _require_mode(backup: Database, wanted: str) -> None:
    """Refuse what the next start would refuse. Raises ConfigError."""
    with backup.reading() as db:
        installation = settings.installation(db)
    if installation and (problem := mode_lock(installation.auth_mode, wanted)):
        raise ConfigError([problem])


def _ask(database: Database, backup: Database) -> None:
    with contents.snapshot(database) as now, contents.snapshot(backup) as then:
        here, there = contents.count(now), contents.count(then)
    click.echo(f"The backup holds {_users(there)}. The database holds {_users(here)}, and loses them.", err=True)
    if click.prompt(f"Type the word {WORD} to go on", err=True) != WORD:
        raise click.ClickException("That is not the word; nothing was restored.")


def _adopt(locations: Locations) -> list[str]:
    """Let the config file win over what was restored, as at every start; return what there is to say."""
    installed = Installed(locations)
    try:
        notes = [str(problem) for problem in installed.live.snapshot.problems]
        return [*notes, changed] if (changed := installed.what_changed()) else notes
    finally:
        installed.database.dispose()


def _users(rows: dict[str, int]) -> str:
    return counted(rows.get("users", 0), "user", "users")


# -- moving ---------------------------------------------------------------------------------------------------


@db_group.command("copy", short_help="Copy everything into a PostgreSQL database.")
@config_option
@click.option("--to", "to", metavar="URL", help=f"An empty PostgreSQL database; or say it in {COPY_TO}.")
@json_option
def copy_command(locations: Locations, to: str | None, *, as_json: bool) -> None:
    """Copy everything from SQLite into an empty PostgreSQL database; stop the server first.

    A password is better given in the environment variable than with --to, which stays in the shell's history.
    """
    url = copying.target_url(_wanted(locations, to))
    if database_url(read_start(locations).values[URL], locations) == url:
        raise CannotMove("That is the database in use already.")
    with existing_database(locations) as database:
        rows = copying.copy(database, url)
        _warn_of_servers(database)
    line = shown(OPTIONS[URL], url)
    if as_json:
        print_json({"to": line, "rows": rows})
        return
    _print_rows(rows)
    click.echo("Every row has arrived. Write this into config.yml, and start authapp again:\n")
    click.echo(f'database:\n  url: "{printable(line)}"')
    if line != url:
        click.echo("\nThe password is not shown; write it where the stars are.")


def _warn_of_servers(database: Database) -> None:
    """Name whoever may still write into the old database: nobody would find that in the new one."""
    with database.reading() as db:
        names = [nodes.named(node) for node in nodes.live(db)]
    for name in names:
        click.echo(
            f"{printable(name[0].upper() + name[1:])} served the old database within the last minute. If it still "
            "does, stop it and copy again into an empty database: what it changes is not in the copy.",
            err=True,
        )


def _wanted(locations: Locations, to: str | None) -> str:
    if to is not None:
        return to
    if COPY_TO not in locations.variables:
        raise click.UsageError(f"Give --to URL, or the environment variable {COPY_TO}.")
    return locations.variables[COPY_TO].text
