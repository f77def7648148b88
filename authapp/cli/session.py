"""`authapp session`: who is signed in, and signing them out."""

import click

from authapp import permissions, sessions
from authapp.cli.common import config_option, existing, json_option, moment, print_json, print_table, shell
from authapp.cli.people import UserName, find_user
from authapp.devices import device
from authapp.installed import Installed
from authapp.models import SignedIn, User
from authapp.paths import Locations

PAGE = 500
user_option = click.option("--user", type=UserName(), help="Only this user's sessions.")


@click.group("session")
def session_group() -> None:
    """Look after sessions."""


@session_group.command("list")
@config_option
@user_option
@json_option
def list_command(locations: Locations, user: str | None, *, as_json: bool) -> None:
    """List who is signed in, and where; the newest first."""
    installed = existing(locations)
    with installed.database.reading() as db:
        permissions.require(db, shell(), permissions.END_SESSIONS)
    rows = _everybodys(installed) if user is None else _of(installed, user)
    if as_json:
        print_json([sessions.facts(session, whose.username) for session, whose in rows])
        return
    heading = ("SESSION", "USER NAME", "ADDRESS", "SIGNED IN", "LAST SEEN", "BROWSER")
    print_table(heading, [_row(session, whose) for session, whose in rows])


@session_group.command("revoke")
@config_option
@click.argument("session", required=False)
@user_option
@click.option("--all", "everybody", is_flag=True, help="Sign everybody out.")
@json_option
def revoke_command(
    locations: Locations, session: str | None, user: str | None, *, everybody: bool, as_json: bool
) -> None:
    """End one session, all of a user's, or everybody's."""
    if [session is not None, user is not None, everybody].count(True) != 1:
        raise click.UsageError("Give one of: a session, --user USER, --all.")
    installed = existing(locations)
    options = installed.live.current.config.session
    if session is not None:
        sessions.revoke(installed.database, session, shell())
        ended = 1
    elif user is not None:
        ended = sessions.revoke_all(installed.database, options, find_user(installed, user).id, shell())
    else:
        ended = sessions.revoke_everybodys(installed.database, options, shell())
    if as_json:
        print_json({"ended": ended})
    else:
        click.echo(f"{ended} {'session has' if ended == 1 else 'sessions have'} ended.")


def _of(installed: Installed, name: str) -> list[tuple[SignedIn, User]]:
    user = find_user(installed, name)
    with installed.database.reading() as db:
        options = installed.live.current.config.session
        return [(session, user) for session in sessions.all_of(db, options, user.id)]


def _everybodys(installed: Installed) -> list[tuple[SignedIn, User]]:
    options = installed.live.current.config.session
    found: list[tuple[SignedIn, User]] = []
    while True:
        after = (found[-1][0].created_at, found[-1][0].id) if found else None
        with installed.database.reading() as db:
            rows = sessions.everybodys(db, options, after=after, limit=PAGE)
        found += [(session, user) for session, user in rows]
        if len(rows) < PAGE:
            return found


def _row(session: SignedIn, user: User) -> tuple[str, ...]:
    seen, since = moment(session.last_seen_at), moment(session.created_at)
    browser = device(session.user_agent) + (", kept signed in" if session.remember else "")
    return session.id, user.username, session.address, since, seen, browser
