"""Who is asking: one ladder of reasons, asked once a request."""

from dataclasses import dataclass
from typing import Any, cast

from flask import g, session
from flask_login import AnonymousUserMixin, LoginManager, UserMixin, current_user

from authapp import modes, sessions, users
from authapp.logins import Identity
from authapp.web.state import App, database, effective, is_mode_none

TOKEN = "token"  # noqa: S105 - a name in the session cookie
WELCOME = "welcome"  # the same: this browser has just finished the setup


@dataclass(frozen=True, slots=True)
class Visitor(UserMixin):  # type: ignore[misc]  # flask_login ships no types
    """Flask-Login's user: an identity, and what every page asks about it."""

    identity: Identity
    is_superuser: bool
    must_review: bool
    must_change_password: bool

    def get_id(self) -> str:
        """Return the user's id."""
        return self.identity.user_id


class SessionLogins(LoginManager):  # type: ignore[misc]  # flask_login ships no types
    """Flask-Login over our session rows: its own cookies and ladder are never asked."""

    def _load_user(self, user: Any = None) -> None:
        known = _from_mode_none() if is_mode_none() else _from_session()
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
    identity = Identity(user.id, user.username, user.role, "none")
    return Visitor(identity, user.is_superuser, must_review=False, must_change_password=False)


def _from_session() -> Visitor | None:
    token = session.get(TOKEN)
    if not isinstance(token, str):
        return None
    with database().reading() as db:
        found = sessions.find(db, effective().config.session, token)
        if found is None:
            return None
        row, user = found
        must_review = user.recovered_at is not None and bool(users.other_superusers(db, user.id))
    if sessions.is_worth_touching(row):
        with database().writing() as db:
            sessions.touch(db, row.id)
    identity = Identity(user.id, user.username, user.role, "session", row.id, row.proved_at)
    return Visitor(identity, user.is_superuser, must_review, user.must_change_password)


def whoever() -> Visitor | None:
    """Return who is signed in, or None."""
    return cast(Visitor, current_user._get_current_object()) if current_user.is_authenticated else None  # noqa: SLF001 - a proxy's own way


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
