"""One's own account: names, password, sessions."""

from flask import jsonify
from werkzeug.wrappers import Response

from authapp import directory, logins, paging, sessions, user_names, user_passwords
from authapp import users as people
from authapp.errors import WeakPassword
from authapp.models import SignedIn
from authapp.web.api.blueprint import route
from authapp.web.api.lists import page_of
from authapp.web.api.models.access import Ended, PageAsked, SessionFacts, SessionPage, SessionPath
from authapp.web.api.models.people import OwnNameBody, PasswordBody, User
from authapp.web.identity import renew_browser, who
from authapp.web.state import database, effective, visitor


@route("get", "/users/whoami", "user", "account", {200: User})
def whoami() -> Response:
    """Say who asks; in mode none that is the default user, whoever it is."""
    with database().reading() as db:
        return jsonify(directory.facts(people.get(db, who().user_id)))


@route("patch", "/users/whoami", "user", "account", {200: User}, people=True)
def change_whoami(body: OwnNameBody) -> Response:
    """Change one's own full name."""
    me = who()
    user = user_names.edit(database(), effective(), me.user_id, visitor("api", me), full_name=body.full_name)
    return jsonify(directory.facts(user))


@route("post", "/users/whoami/password", "user", "account", {204: None}, people=True, no_api_token=True)
def change_password(body: PasswordBody) -> tuple[str, int]:
    """Change one's own password; other sessions and every JWT end, API tokens live on."""
    me, by = who(), visitor("api", who())
    checked = logins.confirm(database(), effective(), me.username, body.current_password.get_secret_value(), by)
    try:
        token = user_passwords.set_password(
            database(), effective(), me.user_id, body.new_password.get_secret_value(), by,
            keep=me.session_id, instead_of=checked.password_hash,
        )  # fmt: skip
    except WeakPassword as error:
        error.field = "new_password"
        raise
    renew_browser(token)
    return "", 204


@route("get", "/sessions", "user", "account", {200: SessionPage}, people=True)
def all_sessions(query: PageAsked) -> Response:
    """List one's own sessions, the newest first."""
    me = who()
    with database().reading() as db:
        mine = sessions.all_of(
            db, effective().config.session, me.user_id, after=paging.decode(query.cursor), limit=query.limit + 1
        )
        user = people.get(db, me.user_id)
    return page_of(mine, query.limit, lambda session: facts(session, user.username))


@route("get", "/sessions/<session_id>", "user", "account", {200: SessionFacts}, people=True)
def one_session(path: SessionPath) -> Response:
    """Describe one of one's own sessions."""
    me = who()
    with database().reading() as db:
        session = sessions.get(db, effective().config.session, path.session_id, of=me.user_id)
    return jsonify(facts(session, me.username))


@route("delete", "/sessions/<session_id>", "user", "account", {204: None}, people=True)
def end_session(path: SessionPath) -> tuple[str, int]:
    """End one of one's own sessions."""
    me = who()
    with database().reading() as db:
        sessions.get(db, effective().config.session, path.session_id, of=me.user_id)
    sessions.revoke(database(), path.session_id, visitor("api", me))
    return "", 204


@route("delete", "/sessions", "user", "account", {200: Ended}, people=True)
def end_other_sessions() -> Response:
    """End all of one's own sessions, except the one that asks."""
    me = who()
    options, by = effective().config.session, visitor("api", me)
    return jsonify(ended=sessions.revoke_all(database(), options, me.user_id, by, keep=me.session_id))


def facts(session: SignedIn, username: str) -> dict[str, object]:
    """Return what programs are told of a session."""
    return {**sessions.facts(session, username), "current": session.id == who().session_id}
