"""The command line. Exit status: 0 done, 1 refused or failed, 2 wrong usage or wrong config."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from getpass import getuser
from pathlib import Path
from typing import Any, TypeVar

import click

from authapp import __version__, passwords, paths, provision, settings, users, wizard
from authapp.audit import Actor
from authapp.config.examine import Examined, examine
from authapp.config.example import example
from authapp.database import Database, DatabaseError, database_url, sqlite_file
from authapp.errors import AuthappError, ConfigError, Problem
from authapp.paths import Locations
from authapp.server import Installed, read_start, run

Command = TypeVar("Command", bound=Callable[..., Any])


def config_option(command: Command) -> Command:
    """Give a command `--config`, and hand it the locations found."""

    @click.option("--config", "config_file", metavar="PATH", help="The config file.")
    @wraps(command)
    def with_locations(config_file: str | None, **rest: Any) -> Any:
        return command(paths.locate(config_file), **rest)

    return with_locations  # type: ignore[return-value]  # wraps keeps what mypy cannot see


class Commands(click.Group):
    """A group whose commands say what went wrong in a sentence, on standard error."""

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


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(version)s")
def main() -> None:
    """Run authapp: the login for things you host yourself."""
    os.umask(0o077)


@main.command("run")
@config_option
@click.option("--host", metavar="HOST", help="Listen on this address.")
@click.option("--port", type=click.IntRange(1, 65535), help="Listen on this port.")
@click.option("--workers", type=click.IntRange(1, 64), help="Serve with this many processes.")
def run_command(locations: Locations, host: str | None, port: int | None, workers: int | None) -> None:
    """Set up what is missing and serve."""
    wanted = {"server.host": host, "server.port": port, "server.workers": workers}
    run(locations, {key: value for key, value in wanted.items() if value is not None})


def run_main() -> None:
    """Be `authapp run`, for `python app.py`."""
    main(["run", *sys.argv[1:]])


@main.command()
@config_option
def bootstrap(locations: Locations) -> None:
    """Prepare the database and exit."""
    installed = Installed(locations)
    if token := installed.setup_token():
        click.echo(f"Set it up: {installed.address()}/setup?token={token}")
    click.echo("The database is ready.")


@main.command()
@config_option
@click.option("--username", help="The new superuser's user name.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def superuser(locations: Locations, username: str | None, *, password_stdin: bool) -> None:
    """Create a superuser; where there is none yet, the owner."""
    installed = Installed(locations)
    live = installed.live
    if live.snapshot.closed:
        raise ConfigError(live.snapshot.problems)
    name = username or click.prompt("Username")
    password = _ask_password(from_stdin=password_stdin)
    by = Actor("command line", name=_account())
    if wizard.found_by_command(installed.database, live.snapshot, name, password, by):
        wizard.remove_token_file(locations.data)
        click.echo(f"{name} is the owner of the installation in {locations.data}.", err=True)
    else:
        users.create(installed.database, live.current, name, password, by, active=True, superuser=True)
    click.echo("Superuser created successfully.")


@main.group("setup")
def setup_group() -> None:
    """Look after the first run."""


@setup_group.command("token")
@config_option
def setup_token(locations: Locations) -> None:
    """Make a fresh setup token; the old ones stop working."""
    installed = _existing(locations)
    token = installed.setup_token(fresh=True)
    if token is None:
        raise click.ClickException("Setup is finished; nobody needs a token any more.")
    click.echo(f"{installed.address()}/setup?token={token}")


@setup_group.command("status")
@config_option
def setup_status(locations: Locations) -> None:
    """Say whether setup is complete."""
    with _existing(locations).database.reading() as db:
        click.echo("complete" if settings.credentials(db) else "not complete")


@main.group("config")
def config_group() -> None:
    """Look after the config file."""


@config_group.command("check")
@click.argument("file", required=False, type=click.Path())
@config_option
def config_check(locations: Locations, file: str | None) -> None:
    """Read a config file and print all its problems."""
    wanted = paths.locate(file) if file else locations
    examined = examine(wanted)
    told = {problem.key for problem in examined.problems}
    more = [problem for problem in _check_credentials(wanted, examined) if problem.key not in told]
    if problems := [*examined.problems, *more]:
        raise ConfigError(problems)
    click.echo(f"{wanted.config_file.name} is fine." if wanted.config_file.exists() else "There is no config file.")


@config_group.command("example")
def config_example() -> None:
    """Print a commented config file with every option."""
    click.echo(example(), nl=False)


@main.command("hash-password")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def hash_password(*, password_stdin: bool) -> None:
    """Read a password and print its argon2 string."""
    click.echo(passwords.hash_password(_ask_password(from_stdin=password_stdin)))


def _account() -> str:
    """Return who runs the command; in a container that may be a bare number."""
    try:
        return getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _ask_password(*, from_stdin: bool) -> str:
    """Return a password typed twice, or the first line of standard input."""
    if not from_stdin:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt="Password again"))
    try:
        password = sys.stdin.readline().removesuffix("\n")
    except UnicodeDecodeError:
        raise click.ClickException("The password on standard input is not UTF-8 text.") from None
    if not password:
        raise click.ClickException("There is no password on standard input.")
    return password


def _check_credentials(locations: Locations, examined: Examined) -> list[Problem]:
    """Return what would keep the credentials from being adopted, as far as there is a database to ask."""
    url = database_url(examined.effective.config.database.url, locations)
    file = sqlite_file(url)
    if file is None or file.exists():
        try:
            with Database(url).reading() as db:
                return provision.check_against(db, examined.effective, examined.given)
        except DatabaseError:
            pass  # the file can be judged without
    return provision.check(examined.effective, examined.given, None)


def _existing(locations: Locations) -> Installed:
    """Open an installation that is there already: only run, bootstrap and superuser make or upgrade one."""
    url = database_url(read_start(locations).values["database.url"], locations)
    file: Path | None = sqlite_file(url)
    if file is not None and not file.exists():
        raise click.ClickException(f"There is no installation here; looked for {file}.")
    return Installed(locations, must_exist=True)
