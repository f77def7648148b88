"""`authapp mode` and `authapp secret`: who has to sign in, and the key that everything is signed with."""

from dataclasses import dataclass

import click

from authapp import adoption, modes, provision, settings
from authapp.cli.common import config_option, existing, existing_database, json_option, print_json, printable, shell
from authapp.config.examine import examine
from authapp.config.options import MODE
from authapp.config.overlay import Effective, GivenCredentials
from authapp.database import Database
from authapp.errors import Problem
from authapp.installed import read_start
from authapp.models import DEFAULT_ID
from authapp.modes import Rehearsal
from authapp.paths import Locations


@click.group("mode", short_help="Look at the mode, or rehearse a change of it.")
def mode_group() -> None:
    """Look at the mode, rehearse the change to basic, or go back to none."""


@mode_group.command("show")
@config_option
@json_option
def mode_show(locations: Locations, *, as_json: bool) -> None:
    """Print the recorded mode."""
    with existing_database(locations) as database, database.reading() as db:
        installation = settings.installation(db)
    mode = installation.auth_mode if installation else modes.BASIC
    if as_json:
        print_json({"mode": mode})
    else:
        click.echo(mode)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What the config says of the owner, read as if people signed in."""

    effective: Effective
    given: GivenCredentials
    problems: list[Problem]


@mode_group.command("check", short_help="Rehearse the change from none to basic.")
@click.argument("mode", type=click.Choice([modes.BASIC]))
@config_option
@json_option
def mode_check(locations: Locations, mode: str, *, as_json: bool) -> None:
    """Rehearse the change from none to basic: what is kept, and what needs credentials from then on."""
    with existing_database(locations) as database:
        modes.rehearse(database)  # first, because in mode basic nothing else is of interest
        wanted = _read_wanted(locations, mode, database)
        rehearsal = modes.rehearse(database, wanted.given.username)
    if as_json:
        print_json(_facts(rehearsal, wanted))
    else:
        _print_rehearsal(rehearsal, wanted)
    if wanted.problems:
        for problem in wanted.problems:
            click.echo(str(problem), err=True)
        raise click.ClickException("Nobody could sign in afterwards; mend the config file first.")


def _read_wanted(locations: Locations, mode: str, database: Database) -> _Wanted:
    start = read_start(locations, {MODE: mode})
    with database.reading() as db:
        examined = examine(locations, settings.load_all(db), start=start)
        problems = [*examined.problems, *adoption.check_against(db, examined.effective, examined.given)]
    return _Wanted(examined.effective, examined.given, problems)


def _how(wanted: _Wanted) -> str:
    """Say how the owner gets in."""
    if wanted.given.username is None or not wanted.given.has_secret:
        return "the setup wizard asks for what is missing; the start prints its link"
    place = wanted.effective.place_of.get(wanted.given.secret_key)
    return f"with the credentials of {place.words if place else 'the environment'}"


def _print_rehearsal(rehearsal: Rehearsal, wanted: _Wanted) -> None:
    name = wanted.given.username or "the name chosen in the setup wizard"
    click.echo("Kept:")
    click.echo(f"  the user {rehearsal.username} with everything it owns; it becomes the owner, {printable(name)}")
    click.echo(f"  its id, {rehearsal.user_id}")
    click.echo(f"  the workspace, {rehearsal.workspace_id}")
    for key in rehearsal.stored_options:
        click.echo(f"  the setting {key}")
    click.echo("Needs credentials from then on:")
    click.echo(f"  the owner: {_how(wanted)}")
    click.echo("  every page and every program that came without until now")
    for username in rehearsal.other_users:
        click.echo(f"  {printable(username)}: {_what_changes(rehearsal, username)}")
    void = {"password": rehearsal.passwords, "session": rehearsal.sessions, "token": rehearsal.tokens}
    click.echo(f"Void: {', '.join(_counted(number, what) for what, number in void.items())}.")


def _what_changes(rehearsal: Rehearsal, username: str) -> str:
    demoted = ", and is no superuser any more" if username in rehearsal.demoted else ""
    if username == rehearsal.renamed:
        return f"is renamed and deactivated, because the owner takes the name{demoted}"
    return f"needs a new password{demoted}"


def _facts(rehearsal: Rehearsal, wanted: _Wanted) -> dict[str, object]:
    return {
        "kept": {
            "user_id": rehearsal.user_id,
            "username": rehearsal.username,
            "workspace_id": DEFAULT_ID,
            "settings": list(rehearsal.stored_options),
        },
        "owner": {"username": wanted.given.username, "how": _how(wanted)},
        "needs_credentials": list(rehearsal.other_users),
        "demoted": list(rehearsal.demoted),
        "renamed": rehearsal.renamed,
        "void": {
            "passwords": rehearsal.passwords,
            "sessions": rehearsal.sessions,
            "tokens": rehearsal.tokens,
        },
        "problems": [str(problem) for problem in wanted.problems],
    }


@mode_group.command("set")
@click.argument("mode", type=click.Choice([modes.NONE]))
@config_option
def mode_set(locations: Locations, mode: str) -> None:
    """Go back to mode none: nobody has to sign in any more. Asks for the typed word."""
    says = read_start(locations, {MODE: mode}).written[MODE]
    with existing_database(locations) as database:
        click.echo(
            "In mode none nobody signs in: whoever reaches the address is a superuser. Sessions and tokens end, "
            "and the owner's password is forgotten; back in mode basic, everybody needs a new one.",
            err=True,
        )
        if click.prompt(f"Type the word {mode} to go on", err=True) != mode:
            raise click.ClickException("That is not the word; nothing was changed.")
        changed = modes.enter_none(database, shell())
    click.echo("The recorded mode is none now." if changed else "The recorded mode was none already.")
    if says != mode:
        click.echo("Write auth.mode: none into the config file, or the next start goes back to basic.", err=True)


@click.group("secret")
def secret_group() -> None:
    """Look after the secret key."""


@secret_group.command("rotate", short_help="Make a new secret key, and sign everybody out.")
@config_option
def secret_rotate(locations: Locations) -> None:
    """Make a new secret key: everybody is signed out, and every JWT ends; API tokens live on."""
    installed = existing(locations)
    ended = provision.rotate_secret_key(installed.database, installed.live.current, shell())
    gone = f"{_counted(ended.sessions, 'session')} and {_counted(ended.tokens, 'JWT')}"
    click.echo(f"There is a new secret key; {gone} ended.")
    click.echo("API tokens live on; authapp token revoke --all ends those, too.")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
