"""`/` and `/account`: who you are, and your password."""

from flask import Blueprint, flash, jsonify, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from authapp import audit, logins, sessions, user_names, user_passwords, users
from authapp.errors import (
    BadFullName,
    LoginFailed,
    Pinned,
    SamePassword,
    WeakPassword,
    WrongPassword,
)
from authapp.paging import PAGE
from authapp.web.errors import retry_after, status_of
from authapp.web.forms import FullNameForm, NewPasswordForm, text
from authapp.web.identity import WELCOME, renew_browser, who, whoever
from authapp.web.security import access, safe_return_url
from authapp.web.state import database, effective, the_app, visitor

bp = Blueprint("account", __name__)


@bp.get("/")
@access("user")
def home() -> str:
    """Say who is signed in and when that was last; the first time, what to do next."""
    welcome = session.pop(WELCOME, False)
    with database().reading() as db:
        user, began = users.get(db, who().user_id), sessions.began(db, who().session_id)
        last = audit.last_sign_in(db, user.id, began) if began else None
        waiting = user.is_superuser and effective().config.auth.sign_up and users.somebody_waits(db)
    config_file = the_app().locations.config_file.name
    return render_template(
        "account/home.html", user=user, last=last, waiting=waiting, welcome=welcome, config_file=config_file
    )


@bp.get("/account")
@access("user")
def account() -> str:
    """Show one's own account."""
    with database().reading() as db:
        user = users.get(db, who().user_id)
    return _account(FullNameForm(formdata=None, full_name=user.full_name))


@bp.post("/account")
@access("user", shows_again=True, people=True)
def account_submit() -> Response | tuple[str, int]:
    """Change one's own full name."""
    form = FullNameForm()
    if not form.validate_on_submit():
        return _account(form), 400
    try:
        user_names.edit(
            database(), effective(), who().user_id, visitor("form", who()), full_name=text(form.full_name)
        )
    except BadFullName as error:
        form.refuse(form.full_name, str(error))
        return _account(form), status_of(error)
    flash("Saved.")
    return redirect(url_for("account.account"), 303)


@bp.get("/.well-known/change-password")
@access("public", people=True)
def change_password() -> Response:
    """Lead password managers to the form (W3C "A Well-Known URL for Changing Passwords")."""
    return redirect(url_for("account.password"), 303)


@bp.get("/account/password")
@access("user", people=True)
def password() -> str:
    """Show the form for a new password."""
    return _page(NewPasswordForm(formdata=None))


@bp.post("/account/password")
@access("user", shows_again=True, people=True)
def password_submit() -> Response | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Change one's own password; the sessions of other browsers end."""
    form = NewPasswordForm()
    if not form.validate_on_submit():
        return _page(form), 400 if form.too_old else 422
    me, by = who(), visitor("form", who())
    try:
        checked = logins.confirm(database(), effective(), me.username, text(form.current_password), by)
        token = user_passwords.set_password(
            database(), effective(), me.user_id, text(form.new_password), by,
            keep=me.session_id, instead_of=checked.password_hash,
        )  # fmt: skip
    except (WrongPassword, LoginFailed) as error:
        form.refuse(form.current_password, str(error))
        return _page(form), status_of(error), retry_after(error) if isinstance(error, LoginFailed) else {}
    except (WeakPassword, SamePassword) as error:
        form.refuse(form.new_password, str(error))
        return _page(form), status_of(error)
    renew_browser(token)
    flash("Your password is changed, and your other browsers are signed out. API tokens still work.")
    was_initial = _has_initial_password()
    return redirect(safe_return_url(request.args.get("next")) if was_initial else url_for("account.account"), 303)


@bp.get("/account/sessions")
@access("user", people=True)
def all_sessions() -> str:
    """List one's own sessions, the newest of them: to say what a browser calls itself takes a while."""
    with database().reading() as db:
        mine = sessions.all_of(db, effective().config.session, who().user_id, limit=PAGE + 1)
    return render_template("account/sessions.html", sessions=mine, most=PAGE, my_session=who().session_id)


@bp.post("/account/sessions/<session_id>/end")
@access("user", people=True)
def end_session(session_id: str) -> Response:
    """End one of one's own sessions."""
    me = who()
    with database().reading() as db:
        sessions.get(db, effective().config.session, session_id, of=me.user_id)
    sessions.revoke(database(), session_id, visitor("form", me))
    flash("That browser is signed out.")
    return redirect(url_for("account.all_sessions"), 303)


@bp.post("/account/sessions/end")
@access("user", people=True)
def end_other_sessions() -> Response:
    """End all of one's own sessions but this one."""
    me = who()
    ended = sessions.revoke_all(
        database(), effective().config.session, me.user_id, visitor("form", me), keep=me.session_id
    )
    flash(f"{ended} other {'browser is' if ended == 1 else 'browsers are'} signed out.")
    return redirect(url_for("account.all_sessions"), 303)


@bp.post("/account/password-check")
@access("user", people=True)
def password_check() -> Response:
    """Say which of the policy's rules a password breaks, while it is being typed."""
    username = request.form.get("username") or who().username
    return jsonify(user_passwords.broken_rules(effective(), username, request.form.get("password", "")))


def _pinned(user_id: str) -> Pinned | None:
    """Return why this user's password cannot be changed here, or None."""
    with database().reading() as db:
        try:
            user_passwords.require_own_password_free(db, effective(), user_id)
        except Pinned as error:
            return error
    return None


def _has_initial_password() -> bool:
    """Tell whether this request came with an initial password still in force."""
    me = whoever()
    return me is not None and me.must_change_password


def _account(form: FullNameForm) -> str:
    with database().reading() as db:
        user = users.get(db, who().user_id)
        is_owner = users.is_owner(db, user.id)
        may_rename = (
            is_owner and user_names.why_name_is_fixed(db, effective(), user, visitor("form", who())) is None
        )
    config = effective().config
    names = {"organization": config.organization.name, "workspace": config.workspace.name}
    return render_template(
        "account/account.html",
        form=form,
        user=user,
        is_owner=is_owner,
        may_rename=may_rename,
        names=names,
        pinned=_pinned(user.id),
    )


def _page(form: NewPasswordForm) -> str:
    if _has_initial_password():
        form.current_password.label.text = "The password you were given"
    return render_template(
        "account/password.html",
        form=form,
        policy=user_passwords.policy(effective()),
        pinned=_pinned(who().user_id),
        initial=_has_initial_password(),
    )
