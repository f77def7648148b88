"""What the commands share: how they fail, find the installation, ask for passwords, and print."""

import json
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import wraps
from getpass import GetPassWarning, getuser
from importlib import import_module
from typing import Any, TypeVar

import click

from authapp import paths
from authapp.audit import Actor
from authapp.database import (
    Database,
    DatabaseError,
    database_url,
    opened,
    reason_of,
    require_schema,
    sqlite_file,
)
from authapp.errors import AuthappError, ConfigError
from authapp.installed import Installed, read_start
from authapp.names import is_storable
from authapp.paths import Locations

Command = TypeVar("Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


def config_option(command: Command) -> Command:
    """Give a command `--config` and `--env-file`, and hand it the locations found."""

    @click.option("--config", "config_file", metavar="PATH", help="The config file.")
    @click.option("--env-file", metavar="PATH", help="A file of environment variables; the real ones beat it.")
    @wraps(command)
    def with_locations(config_file: str | None, env_file: str | None, **rest: Any) -> Any:
        return command(paths.locate(config_file, env_file), **rest)

    return with_locations  # type: ignore[return-value]  # wraps keeps what mypy cannot see


def config_unread(command: Command) -> Command:
    """Let a command that reads no config take `--config` and `--env-file` as every other does."""
    for name in ("--config", "--env-file"):
        command = click.option(name, metavar="PATH", expose_value=False, help="Not read by this command.")(command)
    return command


class Commands(click.Group):
    """A group whose commands are imported when they are used, and fail with a sentence on standard error.

    `commands_in` says where each is: `module:object` in this package.
    """

    def __init__(self, *args: Any, commands_in: Mapping[str, str], **rest: Any) -> None:
        super().__init__(*args, **rest)
        self.commands_in = commands_in

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse words that are no text, before anything is looked up under them."""
        if not ctx.resilient_parsing and not all(map(is_storable, args)):
            raise click.UsageError("The command line is not UTF-8 text.", ctx)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands' names, in the order they were given."""
        del ctx
        return list(self.commands_in)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        del ctx
        if cmd_name not in self.commands_in:
            return None
        module, _, name = self.commands_in[cmd_name].partition(":")
        command: click.Command = getattr(import_module(f"authapp.cli.{module}"), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; turn errors raised on purpose into their exit status."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            for problem in error.problems:
                click.echo(str(problem), err=True)
            ctx.exit(2)
        except AuthappError as error:
            click.echo(str(error), err=True)
            ctx.exit(1)
        except DatabaseError as error:
            click.echo(f"The database cannot be used: {reason_of(error)}.", err=True)
            ctx.exit(1)
        except click.Abort:
            click.echo("Nothing was done: the question was not answered.", err=True)
            ctx.exit(1)
        except click.UsageError:
            raise  # click shows how the command is used
        except click.ClickException as error:
            click.echo(error.message, err=True)
            ctx.exit(1)


def existing(locations: Locations) -> Installed:
    """Open an installation that is there already: only run, bootstrap and superuser make or upgrade one."""
    require_database(locations)
    return Installed(locations, must_exist=True)


@contextmanager
def existing_database(locations: Locations) -> Iterator[Database]:
    """Open just the database of an installation that is there already, without reading its config file into it."""
    with opened(require_database(locations)) as database:
        require_schema(database)
        yield database


def require_database(locations: Locations) -> str:
    """Return the database's address; raises ClickException when it is a file that is not there."""
    url = database_url(read_start(locations).values["database.url"], locations)
    file = sqlite_file(url)
    if file is not None and not file.exists():
        raise click.ClickException(f"There is no installation here; looked for {file}.")
    return url


def shell() -> Actor:
    """Return who runs the command, for the audit table."""
    return Actor("command line", name=_account())


def _account() -> str:
    """Return the name of the host's account; in a container that may be a bare number."""
    try:
        return getuser().encode(errors="replace").decode()
    except (KeyError, OSError):
        return str(os.getuid())


def ask_password(*, from_stdin: bool) -> str:
    """Return a password typed twice, or the first line of standard input."""
    if not from_stdin:
        with warnings.catch_warnings():
            # Without a terminal nothing is shown anyway; a warning with a line of Python's code helps nobody.
            warnings.simplefilter("ignore", GetPassWarning)
            return str(click.prompt("Password", hide_input=True, confirmation_prompt="Password again"))
    try:
        password = sys.stdin.readline().removesuffix("\n")
    except UnicodeDecodeError:
        raise click.ClickException("The password on standard input is not UTF-8 text.") from None
    if not password:
        raise click.ClickException("There is no password on standard input.")
    return password


def print_json(value: object) -> None:
    """Print a value for scripts."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # What a terminal would obey is written as JSON writes it in ASCII.
    shown = (char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)
    click.echo("".join(shown))


def print_table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows under their headings, each column as wide as it has to be."""
    table = [tuple(heading), *(tuple(map(printable, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def printable(text: str) -> str:
    """Return a text without what a terminal would obey: strangers choose what their browsers are called."""
    return "".join(character if character.isprintable() else "?" for character in text)


def counted(number: int, one: str, many: str) -> str:
    """Return a number with the word for so many."""
    return f"{number} {one if number == 1 else many}"


def moment(value: datetime | None) -> str:
    """Return a moment as a table shows it."""
    return value.strftime("%Y-%m-%d %H:%M") if value else "never"
