"""What the commands about people share: finding a user, and how users are printed."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import click
from click.shell_completion import CompletionItem

from authapp import directory, paths, user_passwords, users
from authapp.cli.common import existing_database, moment, print_json, shell
from authapp.config.overlay import Effective
from authapp.database import DatabaseError
from authapp.directory import Listed, Query
from authapp.errors import AuthappError, UserNotFound
from authapp.installed import Installed
from authapp.invitations import Invitation
from authapp.models import User
from authapp.names import ID, is_storable

# Letters of every language and signs that mean nothing to a shell; what begins with a - would be an option.
PLAIN = re.compile(r"(?!-)[\w@%+=,./-]+")


class UserName(click.ParamType[str]):
    """A user's name or id; the shell completes names."""

    name = "user"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the first names that begin like what was typed; none where there is no installation.

        It only reads: pressing Tab adopts no config file and makes no database. Names that a shell would take
        apart or run are left out: bash puts what it is offered on the command line as it is.
        """
        del param
        if not is_storable(incomplete):
            return []
        try:
            locations = paths.locate(ctx.params.get("config_file"), ctx.params.get("env_file"))
            with existing_database(locations) as database, database.reading() as db:
                names = directory.usernames(db, incomplete)
        except (AuthappError, DatabaseError, click.ClickException):
            return []
        return [CompletionItem(name) for name in names if PLAIN.fullmatch(name)]


user_argument = click.argument("user", type=UserName())


def find_user(installed: Installed, user: str) -> User:
    """Return the user with a name or an id."""
    with installed.database.reading() as db:
        found = db.get(User, user.lower()) if ID.fullmatch(user) else users.find(db, user)
    if found is None:
        raise UserNotFound
    return found


def all_pages(installed: Installed, query: Query) -> Iterator[Listed]:
    """Yield the users of every page of a list."""
    cursor: str | None = ""
    while cursor is not None:
        with installed.database.reading() as db:
            page = directory.page(db, installed.live.current, replace(query, cursor=cursor), shell())
        yield from page.users
        cursor = page.next_cursor


def facts(one: Listed) -> dict[str, Any]:
    """Return what scripts are told of a user."""
    return {**directory.facts(one.user), "is_owner": one.is_owner, "is_locked": one.is_locked}


def described(one: Listed, effective: Effective) -> Iterator[tuple[str, str]]:
    """Yield what people are told of a user, line by line."""
    user = one.user
    yield "user name", user.username
    yield "full name", user.full_name
    yield "id", user.id
    yield "role", "owner" if one.is_owner else "superuser" if user.is_superuser else "user"
    yield "active", "yes" if user.is_active else "no"
    yield "created", f"{moment(user.created_at)} UTC"
    yield "last sign-in", f"{moment(user.last_login_at)} UTC" if user.last_login_at else "never"
    if user.must_change_password:
        until = user_passwords.initial_password_dies_at(effective, user)
        yield "initial password", f"works until {moment(until)} UTC" if until else "works once the user is active"
    if one.is_locked:
        yield "locked", "yes, after too many wrong passwords"


def row(one: Listed) -> tuple[str, ...]:
    """Return a line of the table of users."""
    user = one.user
    states = {"locked": one.is_locked, "must change password": user.must_change_password}
    role = "owner" if one.is_owner else "superuser" if user.is_superuser else "user"
    return (
        user.username,
        user.full_name,
        role,
        "yes" if user.is_active else "no",
        moment(user.last_login_at),
        ", ".join(state for state, holds in states.items() if holds),
    )


def print_password(made: Invitation) -> None:
    """Print an initial password, if there is one."""
    if made.initial_password is None:
        return
    until = f"works until {moment(made.dies_at)} UTC" if made.dies_at else "works once the user is active"
    click.echo(f"Initial password: {made.initial_password}")
    click.echo(f"It is shown this once, {until}, and has to be replaced at the first sign-in.")


def say(installed: Installed, user: User, what: str, *, as_json: bool) -> None:
    """Say in a sentence what became of a user, or print the user for scripts."""
    if as_json:
        print_user(installed, user)
    else:
        click.echo(f"{user.username} {what}.")


def print_user(installed: Installed, user: User) -> None:
    """Print a user for scripts."""
    with installed.database.reading() as db:
        (one,) = directory.listed(db, installed.live.current, [user])
    print_json(facts(one))
