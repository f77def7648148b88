"""Who is asking: one ladder of reasons, asked once a request. A header beats the cookie."""

from dataclasses import dataclass
from typing import Any, Literal, cast

from flask import g, request, session
from flask_login import AnonymousUserMixin, LoginManager, UserMixin, current_user

from authapp import basic, issued_tokens, modes, sessions, tokens, users
from authapp.audit import BASIC
from authapp.errors import BadCredentials, LoginFailed, NotAllowed
from authapp.logins import Identity
from authapp.models import Role, Token, User
from authapp.web.security import METRICS, asks_as_program
from authapp.web.state import App, database, effective, is_mode_none, the_app, visitor

TOKEN = "token"  # noqa: S105 - a name in the session cookie
WELCOME = "welcome"  # the same: this browser has just finished the setup


@dataclass(frozen=True, slots=True)
class Visitor(UserMixin):  # type: ignore[misc]  # flask_login ships no types
    """Flask-Login's user: an identity, and what every page asks about it."""

    identity: Identity
    must_review: bool = False

    @property
    def is_superuser(self) -> bool:
        """Whether the admin pages open."""
        return self.identity.role == Role.ADMIN

    @property
    def must_change_password(self) -> bool:
        """Whether nothing works before the initial password is replaced."""
        return self.identity.must_change_password

    def get_id(self) -> str:
        """Return the user's id."""
        return self.identity.user_id


class SessionLogins(LoginManager):  # type: ignore[misc]  # flask_login ships no types
    """Flask-Login over our session rows: its own cookies and ladder are never asked."""

    def _load_user(self, user: Any = None) -> None:
        known = _from_mode_none() if is_mode_none() else _from_request()
        g._login_user = user or known or AnonymousUserMixin()  # noqa: SLF001 - where Flask-Login keeps it


def init_app(app: App) -> None:
    """Make `current_user` ours."""
    logins = SessionLogins()
    logins.session_protection = None
    logins.init_app(app, add_context_processor=False)  # error pages must not ask the database


def _from_mode_none() -> Visitor | None:
    """Return the default user, who everybody is; no credential is looked at."""
    with database().reading() as db:
        user = modes.default_user(db)
    if user is None:
        return None
    return Visitor(Identity(user.id, user.username, user.role, "none"))


def _from_request() -> Visitor | None:
    """Return who a header names, or without one, whose session it is; what is wrong with a header is kept."""
    try:
        identity = _from_header()
    except (BadCredentials, LoginFailed, NotAllowed) as error:
        g.refusal = error
        return None
    if identity is None and request.blueprint == METRICS:  # a browser has no business there
        return None
    return Visitor(identity) if identity else _from_session()


def refusal() -> BadCredentials | LoginFailed | NotAllowed | None:
    """Return why the credentials of this request's header open nothing, if it had any."""
    return cast(BadCredentials | LoginFailed | NotAllowed | None, g.get("refusal"))


def _from_header() -> Identity | None:
    """Return who a header with credentials names, or None without one; raises BadCredentials, LoginFailed.

    Pages take HTTP Basic, the API also JWTs and API tokens, the metrics no JWTs: those end by themselves. What a
    proxy writes into `Authorization` for itself is none of a page's business.
    """
    header = request.headers.get("Authorization")
    is_api = asks_as_program()
    if header is None:
        key = request.headers.get("X-API-Key") if is_api else None
        return None if key is None else _from_api_token(key)
    if is_api and header[:7].lower() == "bearer ":
        token = header[7:].strip(" ")
        if token.startswith(tokens.API_PREFIX) or request.blueprint == METRICS:
            return _from_api_token(token)
        return _from_jwt(token)
    if not is_api and header[:5].lower() != "basic":
        return None
    sent = basic.parse(header)
    return basic.identify(database(), effective(), the_app().remembered, sent, visitor(BASIC))


def _from_api_token(text: str) -> Identity:
    with database().reading() as db:
        found = issued_tokens.find(db, text)
    return _of_token(found, "token")


def _from_jwt(text: str) -> Identity:
    with database().reading() as db:
        found = issued_tokens.find_jwt(db, effective(), text)
    return _of_token(found, "jwt")


def _of_token(found: tuple[Token, User] | None, via: Literal["token", "jwt"]) -> Identity:
    """Return whose token it is. A JWT proves the password as of the moment it was made; an API token never does."""
    if found is None:
        raise BadCredentials
    row, user = found
    if issued_tokens.is_worth_touching(row):
        with database().in_passing() as db:
            issued_tokens.touch(db, row.id, request.remote_addr or "")
    return Identity(
        user.id,
        user.username,
        user.role,
        via,
        proved_at=row.created_at if via == "jwt" else None,
        token_id=row.id,
        scope=row.scope,
        must_change_password=user.must_change_password,
    )


def _from_session() -> Visitor | None:
    token = session.get(TOKEN)
    if not isinstance(token, str):
        return None
    with database().reading() as db:
        found = sessions.find(db, effective().config.session, token)
        if found is None:
            return None
        row, user = found
        must_review = users.has_to_look(db, user)
    if sessions.is_worth_touching(row):
        with database().in_passing() as db:
            sessions.touch(db, row.id)
    identity = Identity(
        user.id,
        user.username,
        user.role,
        "session",
        row.id,
        row.proved_at,
        must_change_password=user.must_change_password,
    )
    return Visitor(identity, must_review)


def whoever() -> Visitor | None:
    """Return who is signed in, or None."""
    return cast(Visitor, current_user._get_current_object()) if current_user.is_authenticated else None  # noqa: SLF001 - a proxy's own way


def forget_visitor() -> None:
    """Have it asked again who is signed in: what was known may have ended while the body came in."""
    g.pop("_login_user", None)
    g.pop("refusal", None)


def who() -> Identity:
    """Return who is signed in, in views that only such people reach."""
    return cast(Identity, current_user.identity)


def was_signed_out() -> bool:
    """Tell whether this browser has the token of a session that is over: it did not sign out by itself."""
    return isinstance(session.get(TOKEN), str) and whoever() is None


def remember_browser(token: str, *, remember: bool = False) -> None:
    """Put a new session's token into the cookie, and nothing of what was there before.

    The CSRF token goes too: whoever planted a cookie before the sign-in must know nothing of the one after.
    """
    session.clear()
    session[TOKEN] = token
    session.permanent = remember


def renew_browser(token: str | None) -> None:
    """Put the new token of the session at hand into the cookie; None when the session is over."""
    if token is not None:
        session[TOKEN] = token


def forget_browser() -> str | None:
    """Empty the cookie; return the token that was in it."""
    token = session.get(TOKEN)
    session.clear()
    return token if isinstance(token, str) else None
