"""`authapp config` and `authapp hash-password`."""

import click

from authapp import passwords, paths, provision
from authapp.cli.common import ask_password, config_option
from authapp.config.examine import Examined, examine
from authapp.config.example import example
from authapp.database import Database, DatabaseError, database_url, sqlite_file
from authapp.errors import ConfigError, Problem
from authapp.paths import Locations


@click.group("config")
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


@click.command("hash-password")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def hash_password(*, password_stdin: bool) -> None:
    """Read a password and print its argon2 string."""
    click.echo(passwords.hash_password(ask_password(from_stdin=password_stdin)))


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
