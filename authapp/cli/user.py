"""`authapp user`: what superusers do on the admin pages, for whoever has a shell."""

from typing import Any, TextIO

import click

from authapp import directory, invitations, locks, user_names, userlist, users
from authapp.cli.common import (
    ask_password,
    config_option,
    existing,
    json_option,
    print_json,
    print_table,
    printable,
    shell,
)
from authapp.cli.people import (
    all_pages,
    described,
    facts,
    find_user,
    print_password,
    row,
    say,
    user_argument,
)
from authapp.directory import Query
from authapp.invitations import Invitation, NewUser, Row
from authapp.models import Role
from authapp.paging import LONGEST_PAGE
from authapp.paths import Locations

NAMED = 10  # networks in a sentence
ROLES = [role.value for role in Role]
SORTS = [f"{sign}{sort}" for sort in directory.SORTS for sign in ("", "-")]


@click.group("user")
def user_group() -> None:
    """Look after users."""


@user_group.command("list")
@config_option
@click.option("--search", default="", help="Only users whose names hold this.")
@click.option("--role", type=click.Choice(ROLES), help="Only users with this role.")
@click.option("--active/--inactive", "active", default=None, help="Only users who may, or may not, sign in.")
@click.option("--sort", type=click.Choice(SORTS), help="In this order; with a - downward.")
@json_option
def list_command(
    locations: Locations, search: str, role: str | None, sort: str | None, *, active: bool | None, as_json: bool
) -> None:
    """List users."""
    installed = existing(locations)
    query = Query(search=search, role=role or "", active=active, sort=sort or "", limit=LONGEST_PAGE)
    listed = list(all_pages(installed, query))
    if as_json:
        print_json([facts(one) for one in listed])
    else:
        heading = ("USER NAME", "FULL NAME", "ROLE", "ACTIVE", "LAST SIGN-IN", "STATE")
        print_table(heading, [row(one) for one in listed])


@user_group.command("show")
@config_option
@user_argument
@json_option
def show_command(locations: Locations, user: str, *, as_json: bool) -> None:
    """Show a user."""
    installed = existing(locations)
    with installed.database.reading() as db:
        (one,) = directory.listed(db, installed.live.current, [find_user(installed, user)])
    if as_json:
        print_json(facts(one))
    else:
        for name, value in described(one, installed.live.current):
            click.echo(f"{name}: {printable(value)}")


@user_group.command("add", short_help="Create a user, or many from a list.")
@config_option
@click.argument("username", required=False)
@click.option("--full-name", help="What people call the user.")
@click.option("--role", type=click.Choice(ROLES), help="admin is a superuser; user unless it is given.")
@click.option("--superuser", is_flag=True, help="The same as --role admin.")
@click.option("--active/--inactive", "active", default=None, help="May the user sign in at once?")
@click.option("--password-stdin", is_flag=True, help="Read the password; without this one is generated.")
@click.option(
    "--list", "file", type=click.File(encoding="utf-8"), help="Create the users a file lists, one a line."
)
@json_option
def add_command(
    locations: Locations,
    username: str | None,
    file: TextIO | None,
    *,
    active: bool | None,
    as_json: bool,
    **columns: Any,
) -> None:
    """Create a user, or with --list a whole list of them; each password is shown once."""
    if (username is None) == (file is None):
        raise click.UsageError("Give either a user name or --list FILE.")
    if file is not None and any(columns.values()):
        raise click.UsageError("A list says names and roles itself; beside it only --active and --json make sense.")
    if username is not None:
        wanted = [_new_user(username, active, **columns)]
        installed = existing(locations)
        made = invitations.invite(installed.database, installed.live.current, wanted, shell())
    else:
        rows = _read_list(file, active)
        installed = existing(locations)
        made = invitations.invite_list(installed.database, installed.live.current, rows, shell())
    _print_added(made, many=file is not None, as_json=as_json)


def _new_user(
    username: str,
    active: bool | None,
    *,
    full_name: str | None,
    role: str | None,
    superuser: bool,
    password_stdin: bool,
) -> NewUser:
    if superuser and role == Role.USER:
        raise click.UsageError("--superuser and --role user contradict each other.")
    password = ask_password(from_stdin=True) if password_stdin else None
    return NewUser(
        username, full_name or "", password, Role.ADMIN if superuser else Role(role or Role.USER), active
    )


def _read_list(file: TextIO | None, active: bool | None) -> list[Row]:
    try:
        text = file.read() if file else ""
    except UnicodeDecodeError:
        raise click.ClickException("The list is not UTF-8 text.") from None
    rows = userlist.read(text, active=active)
    if unused := userlist.unused_columns(text):
        click.echo(f"Not used: {', '.join(map(printable, unused))}.", err=True)
    return rows


def _print_added(made: list[Invitation], *, many: bool, as_json: bool) -> None:
    if as_json:
        print_json([directory.invited(one) for one in made] if many else directory.invited(made[0]))
        return
    for one in made:
        click.echo(f"{one.user.username} was created" + ("." if one.user.is_active else ", and is not active yet."))
        print_password(one)


@user_group.command("activate")
@config_option
@user_argument
@json_option
def activate_command(locations: Locations, user: str, *, as_json: bool) -> None:
    """Let a user sign in."""
    installed = existing(locations)
    found = find_user(installed, user)
    changed = users.set_active(installed.database, found.id, shell(), active=True)
    say(installed, changed, "may sign in already" if found.is_active else "may sign in now", as_json=as_json)


@user_group.command("deactivate", short_help="Keep a user from signing in.")
@config_option
@user_argument
@json_option
def deactivate_command(locations: Locations, user: str, *, as_json: bool) -> None:
    """Keep a user from signing in, and end their sessions and tokens."""
    installed = existing(locations)
    found = find_user(installed, user)
    changed = users.set_active(installed.database, found.id, shell(), active=False)
    what = "may no longer sign in; every session and token is gone" if found.is_active else "was not active"
    say(installed, changed, what, as_json=as_json)


@user_group.command("promote")
@config_option
@user_argument
@json_option
def promote_command(locations: Locations, user: str, *, as_json: bool) -> None:
    """Make a user a superuser."""
    installed = existing(locations)
    found = find_user(installed, user)
    changed = users.set_superuser(installed.database, found.id, shell(), superuser=True)
    say(
        installed,
        changed,
        "is a superuser already" if found.is_superuser else "is a superuser now",
        as_json=as_json,
    )


@user_group.command("demote")
@config_option
@user_argument
@json_option
def demote_command(locations: Locations, user: str, *, as_json: bool) -> None:
    """Take the superuser role away."""
    installed = existing(locations)
    found = find_user(installed, user)
    changed = users.set_superuser(installed.database, found.id, shell(), superuser=False)
    say(
        installed,
        changed,
        "is no longer a superuser" if found.is_superuser else "was no superuser",
        as_json=as_json,
    )


@user_group.command("rename")
@config_option
@user_argument
@click.argument("username", metavar="NEW-NAME")
@json_option
def rename_command(locations: Locations, user: str, username: str, *, as_json: bool) -> None:
    """Give a user another user name."""
    installed = existing(locations)
    found = find_user(installed, user)
    changed = user_names.edit(installed.database, installed.live.current, found.id, shell(), username=username)
    same = changed.username == found.username
    what = "is the user's name already" if same else f"is the new name of {found.username}"
    say(installed, changed, what, as_json=as_json)


@user_group.command("reset-password", short_help="Give a user a new initial password.")
@config_option
@user_argument
@json_option
def reset_password_command(locations: Locations, user: str, *, as_json: bool) -> None:
    """Give a user a new initial password, shown once; their sessions and tokens end."""
    installed = existing(locations)
    found = find_user(installed, user)
    made = invitations.reset_password(installed.database, installed.live.current, found.id, shell())
    if as_json:
        print_json(directory.invited(made))
        return
    click.echo(f"{made.user.username} has a new password; the old one, every session and every token are gone.")
    print_password(made)


@user_group.command("unlock", short_help="Let a user try again who was made to wait.")
@config_option
@user_argument
@json_option
def unlock_command(locations: Locations, user: str, *, as_json: bool) -> None:
    """Let a user try again who was made to wait, and all others in networks that have to wait as a whole."""
    installed = existing(locations)
    user_id = find_user(installed, user).id
    done = locks.unlock(installed.database, installed.live.current, user_id, shell(), networks=True)
    say(installed, done.user, "may try again" if done.was_locked else "was not locked", as_json=as_json)
    if done.networks:
        more = len(done.networks) - NAMED
        told = ", ".join(done.networks[:NAMED]) + (f" and {more} more" if more > 0 else "")
        click.echo(f"Everybody may try again in networks that had to wait as a whole: {told}.", err=True)


@user_group.command("delete")
@config_option
@user_argument
@click.option("--yes", is_flag=True, help="Do not ask for the user name again.")
@json_option
def delete_command(locations: Locations, user: str, *, yes: bool, as_json: bool) -> None:
    """Delete a user for good, with every session and token."""
    installed = existing(locations)
    found = find_user(installed, user)
    question = f"Type the user name, {found.username}, to delete them for good"
    if not yes and click.prompt(question, err=as_json) != found.username:
        raise click.ClickException("That is not the user name; nothing was deleted.")
    users.delete_all(installed.database, [found.id], shell())
    if as_json:
        print_json({"id": found.id, "username": found.username, "deleted": True})
    else:
        click.echo(f"{found.username} is deleted.")
