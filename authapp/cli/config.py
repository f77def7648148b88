"""`authapp config` and `authapp hash-password`."""

import sys
from dataclasses import replace
from pathlib import Path

import click

from authapp import adoption, passwords, paths, settings, stored_options
from authapp.cli.common import (
    ask_password,
    config_option,
    config_unread,
    existing,
    json_option,
    print_json,
    print_table,
    printable,
    shell,
)
from authapp.config.checks import mode_lock, warnings
from authapp.config.examine import Examined, examine
from authapp.config.example import example
from authapp.config.foreign import LARGEST
from authapp.config.foreign_names import EXPECTED
from authapp.config.moving_in import move_in
from authapp.config.options import MODE, canonical
from authapp.config.overlay import Effective, Source
from authapp.config.provenance import Explained, explain, explain_all, facts
from authapp.database import Database, DatabaseError, database_url, opened, reason_of, require_schema, sqlite_file
from authapp.errors import CannotImport, ConfigError, Problem, SchemaOutdated
from authapp.installed import Installed
from authapp.nodes import Here
from authapp.paths import Locations


@click.group("config")
def config_group() -> None:
    """Look after the config file."""


@config_group.command("check")
@click.argument("file", required=False, type=click.Path())
@config_option
def config_check(locations: Locations, file: str | None) -> None:
    """Read a config file and print all its problems."""
    wanted = _naming(file, locations) if file else locations
    examined = examine(wanted)
    told = {problem.key for problem in examined.problems}
    more = [problem for problem in _check_beside(wanted, examined) if problem.key not in told]
    if problems := [*examined.problems, *more]:
        raise ConfigError(problems)
    more = warnings(examined.effective, wanted.config_file, wanted.env_file)
    for warning in (*examined.around.warnings, *more):
        click.echo(f"worth a look: {warning}", err=True)
    click.echo(f"{wanted.config_file.name} is fine." if wanted.config_file.exists() else "There is no config file.")


def _naming(file: str, locations: Locations) -> Locations:
    return replace(paths.locate(file), variables=locations.variables, env_file=locations.env_file)


@config_group.command("show", short_help="Print every option, its value and its layer.")
@config_option
@json_option
def config_show(locations: Locations, *, as_json: bool) -> None:
    """Print the effective config: every option, its value, and the layer it comes from; secrets are masked."""
    explained = explain_all(_effective(locations))
    if as_json:
        print_json({one.key: facts(one) for one in explained})
    else:
        print_table(("OPTION", "VALUE", "FROM"), [(one.key, one.text, one.supplier) for one in explained])


@config_group.command("explain", short_help="Print what each layer says of an option.")
@click.argument("key")
@config_option
@json_option
def config_explain(locations: Locations, key: str, *, as_json: bool) -> None:
    """Print what each layer says of an option (or of all in a section), and which one counts."""
    keys = stored_options.find_all(key)
    effective = _effective(locations)
    explained = [explain(effective, found) for found in keys]
    if as_json:
        print_json([facts(one) for one in explained] if _is_section(key, keys) else facts(explained[0]))
        return
    for number, one in enumerate(explained):
        click.echo("\n" * (number > 0) + f"{one.key}: {printable(one.text)}\n{one.option.help}")
        _print_layers(one)


def _print_layers(one: Explained) -> None:
    said = {layer.source: layer for layer in one.said}
    for source in reversed(Source):
        layer = said.get(source)
        mark = "*" if source is one.source else " "
        text = printable(layer.text) if layer else "-"
        where = f"  ({layer.place})" if layer and layer.place else ""
        trouble = f"  {layer.trouble}" if layer and layer.trouble else ""
        click.echo(f"{mark} {source:<15} {text}{where}{trouble}")
    if one.note:
        click.echo(f"  {one.note}.")


@config_group.command("set", short_help="Set an option in the Settings table.")
@click.argument("key")
@click.argument("value")
@config_option
def config_set(locations: Locations, key: str, value: str) -> None:
    """Set an option in the Settings table, as the admin page does; it counts within a second."""
    wanted = _one_option(key)
    installed = existing(locations)
    stored_options.store(installed.database, installed.live, {wanted: value}, shell())
    _say_now(installed, wanted)


@config_group.command("unset", short_help="Take an option out of the Settings table.")
@click.argument("key")
@config_option
def config_unset(locations: Locations, key: str) -> None:
    """Take an option out of the Settings table: its default counts again."""
    wanted = _one_option(key)
    installed = existing(locations)
    stored_options.unset(installed.database, installed.live, [wanted], shell())
    _say_now(installed, wanted)


def _one_option(key: str) -> str:
    """Return the option that is called so; a section is none, also when there is only one option in it."""
    found = stored_options.find_all(key)
    if _is_section(key, found):
        raise click.UsageError(f"{key} is a section; name one option in it: {', '.join(found)}.")
    return found[0]


def _is_section(key: str, found: list[str]) -> bool:
    return canonical(key) != canonical(found[0])


def _say_now(installed: Installed, key: str) -> None:
    installed.live.look()
    one = explain(installed.live.current, key)
    click.echo(f"{key} is {printable(one.text)} now ({one.supplier}).")


def _effective(locations: Locations) -> Effective:
    """Return the effective config without changing anything; raises ConfigError with all problems."""
    examined = examine(locations)
    if hard := [problem for problem in examined.problems if not problem.closes]:
        raise ConfigError(hard)
    url = database_url(examined.effective.config.database.url, locations)
    file = sqlite_file(url)
    if file is not None and not file.exists():
        click.echo(f"There is no installation here, so no Settings table either; looked for {file}.", err=True)
        return examined.effective
    try:
        with opened(url) as database:
            require_schema(database)
            with database.reading() as db:
                whole = examine(locations, settings.load_all(db))
            _warn_of_withheld(database, locations, whole)
            return whole.effective
    except (DatabaseError, SchemaOutdated) as error:
        reason = error if isinstance(error, SchemaOutdated) else f"The database cannot be used: {reason_of(error)}."
        click.echo(f"The Settings table is left out. {reason}", err=True)
        return examined.effective


def _warn_of_withheld(database: Database, locations: Locations, examined: Examined) -> None:
    """Say that the credentials which are given are not those that count, where a start would not adopt them."""
    here = Here.of(locations)
    if problem := adoption.withheld_at_start(database, here, examined.effective, examined.given):
        click.echo(f"worth a look: {problem}", err=True)


@config_group.command("example")
@config_unread
def config_example() -> None:
    """Print a commented config file with every option."""
    click.echo(example(), nl=False)


@config_group.command("import", short_help="Print a config made from another tool's.")
@config_unread
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--allow-none", is_flag=True, help="Where nobody had to sign in, let it stay so.")
def config_import(file: str, *, allow_none: bool) -> None:
    """Print a config file made from one of Kestra, LangSmith, Langflow or Langinfra; - is standard input."""
    name = "standard input" if file == "-" else printable(Path(file).name or file)
    moved = move_in(_content(file, name), name, allow_none=allow_none)
    for problem in moved.left_out:
        click.echo(printable(str(problem)), err=True)
    click.echo(moved.text.encode(), nl=False)  # a config file is UTF-8, whatever the terminal is


def _content(file: str, name: str) -> bytes:
    """Return the content of another system's file; raises CannotImport."""
    try:
        return _standard_input() if file == "-" else paths.read_small_file(Path(file), LARGEST)
    except (OSError, ValueError) as error:
        reason = f"cannot be read ({error.strerror})" if isinstance(error, OSError) else str(error)
        raise CannotImport(f"{name} {reason}; {EXPECTED}") from None


def _standard_input() -> bytes:
    content = sys.stdin.buffer.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"is larger than {LARGEST} bytes")
    return content


@click.command("hash-password")
@config_unread
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
def hash_password(*, password_stdin: bool) -> None:
    """Read a password and print its argon2 string."""
    click.echo(passwords.hash_password(ask_password(from_stdin=password_stdin)))


def _check_beside(locations: Locations, examined: Examined) -> list[Problem]:
    """Return what does not go together with the database, as far as there is one to ask: mode and credentials."""
    url = database_url(examined.effective.config.database.url, locations)
    file = sqlite_file(url)
    if file is None or file.exists():
        try:
            with opened(url) as database:
                return [
                    *_check_mode(database, examined),
                    *adoption.check_before(database, examined.effective, examined.given),
                ]
        except DatabaseError:
            pass  # the file can be judged without
    return adoption.check_before(None, examined.effective, examined.given)


def _check_mode(database: Database, examined: Examined) -> list[Problem]:
    with database.reading() as db:
        installation = settings.installation(db)
    problem = mode_lock(installation.auth_mode, examined.effective.get(MODE)) if installation else None
    return [replace(problem, place=examined.effective.place_of.get(MODE))] if problem else []
