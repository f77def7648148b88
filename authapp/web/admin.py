"""`/admin`: the users, and what the config file supplies."""

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from authapp import provision, users
from authapp.errors import BadUsername, UsernameTaken, WeakPassword
from authapp.models import User
from authapp.web.errors import status_of
from authapp.web.forms import NewUserForm, SwitchForm, text
from authapp.web.identity import who
from authapp.web.security import access
from authapp.web.state import database, effective, snapshot, visitor

bp = Blueprint("admin", __name__, url_prefix="/admin")


@bp.get("")
@access("superuser")
def admin() -> Response:
    """Lead to the users."""
    return redirect(url_for("admin.all_users"), 303)


@bp.get("/users")
@access("superuser")
def all_users() -> str:
    """List the users, each with its switches."""
    with database().reading() as db:
        everybody = users.everybody(db)
        owner_id = next((user.id for user in everybody if users.is_owner(db, user.id)), None)
    return render_template("admin/users.html", users=everybody, owner_id=owner_id)


@bp.get("/users/new")
@access("superuser")
def new_user() -> str:
    """Show the form for a new user."""
    return _form(NewUserForm(formdata=None, active=effective().config.auth.new_user_is_active))


@bp.post("/users/new")
@access("superuser", shows_again=True)
def new_user_submit() -> Response | tuple[str, int]:
    """Create a user."""
    form = NewUserForm()
    if not form.validate_on_submit():
        return _form(form), 400 if form.too_old else 422
    try:
        user = users.create(
            database(), effective(), text(form.username), text(form.password), visitor("form", who()),
            active=form.active.data, superuser=form.superuser.data,
        )  # fmt: skip
    except (BadUsername, UsernameTaken, WeakPassword) as error:
        form.refuse(form.password if isinstance(error, WeakPassword) else form.username, str(error))
        return _form(form), status_of(error)
    flash(f"{user.username} was created" + (" and may sign in." if user.is_active else ", and is not active yet."))
    return redirect(url_for("admin.all_users"), 303)


@bp.post("/users/<user_id>/active")
@access("superuser")
def set_active(user_id: str) -> Response:
    """Let a user sign in, or not any more."""
    user = users.set_active(database(), user_id, visitor("form", who()), active=SwitchForm().on.data)
    return _back(user, "may sign in." if user.is_active else "may not sign in any more, and is signed out.")


@bp.post("/users/<user_id>/superuser")
@access("superuser")
def set_superuser(user_id: str) -> Response:
    """Make a user a superuser, or take that back."""
    user = users.set_superuser(database(), user_id, visitor("form", who()), superuser=SwitchForm().on.data)
    return _back(user, "is a superuser now." if user.is_superuser else "is no superuser any more.")


@bp.get("/recovery")
@access("superuser")
def recovery() -> Response | str:
    """After new credentials from the file: show the owner who else is a superuser."""
    with database().reading() as db:
        others = users.other_superusers(db, who().user_id)
    return render_template("admin/recovery.html", users=others, owner_id=None)


@bp.post("/recovery")
@access("superuser")
def recovery_submit() -> Response:
    """Note that the owner has looked."""
    provision.reviewed(database(), who().user_id, visitor("form", who()))
    return redirect(url_for("account.home"), 303)


def _back(user: User, what: str) -> Response:
    flash(f"{user.username} {what}")
    gone = user.id == who().user_id and not (user.is_active and user.is_superuser)
    # The row is where the keyboard goes on from.
    return redirect(url_for("account.home") if gone else url_for("admin.all_users", _anchor=f"user-{user.id}"), 303)


def _form(form: NewUserForm) -> str:
    return render_template("admin/new_user.html", form=form, policy=users.policy(effective()))


@bp.context_processor
def _config() -> dict[str, dict[str, object]]:
    """Tell every admin page about the config file."""
    now = snapshot()
    config: dict[str, object] = {
        "supplied": now.effective.from_file,
        "problems": now.problems,
        "warnings": now.warnings,
        "needs_restart": now.needs_restart,
    }
    return {"config": config}
