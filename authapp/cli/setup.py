"""`authapp superuser` and `authapp setup`: the first run, and the way in for whoever has a shell."""

import click

from authapp import invitations, modes, settings, wizard
from authapp.cli.common import ask_password, config_option, existing, json_option, print_json, printable, shell
from authapp.cli.people import print_user
from authapp.config.options import OPTIONS, USERNAME
from authapp.config.provenance import shown
from authapp.errors import ConfigError, NotAllowed
from authapp.installed import Installed
from authapp.invitations import NewUser, Row
from authapp.models import Role
from authapp.paths import Locations
from authapp.permissions import NOBODY_TO_MANAGE

URL = "database.url"


@click.command()
@config_option
@click.option("--username", help="The new superuser's user name.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@json_option
def superuser(locations: Locations, username: str | None, *, password_stdin: bool, as_json: bool) -> None:
    """Create a superuser; where there is none yet, the owner."""
    if password_stdin and not username:
        raise click.UsageError("--password-stdin needs --username.")
    installed = Installed(locations)
    live = installed.live
    if changed := installed.what_changed():
        click.echo(changed, err=True)
    if live.snapshot.closed:
        raise ConfigError(live.snapshot.problems)
    if live.current.config.auth.mode == "none":
        raise NotAllowed(NOBODY_TO_MANAGE)
    name = username or click.prompt("Username")
    _require_good_name(installed, name)
    password = ask_password(from_stdin=password_stdin)
    owner = wizard.found_by_command(installed.database, live.snapshot, name, password, shell())
    if owner:
        wizard.remove_token_file(locations.data)
        address = printable(shown(OPTIONS[URL], installed.database.url))
        click.echo(f"{owner.username} is the owner of the installation in {address}.", err=True)
        for key in (USERNAME, live.current.pinned_password):
            if key and live.current.pinned(key) and not (key == USERNAME and owner.username == name):
                place = live.current.place_of.get(key)
                where = place.words if place else "the environment"
                click.echo(f"{where} supplies {key}, which counts instead of what you typed.", err=True)
    else:
        wanted = NewUser(name, password=password, role=Role.ADMIN, active=True)
        (made,) = invitations.invite(installed.database, live.current, [wanted], shell())
    if as_json:
        print_user(installed, owner or made.user)
    else:
        click.echo("Superuser created successfully.")


def _require_good_name(installed: Installed, name: str) -> None:
    """Refuse a name before a password is typed for it; while there is no owner, the config may name another one."""
    with installed.database.reading() as db:
        if not wizard.is_completed(db):
            return
    (row,) = invitations.checked(installed.database, installed.live.current, [Row(1, NewUser(name))])
    if row.refusal:
        raise row.refusal


@click.group("setup")
def setup_group() -> None:
    """Look after the first run."""


@setup_group.command("token")
@config_option
def setup_token(locations: Locations) -> None:
    """Make a fresh setup token; the old ones stop working."""
    installed = existing(locations)
    token = installed.setup_token(fresh=True)
    if token is None and installed.live.current.config.auth.mode == "none":
        raise NotAllowed(NOBODY_TO_MANAGE)
    if token is None:
        raise click.ClickException("Setup is finished; nobody needs a token any more.")
    click.echo(f"{installed.address()}/setup?token={token}")


@setup_group.command("status")
@config_option
@json_option
def setup_status(locations: Locations, *, as_json: bool) -> None:
    """Say whether setup is complete."""
    with existing(locations).database.reading() as db:
        is_complete = settings.credentials(db) is not None or modes.default_user(db) is not None
    if as_json:
        print_json({"complete": is_complete})
    else:
        click.echo("complete" if is_complete else "not complete")
