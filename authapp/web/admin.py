"""`/admin`: everybody's sessions, and the look around after a recovery."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from authapp import directory, issued_tokens, paging, sessions, users
from authapp.paging import PAGE
from authapp.web.identity import who
from authapp.web.security import access, safe_return_url
from authapp.web.state import database, effective, is_mode_none, visitor

bp = Blueprint("admin", __name__, url_prefix="/admin")


@bp.get("")
@bp.get("/")
@access("superuser")
def admin() -> Response:
    """Lead to the users, or in mode none, where there are none, to the settings."""
    return redirect(url_for("options.settings" if is_mode_none() else "users.all_users"), 303)


# -- sessions -------------------------------------------------------------------------------------------------


@bp.get("/sessions")
@access("superuser", people=True)
def all_sessions() -> str:
    """List who is signed in, and where."""
    with database().reading() as db:
        options = effective().config.session
        rows = sessions.everybodys(db, options, after=paging.decode(request.args.get("after", "")), limit=PAGE + 1)
    more = paging.encode(rows[PAGE - 1][0]) if len(rows) > PAGE else None
    return render_template("admin/sessions.html", rows=rows[:PAGE], more=more, my_session=who().session_id)


@bp.post("/sessions/<session_id>/end")
@access("superuser", needs_proof="to end a session", people=True)
def end_session(session_id: str) -> Response:
    """End one session."""
    user = sessions.revoke(database(), session_id, visitor("form", who()))
    flash(f"A session of {user.username} has ended.")
    return redirect(safe_return_url(request.form.get("back") or url_for("admin.all_sessions")), 303)


# -- recovery -------------------------------------------------------------------------------------------------


@bp.get("/recovery")
@access("superuser", people=True)
def recovery() -> Response | str:
    """After new credentials from the file: show the owner who else is a superuser."""
    with database().reading() as db:
        others = directory.listed(db, effective(), users.other_superusers(db, who().user_id))
        tokens = issued_tokens.live_api_tokens(db)
    return render_template("admin/recovery.html", listed=others, tokens=tokens)


@bp.post("/recovery/tokens/<token_id>/revoke")
@access("superuser", people=True, needs_proof="to revoke a token", no_api_token=True)
def revoke_token(token_id: str) -> Response:
    """Revoke a token that somebody has."""
    row, user = issued_tokens.revoke(database(), token_id, visitor("form", who()))
    flash(f"The token {row.name} of {user.username} is revoked.")
    return redirect(url_for("admin.recovery"), 303)


@bp.post("/recovery")
@access("superuser", people=True)
def recovery_submit() -> Response:
    """Note that the owner has looked."""
    users.reviewed(database(), who().user_id, visitor("form", who()))
    return redirect(url_for("account.home"), 303)
