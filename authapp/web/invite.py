"""`/admin/users/new` and `/admin/users/list`: create one user, or paste a list of them."""

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from authapp import invitations, user_passwords, userlist
from authapp.errors import BadFullName, BadList, BadUsername, UsernameTaken, WeakPassword
from authapp.invitations import NewUser, Row
from authapp.models import Role
from authapp.web.errors import status_of
from authapp.web.forms import NewUserForm, UserListForm, text
from authapp.web.identity import who
from authapp.web.proof import is_complete
from authapp.web.security import LARGEST_LIST, access
from authapp.web.state import database, effective, visitor

bp = Blueprint("invite", __name__, url_prefix="/admin/users")


@bp.get("/new")
@access("superuser", people=True)
def new_user() -> str:
    """Show the form for a new user."""
    return _form(NewUserForm(formdata=None, active=effective().config.auth.new_user_is_active))


@bp.post("/new")
@access("superuser", people=True, shows_again=True, needs_proof="to create a user")
def new_user_submit() -> Response | str | tuple[str, int]:
    """Create a user, with the password that was typed or a generated one."""
    form = NewUserForm()
    if not is_complete(form, form.password):
        return _form(form), 400 if form.too_old else 422
    role = Role.ADMIN if form.superuser.data else Role.USER
    wanted = NewUser(
        text(form.username), text(form.full_name), form.password.data or None, role=role, active=form.active.data
    )
    try:
        (made,) = invitations.invite(database(), effective(), [wanted], visitor("form", who()))
    except (BadUsername, BadFullName, UsernameTaken, WeakPassword) as error:
        fields = {WeakPassword: form.password, BadFullName: form.full_name}
        form.refuse(fields.get(type(error), form.username), str(error))
        if not form.password.errors and (weak := invitations.why_weak(effective(), wanted)):
            form.refuse(form.password, str(weak))  # so that it need not be found out next time
        return _form(form), status_of(error)
    if made.initial_password is not None:
        return render_template("users/initial_passwords.html", invitations=[made], reset=False)
    what = "and may sign in." if made.user.is_active else "and is not active yet."
    flash(f"{made.user.username} was created {what}")
    return redirect(url_for("users.all_users"), 303)


@bp.get("/list")
@access("superuser", people=True)
def new_list() -> str:
    """Show the field for a list."""
    return _list(UserListForm(formdata=None, active=effective().config.auth.new_user_is_active))


@bp.post("/list")
@access("superuser", people=True, shows_again=True, needs_proof="to create users", largest=LARGEST_LIST)
def new_list_submit() -> str | tuple[str, int]:
    """Show what a list would create, and once that was seen, create it."""
    form = UserListForm()
    if not form.validate_on_submit():
        return _list(form), 400 if form.too_old else 422
    if form.change.data:
        return _list(form)
    try:
        rows = userlist.read(text(form.users), active=form.active.data)
        rows = invitations.checked(database(), effective(), rows)
        if any(row.refusal for row in rows):
            return _list(form, rows), 422
        if not form.create.data:
            return _list(form, rows)
        made = invitations.invite_list(database(), effective(), rows, visitor("form", who()))
    except BadList as error:
        form.refuse(form.users, str(error))
        return _list(form), status_of(error)
    return render_template("users/initial_passwords.html", invitations=made, reset=False)


def _list(form: UserListForm, rows: list[Row] | None = None) -> str:
    return render_template(
        "users/new_list.html",
        form=form,
        rows=rows or [],
        headings=userlist.headings_line(text(form.users)) if rows else None,
        unused=userlist.unused_columns(text(form.users)) if rows else [],
        most=invitations.MOST_AT_ONCE,
    )


def _form(form: NewUserForm) -> str:
    return render_template("users/new_user.html", form=form, policy=user_passwords.policy(effective()))
