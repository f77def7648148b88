"""`/` and `/account`: who you are, and your password."""

from flask import Blueprint, flash, jsonify, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from authapp import logins, users
from authapp.errors import LoginFailed, Pinned, WeakPassword, WrongPassword
from authapp.web.errors import retry_after, status_of
from authapp.web.forms import NewPasswordForm, text
from authapp.web.identity import WELCOME, who
from authapp.web.security import access
from authapp.web.state import database, effective, the_app, visitor

bp = Blueprint("account", __name__)


@bp.get("/")
@access("user")
def home() -> str:
    """Say who is signed in, and the first time, what to do next."""
    welcome = session.pop(WELCOME, False)
    return render_template("account/home.html", welcome=welcome, config_file=the_app().locations.config_file.name)


@bp.get("/account")
@access("user")
def account() -> str:
    """Show one's own account."""
    with database().reading() as db:
        user = users.get(db, who().user_id)
        is_owner = users.is_owner(db, user.id)
    pinned = _pinned(user.id)
    config = effective().config
    names = {"organization": config.organization.name, "workspace": config.workspace.name}
    return render_template("account/account.html", user=user, is_owner=is_owner, names=names, pinned=pinned)


@bp.get("/.well-known/change-password")
@access("public")
def change_password() -> Response:
    """Lead password managers to the form (W3C "A Well-Known URL for Changing Passwords")."""
    return redirect(url_for("account.password"), 303)


@bp.get("/account/password")
@access("user")
def password() -> str:
    """Show the form for a new password."""
    return _page(NewPasswordForm(formdata=None))


@bp.post("/account/password")
@access("user", shows_again=True)
def password_submit() -> Response | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Change one's own password; the sessions of other browsers end."""
    form = NewPasswordForm()
    if not form.validate_on_submit():
        return _page(form), 400 if form.too_old else 422
    me, by = who(), visitor("form", who())
    try:
        checked = logins.confirm(database(), effective(), me.username, text(form.current_password), by)
        users.set_password(
            database(), effective(), me.user_id, text(form.new_password), by, keep=me.session_id, instead_of=checked
        )
    except (WrongPassword, LoginFailed) as error:
        form.refuse(form.current_password, str(error))
        return _page(form), status_of(error), retry_after(error) if isinstance(error, LoginFailed) else {}
    except WeakPassword as error:
        form.refuse(form.new_password, str(error))
        return _page(form), status_of(error)
    flash("Your password is changed, and your other browsers are signed out.")
    return redirect(url_for("account.account"), 303)


@bp.post("/account/password-check")
@access("user")
def password_check() -> Response:
    """Say which of the policy's rules a password breaks, while it is being typed."""
    username = request.form.get("username") or who().username
    return jsonify(users.broken_rules(effective(), username, request.form.get("password", "")))


def _pinned(user_id: str) -> Pinned | None:
    """Return why this user's password cannot be changed here, or None."""
    with database().reading() as db:
        try:
            users.require_own_password_free(db, effective(), user_id)
        except Pinned as error:
            return error
    return None


def _page(form: NewPasswordForm) -> str:
    pinned = _pinned(who().user_id)
    return render_template("account/password.html", form=form, policy=users.policy(effective()), pinned=pinned)
