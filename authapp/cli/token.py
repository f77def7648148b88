"""`authapp token`: API tokens and JWTs, making the former and revoking both."""

from datetime import timedelta

import click
from pydantic import TypeAdapter, ValidationError

from authapp import clock, issued_tokens, permissions
from authapp.cli.common import (
    config_option,
    existing,
    json_option,
    moment,
    print_json,
    print_table,
    printable,
    shell,
)
from authapp.cli.people import UserName, find_user, user_argument
from authapp.config.types import Duration
from authapp.installed import Installed
from authapp.issued_tokens import Issued
from authapp.models import Scope, Token, TokenKind, User
from authapp.paths import Locations

SCOPES = [scope.value for scope in Scope]
KINDS = {TokenKind.API: "API token", TokenKind.JWT: "JWT"}
user_option = click.option("--user", type=UserName(), help="Only this user's tokens.")


class Lasting(click.ParamType[timedelta]):
    """A duration, written as in the config file."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the duration of a text."""
        try:
            return TypeAdapter[timedelta](Duration).validate_python(value)
        except ValidationError as error:
            self.fail(error.errors()[0]["msg"].removeprefix("Value error, ") + ".", param, ctx)


@click.group("token")
def token_group() -> None:
    """Look after API tokens and JWTs."""


@token_group.command("list")
@config_option
@user_option
@json_option
def list_command(locations: Locations, user: str | None, *, as_json: bool) -> None:
    """List API tokens, and the JWTs that are not over; the newest first."""
    installed = existing(locations)
    rows = _listed(installed, user)
    if as_json:
        print_json([issued_tokens.facts(token, whose.username) for token, whose in rows])
        return
    heading = ("TOKEN", "USER NAME", "KIND", "NAME", "SCOPE", "MADE", "EXPIRES", "LAST USED", "FROM")
    print_table(heading, [_row(token, whose) for token, whose in rows])


@token_group.command("add")
@config_option
@user_argument
@click.argument("name")
@click.option(
    "--scope", type=click.Choice(SCOPES), default=Scope.READ.value, show_default=True, help="What it may do."
)
@click.option(
    "--expires", type=Lasting(), help="How long it works, such as 90d; without this, until it is revoked."
)
@json_option
def add_command(
    locations: Locations, user: str, name: str, scope: str, expires: timedelta | None, *, as_json: bool
) -> None:
    """Make an API token for a user; it is shown once. NAME says what will use it."""
    installed = existing(locations)
    found = find_user(installed, user)
    expires_at = clock.now() + expires if expires else None
    made = issued_tokens.create(
        installed.database, found.id, name, shell(), scope=Scope(scope), expires_at=expires_at
    )
    if as_json:
        print_json({**issued_tokens.facts(made.row, found.username), "token": made.token})
    else:
        _print_made(made, found)


@token_group.command("revoke")
@config_option
@click.argument("token", metavar="[TOKEN-ID]", required=False)
@user_option
@click.option("--all", "everybody", is_flag=True, help="Revoke everybody's tokens.")
@json_option
def revoke_command(
    locations: Locations, token: str | None, user: str | None, *, everybody: bool, as_json: bool
) -> None:
    """Revoke one token, all of a user's, or everybody's; JWTs too."""
    if [token is not None, user is not None, everybody].count(True) != 1:
        raise click.UsageError("Give one of: the id of a token, --user USER, --all.")
    installed = existing(locations)
    if token is not None:
        issued_tokens.revoke(installed.database, token, shell())
        ended = 1
    elif user is not None:
        ended = issued_tokens.revoke_all(installed.database, find_user(installed, user).id, shell())
    else:
        ended = issued_tokens.revoke_everybodys(installed.database, shell())
    if as_json:
        print_json({"ended": ended})
    else:
        click.echo(f"{ended} {'token is' if ended == 1 else 'tokens are'} revoked.")


def _listed(installed: Installed, name: str | None) -> list[tuple[Token, User]]:
    options = installed.live.current.config.session
    with installed.database.reading() as db:
        permissions.require(db, shell(), permissions.END_TOKENS)
    user = None if name is None else find_user(installed, name)
    with installed.database.reading() as db:
        if user is None:
            return issued_tokens.everybodys(db, options)
        return [(token, user) for token in issued_tokens.of_user(db, options, user.id)]


def _row(token: Token, user: User) -> tuple[str, ...]:
    kind = KINDS[TokenKind(token.kind)]
    times = moment(token.created_at), _end(token), moment(token.last_used_at)
    return token.id, user.username, kind, token.name, token.scope or "", *times, token.last_used_from


def _end(token: Token) -> str:
    return moment(token.expires_at) + (", is over" if issued_tokens.is_over(token) else "")


def _print_made(made: Issued, user: User) -> None:
    until = f"until {moment(made.row.expires_at)} UTC" if made.row.expires_at else "until it is revoked"
    click.echo(f"Token: {made.token}")
    click.echo(f"It is shown this once, has the scope {made.row.scope}, and works {until}.")
    if not user.is_active:
        click.echo(f"But {printable(user.username)} is not active: before that it opens nothing.")
