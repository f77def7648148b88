"""`/admin`: everybody's sessions, settings, and the look around after a recovery."""

from datetime import datetime

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from authapp import directory, sessions, stored_options, users
from authapp.config.overlay import Effective
from authapp.errors import BadQuery, BadValue, Pinned
from authapp.organization import NAME, WORKSPACE_NAME
from authapp.sessions import Cursor
from authapp.web.errors import status_of
from authapp.web.forms import OrganizationForm, text
from authapp.web.identity import who
from authapp.web.security import access, safe_return_url
from authapp.web.state import database, effective, is_mode_none, look_now, the_app, visitor

bp = Blueprint("admin", __name__, url_prefix="/admin")
PAGE = 50


@bp.get("")
@bp.get("/")
@access("superuser")
def admin() -> Response:
    """Lead to the users, or in mode none, where there are none, to the settings."""
    return redirect(url_for("admin.settings" if is_mode_none() else "users.all_users"), 303)


# -- sessions -------------------------------------------------------------------------------------------------


@bp.get("/sessions")
@access("superuser", people=True)
def all_sessions() -> str:
    """List who is signed in, and where."""
    with database().reading() as db:
        options = effective().config.session
        rows = sessions.everybodys(db, options, after=_cursor(request.args.get("after")), limit=PAGE + 1)
    more = f"{rows[PAGE - 1][0].created_at.isoformat()} {rows[PAGE - 1][0].id}" if len(rows) > PAGE else None
    return render_template("admin/sessions.html", rows=rows[:PAGE], more=more, my_session=who().session_id)


@bp.post("/sessions/<session_id>/end")
@access("superuser", needs_proof="to end a session", people=True)
def end_session(session_id: str) -> Response:
    """End one session."""
    user = sessions.revoke(database(), session_id, visitor("form", who()))
    flash(f"A session of {user.username} has ended.")
    return redirect(safe_return_url(request.form.get("back") or url_for("admin.all_sessions")), 303)


def _cursor(value: str | None) -> Cursor | None:
    if not value:
        return None
    try:
        moment, session_id = value.split(" ")
        at = datetime.fromisoformat(moment)
    except ValueError:
        raise BadQuery("This address is damaged; begin with the first page.") from None
    if at.tzinfo is None or "\0" in session_id:
        raise BadQuery("This address is damaged; begin with the first page.")
    return at, session_id


# -- settings -------------------------------------------------------------------------------------------------


@bp.get("/settings")
@access("superuser")
def settings() -> str:
    """Show what can be set here, as it is this moment: another process may just have saved it."""
    look_now()
    config = effective().config
    return _settings(
        OrganizationForm(formdata=None, organization=config.organization.name, workspace=config.workspace.name)
    )


@bp.post("/settings")
@access("superuser", shows_again=True, needs_proof="to change the settings")
def settings_submit() -> Response | tuple[str, int]:
    """Give organization and workspace their names."""
    form = OrganizationForm()
    now = effective()
    if not form.validate_on_submit():
        return _settings(form), 400 if form.too_old else 422
    wanted = {NAME: text(form.organization), WORKSPACE_NAME: text(form.workspace)}
    changed = {key: value for key, value in wanted.items() if value != now.get(key)}
    try:
        stored_options.store(database(), the_app().live, changed, visitor("form", who()))
    except (BadValue, Pinned) as error:
        form.refuse(form.workspace if str(error).startswith(WORKSPACE_NAME) else form.organization, str(error))
        return _settings(form), status_of(error)
    look_now()
    flash("Saved.")
    return redirect(url_for("admin.settings"), 303)


def _settings(form: OrganizationForm) -> str:
    now, places = effective(), {}
    for field, key in ((form.organization, NAME), (form.workspace, WORKSPACE_NAME)):
        places[field.name] = _place(now, key)
        if places[field.name]:
            field.data = now.get(key)
    return render_template("admin/settings.html", form=form, places=places)


def _place(now: Effective, key: str) -> str:
    place = now.place_of.get(key)
    return place.words if now.pinned(key) and place else ""


# -- recovery -------------------------------------------------------------------------------------------------


@bp.get("/recovery")
@access("superuser", people=True)
def recovery() -> Response | str:
    """After new credentials from the file: show the owner who else is a superuser."""
    with database().reading() as db:
        others = directory.listed(db, effective(), users.other_superusers(db, who().user_id))
    return render_template("admin/recovery.html", listed=others)


@bp.post("/recovery")
@access("superuser", people=True)
def recovery_submit() -> Response:
    """Note that the owner has looked."""
    users.reviewed(database(), who().user_id, visitor("form", who()))
    return redirect(url_for("account.home"), 303)
