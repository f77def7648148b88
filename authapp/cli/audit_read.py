"""`authapp audit list` and `export`: what happened, narrowed as asked."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import click

from authapp import audit_log, paths
from authapp.audit_log import Wanted
from authapp.cli.common import config_option, existing, json_option, print_json, print_table, printable, shell
from authapp.cli.people import UserName
from authapp.database import Database
from authapp.errors import UserNotFound
from authapp.models import AuditEntry
from authapp.names import ID
from authapp.paging import LONGEST_PAGE, PAGE
from authapp.paths import Locations

Command = TypeVar("Command", bound=Callable[..., Any])
FORMATS = list(audit_log.WRITERS)
FILTERS = {
    "--user": "Who did it, or to whom it was done: a user name or an id.",
    "--event": "Such as sign-in; docs/audit.md has them all.",
    "--outcome": "success, wrong, inactive, expired, locked or 'name taken'.",
    "--address": "The address it came from.",
    "--road": "form, basic, api, setup, 'command line', 'mode none', 'config file', environment or authapp.",
    "--since": "A day or a moment, in UTC where no zone is given; it is included.",
    "--until": "As --since, and not included; but a day is included to its end.",
}


def filter_options(command: Command) -> Command:
    """Give a command the options that narrow it down, and hand it those that were used."""

    @wraps(command)
    def with_filters(*args: Any, **rest: Any) -> Any:
        given = {name: rest.pop(name) for name in (option.removeprefix("--") for option in FILTERS)}
        return command(*args, asked={name: text for name, text in given.items() if text is not None}, **rest)

    decorated: Any = with_filters
    for option, words in reversed(FILTERS.items()):
        # A name is completed as it is typed.
        kind = UserName() if option == "--user" else str
        decorated = click.option(option, type=kind, metavar=option.removeprefix("--").upper(), help=words)(
            decorated
        )
    return decorated  # type: ignore[no-any-return]  # wraps keeps what mypy cannot see


@click.command("list")
@config_option
@filter_options
@click.option("--limit", type=click.IntRange(1, LONGEST_PAGE), default=PAGE, show_default=True, help="How many.")
@json_option
def list_command(locations: Locations, asked: dict[str, str], limit: int, *, as_json: bool) -> None:
    """List what happened; the newest first."""
    database = existing(locations).database
    wanted = _wanted(database, asked)
    with database.reading() as db:
        entries = audit_log.page(db, wanted, shell(), limit=limit).entries
    if as_json:
        print_json([audit_log.facts(entry) for entry in entries])
        return
    heading = ("ID", "WHEN (UTC)", "EVENT", "OUTCOME", "WHO", "TO WHOM", "ADDRESS", "ROAD")
    print_table(heading, [_row(entry) for entry in entries])
    if not entries:
        click.echo("Nothing found.", err=True)


@click.command("export", short_help="Write all that happened into a new file.")
@config_option
@filter_options
@click.option("--format", "form", type=click.Choice(FORMATS), help="What FILE ends in, unless it is given.")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def export_command(locations: Locations, asked: dict[str, str], form: str | None, file: Path | None) -> None:
    """Write all that happened, the newest first, into a new FILE only you may read, or to standard output."""
    form = form or _format_of(file)
    database = existing(locations).database
    wanted = _wanted(database, asked)
    if file is None:
        for text in audit_log.export(database, wanted, form, shell()):
            click.echo(text.encode(), nl=False)
        return
    try:
        _write(file, lambda: audit_log.export(database, wanted, form, shell()))
    except FileExistsError:
        raise click.ClickException(f"There is already a file {file}; name a new one.") from None
    except OSError as error:
        raise click.ClickException(f"The file {file} cannot be written ({error.strerror}).") from None
    click.echo(f"{printable(str(file))} holds the entries, the newest first.")


def _format_of(file: Path | None) -> str:
    ending = file.suffix.removeprefix(".").lower() if file else ""
    if ending not in FORMATS:
        raise click.UsageError("Give --format csv or --format jsonl, or a FILE that ends in .csv or .jsonl.")
    return ending


def _write(file: Path, export: Callable[[], Iterable[str]]) -> None:
    """Write a new file; where that fails, half of it would be taken for all."""
    opened = paths.new_secret_file(file)
    try:
        with opened:
            for text in export():
                opened.write(text)
    except BaseException:
        with suppress(OSError):
            file.unlink()
        raise


def _wanted(database: Database, asked: dict[str, str]) -> Wanted:
    for name, text in asked.items():
        if not text:
            raise click.UsageError(f"--{name} is empty; leave it out to mean everything.")
    with database.reading() as db:
        wanted = audit_log.wanted(db, **asked)
    if wanted.user_id and not ID.fullmatch(wanted.user_id):  # an id may be that of somebody deleted
        raise UserNotFound
    return wanted


def _row(entry: AuditEntry) -> tuple[str, ...]:
    when = f"{entry.at:%Y-%m-%d %H:%M:%S}"
    who, whom = entry.actor or "-", entry.target or "-"
    return str(entry.id), when, entry.event, entry.outcome, who, whom, entry.address or "-", entry.road
