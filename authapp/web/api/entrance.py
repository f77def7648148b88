"""Signing in and out, and signing up."""

from flask import jsonify
from werkzeug.wrappers import Response

from authapp import audit, issued_tokens, logins, sessions, wizard
from authapp import sign_up as rule
from authapp.web.api.blueprint import route
from authapp.web.api.models.entrance import AccessToken, LoginBody, SignUpBody, Status
from authapp.web.api.models.kinds import Problem
from authapp.web.identity import forget_browser, whoever
from authapp.web.security import CLEARED
from authapp.web.state import database, effective, is_mode_none, snapshot, visitor


@route("get", "/status", "public", "entrance", {200: Status})
def status() -> Response:
    """Say whether setup is complete and which mode this is, and nothing else."""
    with database().reading() as db:
        is_complete = is_mode_none() or wizard.is_completed(db)
    return jsonify(setup_complete=is_complete, auth_mode=effective().config.auth.mode)


@route(
    "post",
    "/login",
    "public",
    "entrance",
    {200: AccessToken, 401: Problem, 429: Problem},
    people=True,
    no_cookie=True,
)
def login(body: LoginBody) -> Response:
    """Get a JWT for a user name and a password."""
    issued = logins.get_jwt(
        database(), effective(), body.username, body.password.get_secret_value(), visitor("api")
    )
    lifetime = int(effective().config.session.lifetime.total_seconds())
    return jsonify(access_token=issued.token, token_type="bearer", expires_in=lifetime)  # noqa: S106 - a type


@route("post", "/logout", "public", "entrance", {204: None})
def logout() -> tuple[str, int] | tuple[str, int, dict[str, str]]:
    """End the session or revoke the JWT that this is asked with; as often as anybody likes."""
    if (found := whoever()) is None:
        return "", 204
    me = found.identity
    if me.via == "jwt" and me.token_id:
        issued_tokens.revoke(database(), me.token_id, visitor("api", me))
    elif me.via == "session" and (token := forget_browser()):
        with database().writing() as db:
            if user := sessions.end(db, token):
                audit.record(db, "sign-out", visitor("api", me), target=user)
        return "", 204, {"Clear-Site-Data": CLEARED}
    return "", 204


@route("post", "/sign-up", "public", "entrance", {202: None, 429: Problem}, people=True, no_cookie=True)
def sign_up(body: SignUpBody) -> tuple[str, int]:
    """Make oneself a user, where that is allowed; a name that is taken gets the same answer."""
    password = body.password.get_secret_value()
    rule.sign_up(database(), snapshot(), body.username, password, visitor("api"), full_name=body.full_name)
    return "", 202
