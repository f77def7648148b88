"""Users: what superusers do on the admin pages."""

from flask import jsonify
from werkzeug.wrappers import Response

from authapp import directory, invitations, issued_tokens, locks, paging, sessions, user_edits
from authapp import users as people
from authapp.directory import Query
from authapp.errors import BadList
from authapp.models import SignedIn
from authapp.user_edits import Edit
from authapp.web.api import account, tokens
from authapp.web.api.blueprint import address_of, route
from authapp.web.api.lists import page_of
from authapp.web.api.models.access import Ended, PageAsked, SessionPage, TokenPage, UserSessionPath, UserTokenPath
from authapp.web.api.models.people import (
    InitialPassword,
    NewUser,
    NewUserBody,
    NewUsers,
    NewUsersBody,
    User,
    UserBody,
    UserPage,
    UserPath,
    UsersAsked,
)
from authapp.web.identity import who
from authapp.web.security import LARGEST_LIST
from authapp.web.state import database, effective, visitor


@route("get", "/users", "superuser", "users", {200: UserPage}, people=True)
def all_users(query: UsersAsked) -> Response:
    """List users, a page at a time."""
    wanted = Query(query.q, query.role, query.active, query.sort, query.limit, query.cursor)
    with database().reading() as db:
        page = directory.page(db, effective(), wanted, visitor("api", who()))
    items = [directory.facts(one.user) for one in page.users]
    return jsonify(items=items, next_cursor=page.next_cursor)


@route("post", "/users", "superuser", "users", {201: NewUser}, people=True, needs_proof="to create a user")
def create_user(body: NewUserBody) -> tuple[Response, int, dict[str, str]]:
    """Make a user; without a password one is generated and answered this once."""
    (made,) = invitations.invite(database(), effective(), [_wanted(body)], visitor("api", who()))
    return jsonify(directory.invited(made)), 201, {"Location": address_of(f"/users/{made.user.id}")}


@route(
    "post", "/users/batch", "superuser", "users", {201: NewUsers},
    people=True, needs_proof="to create users", largest=LARGEST_LIST,
)  # fmt: skip
def create_users(body: NewUsersBody) -> tuple[Response, int]:
    """Make several users, all of them or none."""
    rows = [invitations.Row(number, _wanted(row)) for number, row in enumerate(body.root, 1)]
    try:
        made = invitations.invite_list(database(), effective(), rows, visitor("api", who()))
    except BadList as error:
        raise _by_row(error) from None
    return jsonify([directory.invited(one) for one in made]), 201


@route("get", "/users/<id:user_id>", "superuser", "users", {200: User}, people=True)
def one_user(path: UserPath) -> Response:
    """Describe a user."""
    with database().reading() as db:
        return jsonify(directory.facts(people.get(db, path.user_id)))


@route(
    "patch", "/users/<id:user_id>", "superuser", "users", {200: User}, people=True, needs_proof="to change a user"
)
def change_user(path: UserPath, body: UserBody) -> Response:
    """Change a user; what is not given stays."""
    edit = Edit(body.username, body.full_name, body.wanted_role, body.is_active)
    user = user_edits.apply(database(), effective(), path.user_id, edit, visitor("api", who()))
    return jsonify(directory.facts(user))


@route(
    "delete", "/users/<id:user_id>", "superuser", "users", {204: None}, people=True, needs_proof="to delete a user"
)
def delete_user(path: UserPath) -> tuple[str, int]:
    """Delete a user for good."""
    people.delete_all(database(), [path.user_id], visitor("api", who()))
    return "", 204


@route(
    "post", "/users/<id:user_id>/reset-password", "superuser", "users", {200: InitialPassword},
    people=True, needs_proof="to reset a password", no_api_token=True,
)  # fmt: skip
def reset_password(path: UserPath) -> Response:
    """Give a user a generated password, answered this once; sessions and tokens end."""
    made = invitations.reset_password(database(), effective(), path.user_id, visitor("api", who()))
    return jsonify(initial_password=made.initial_password)


@route(
    "post", "/users/<id:user_id>/unlock", "superuser", "users", {204: None},
    people=True, needs_proof="to unlock a user",
)  # fmt: skip
def unlock(path: UserPath) -> tuple[str, int]:
    """Let a user try again who was made to wait."""
    locks.unlock(database(), effective(), path.user_id, visitor("api", who()))
    return "", 204


# -- their sessions -------------------------------------------------------------------------------------------


@route("get", "/users/sessions", "superuser", "users", {200: SessionPage}, people=True)
def everybodys_sessions(query: PageAsked) -> Response:
    """List everybody's sessions, the newest first."""
    options, after = effective().config.session, paging.decode(query.cursor)
    with database().reading() as db:
        rows = sessions.everybodys(db, options, after=after, limit=query.limit + 1)
    names = {session.id: user.username for session, user in rows}
    return page_of([session for session, _ in rows], query.limit, lambda one: account.facts(one, names[one.id]))


@route("get", "/users/<id:user_id>/sessions", "superuser", "users", {200: SessionPage}, people=True)
def sessions_of_user(path: UserPath, query: PageAsked) -> Response:
    """List a user's sessions."""
    options, after = effective().config.session, paging.decode(query.cursor)
    with database().reading() as db:
        user = people.get(db, path.user_id)
        found = sessions.all_of(db, options, user.id, after=after, limit=query.limit + 1)

    def facts(session: SignedIn) -> dict[str, object]:
        return account.facts(session, user.username)

    return page_of(found, query.limit, facts)


@route(
    "delete", "/users/<id:user_id>/sessions", "superuser", "users", {200: Ended},
    people=True, needs_proof="to end a user's sessions",
)  # fmt: skip
def end_sessions_of_user(path: UserPath) -> Response:
    """End all sessions of a user, except the one that asks."""
    options, me = effective().config.session, who()
    ended = sessions.revoke_all(database(), options, path.user_id, visitor("api", me), keep=me.session_id)
    return jsonify(ended=ended)


@route(
    "delete", "/users/<id:user_id>/sessions/<session_id>", "superuser", "users", {204: None},
    people=True, needs_proof="to end a session",
)  # fmt: skip
def end_session_of_user(path: UserSessionPath) -> tuple[str, int]:
    """End one session of a user."""
    with database().reading() as db:
        sessions.get(db, effective().config.session, path.session_id, of=path.user_id)
    sessions.revoke(database(), path.session_id, visitor("api", who()))
    return "", 204


# -- their tokens ---------------------------------------------------------------------------------------------


@route("get", "/users/<id:user_id>/tokens", "superuser", "users", {200: TokenPage}, people=True)
def tokens_of_user(path: UserPath, query: PageAsked) -> Response:
    """List a user's API tokens, and the JWTs that are not over."""
    options, after = effective().config.session, paging.decode(query.cursor)
    with database().reading() as db:
        user = people.get(db, path.user_id)
        found = issued_tokens.of_user(db, options, user.id, after=after, limit=query.limit + 1)
    return page_of(found, query.limit, lambda token: tokens.facts(token, user.username))


@route(
    "delete", "/users/<id:user_id>/tokens", "superuser", "users", {200: Ended},
    people=True, needs_proof=tokens.TO_CHANGE, no_api_token=True,
)  # fmt: skip
def revoke_tokens_of_user(path: UserPath) -> Response:
    """Revoke all tokens of a user, except the one that asks."""
    me = who()
    return jsonify(ended=issued_tokens.revoke_all(database(), path.user_id, visitor("api", me), keep=me.token_id))


@route(
    "delete", "/users/<id:user_id>/tokens/<token_id>", "superuser", "users", {204: None},
    people=True, needs_proof=tokens.TO_CHANGE, no_api_token=True,
)  # fmt: skip
def revoke_token_of_user(path: UserTokenPath) -> tuple[str, int]:
    """Revoke one token of a user."""
    issued_tokens.revoke(database(), path.token_id, visitor("api", who()), of=path.user_id)
    return "", 204


def _by_row(error: BadList) -> BadList:
    """Return the refusal of a list in the words of a list that has rows, not lines."""
    rows = [
        (row, BadList(str(refusal).replace(" in line ", " in row ")) if isinstance(refusal, BadList) else refusal)
        for row, refusal in error.rows
    ]
    return BadList(f"Row {rows[0][0]}: {rows[0][1]}" if rows else str(error), rows)


def _wanted(body: NewUserBody) -> invitations.NewUser:
    password = body.password.get_secret_value() if body.password else None
    return invitations.NewUser(body.username, body.full_name, password, body.role, body.is_active)
