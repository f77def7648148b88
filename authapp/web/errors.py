"""Errors -> answers. The only module that knows which HTTP status a refusal has."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from flask import current_app, jsonify, render_template, request
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wrappers import Response

from authapp import errors
from authapp.logs import log
from authapp.web import refusals
from authapp.web.identity import refusal
from authapp.web.security import is_browser, is_for_programs
from authapp.web.state import App

STATUSES: dict[type[errors.AuthappError], int] = {
    errors.LoginFailed: 401,
    errors.BadCredentials: 401,
    refusals.NotJson: 400,
    refusals.BadBody: 422,
    errors.NotAllowed: 403,
    errors.PasswordChangeRequired: 403,
    refusals.Reauthenticate: 403,
    refusals.ScopeTooSmall: 403,
    errors.BadSetupToken: 403,
    errors.WrongPassword: 403,
    errors.SetupClosed: 404,
    errors.SignUpClosed: 404,
    errors.UserNotFound: 404,
    errors.SessionNotFound: 404,
    errors.TokenNotFound: 404,
    errors.TooManyTokens: 409,
    errors.BadToken: 422,
    errors.UsernameTaken: 409,
    errors.LastSuperuser: 409,
    errors.Unconfirmed: 409,
    errors.Pinned: 409,
    errors.WeakPassword: 422,
    errors.BadUsername: 422,
    errors.BadFullName: 422,
    errors.BadQuery: 422,
    errors.BadList: 422,
    errors.BadValue: 422,
    errors.NoSuchOption: 404,
    errors.NotSettable: 409,
    errors.SamePassword: 422,
    errors.TooManyTries: 429,
    errors.Busy: 503,
}
# What a program can tell a refusal by, beside its status.
KINDS: dict[type[errors.AuthappError], str] = {
    errors.PasswordChangeRequired: "password-change-required",
    refusals.Reauthenticate: "reauthenticate",
    refusals.ScopeTooSmall: "scope",
}
# Which field a refusal is about.
FIELDS: dict[type[errors.AuthappError], str] = {
    errors.BadUsername: "username",
    errors.UsernameTaken: "username",
    errors.BadFullName: "full_name",
    errors.WrongPassword: "current_password",
    errors.SamePassword: "new_password",
    errors.BadValue: "value",
}
# No browser shows what it sends with HTTP Basic by itself, which counts before any sign-in.
KEPT_BY_BROWSER = (
    "Your browser sent a user name and password that it keeps for this address. To make it forget them, close all "
    "of its windows."
)
LONGEST_ACCEPT = 1024  # characters; browsers send some hundred
TITLES = {
    400: "That did not work",
    403: "Not allowed",
    404: "Nothing here",
    405: "That does not work here",
    408: "That took too long",
    409: "That cannot be done",
    413: "Too large",
    415: "Not in this form",
    401: "Sign in first",
    421: "Wrong address",
    422: "That does not fit",
    429: "Please wait",
    431: "Too large",
    500: "Something went wrong",
    503: "Not ready",
}


def init_app(app: App) -> None:
    """Answer every error with a page, or with problem+json where programs ask."""
    app.register_error_handler(errors.AuthappError, on_refusal)
    app.register_error_handler(CSRFError, on_csrf)
    app.register_error_handler(HTTPException, on_http)
    app.register_error_handler(SQLAlchemyError, on_database)
    app.register_error_handler(Exception, on_anything)


def status_of(error: errors.AuthappError) -> int:
    """Return the HTTP status of an error raised on purpose."""
    if isinstance(error, errors.LoginFailed) and error.retry_after is not None:
        return 429
    return STATUSES.get(type(error), 500)


def wrong_with(error: errors.AuthappError) -> list[dict[str, Any]]:
    """Return an entry for each rule that was broken: the field's name, and the rule."""
    if isinstance(error, refusals.BadBody):
        return [
            {**({"row": wrong.row} if wrong.row else {}), "field": wrong.field, "message": wrong.message}
            for wrong in error.wrong
        ]
    if isinstance(error, errors.BadList):
        return [
            {"row": row, **entry, "field": f"{row - 1}.{entry['field']}".rstrip(".")}
            for row, refusal in error.rows
            for entry in wrong_with(refusal) or [{"field": "", "message": str(refusal)}]
        ]
    field = getattr(error, "field", "") or FIELDS.get(type(error), "")
    messages = error.broken if isinstance(error, errors.WeakPassword) else [str(error)]
    return [{"field": field, "message": message} for message in messages] if field else []


def retry_after(error: errors.AuthappError) -> dict[str, str]:
    """Return the header that says how many seconds to wait, or none."""
    wait = getattr(error, "retry_after", None)
    return {"Retry-After": str(math.ceil(wait.total_seconds()))} if wait else {}


def on_refusal(error: errors.AuthappError) -> Response:
    """Answer a rule's no with its own words."""
    answer = _answer(status_of(error), _words(error), KINDS.get(type(error), "about:blank"), wrong_with(error))
    answer.headers.update(retry_after(error))
    return answer


def _words(error: errors.AuthappError) -> str:
    """Return what an error says, and to people in front of a browser also what only they can mend."""
    return f"{error} {KEPT_BY_BROWSER}" if error is refusal() and is_browser() else str(error)


def on_csrf(_error: CSRFError) -> Response:
    """Answer a form that is not ours, or older than the cookie."""
    if request.blueprint == "api":
        return _answer(403, "With a session cookie, send X-CSRFToken, or send it from a page of this server.")
    return _answer(
        400, "This page was out of date, or your browser refuses cookies. Go back, reload it, and try again."
    )


def on_http(error: HTTPException) -> Response:
    """Answer what Werkzeug or a view says; redirects pass as they are."""
    status = error.code or 500
    if status < 400:  # noqa: PLR2004 - a redirect
        return Response.force_type(error.get_response(), request.environ)
    standard = type(error).description == error.description
    text = {
        404: "There is nothing at this address.",
        405: "This address does not take such a request.",
        413: "What you sent is too large.",
    }.get(status, "The request could not be understood.") if standard else (error.description or "")  # fmt: skip
    answer = _answer(status, text)
    for name, value in error.get_headers(request.environ):
        if name in ("Allow", "Retry-After"):
            answer.headers[name] = value
    return answer


def on_database(error: SQLAlchemyError) -> Response:
    """Answer while the database cannot be used; the log says why, the page does not."""
    log.error("the database refused", reason=str(getattr(error, "orig", None) or error).split("\n")[0])
    return _answer(503, "The database cannot be used at the moment. Try again in a little while.")


def on_anything(error: Exception) -> Response:
    """Answer a mistake of ours without a word of what it was."""
    log.error("unexpected error", exc_info=error)
    return _answer(500, "This is our mistake, and it was written to the log. Going back may help.")


def problem(
    status: int, text: str, kind: str = "about:blank", wrong: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Return a refusal as programs read it (RFC 9457), with an entry for each rule that was broken."""
    body: dict[str, Any] = {"type": kind, "title": HTTP_STATUS_CODES[status], "status": status, "detail": text}
    return {**body, "errors": list(wrong)} if wrong else body


def _answer(status: int, text: str, kind: str = "about:blank", wrong: Sequence[Mapping[str, Any]] = ()) -> Response:
    if is_for_programs() or _wants_json():
        answer = jsonify(problem(status, text, kind, wrong))
        answer.content_type = "application/problem+json"
    else:
        title = TITLES.get(status, TITLES[400])
        page = render_template("errors/error.html", title=title, text=text, way=_way_on(status))
        answer = current_app.make_response(page)
    answer.status_code = status
    return answer


def _way_on(status: int) -> str:
    """Return where the page of a refusal leads; empty where no other page would open either."""
    if status == HTTPStatus.MISDIRECTED_REQUEST:
        return ""
    if status == HTTPStatus.SERVICE_UNAVAILABLE and request.method == "GET":
        return "again"
    is_of_users = request.blueprint in ("users", "user", "invite") and status != HTTPStatus.FORBIDDEN
    return "users" if is_of_users else "home"


def _wants_json() -> bool:
    # Werkzeug takes a second of spaces in there, and nobody else's request meanwhile.
    if len(request.headers.get("Accept", "")) > LONGEST_ACCEPT:
        return False
    return request.accept_mimetypes.best in ("application/json", "application/problem+json")
