"""`/setup`: proof of access, then user name and password; then it is gone."""

from flask import Blueprint, jsonify, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from authapp import user_passwords, wizard
from authapp.config.options import USERNAME
from authapp.errors import BadSetupToken, BadUsername, SetupClosed, UsernameTaken, WeakPassword
from authapp.web.forms import SetupForm, SetupTokenForm, text
from authapp.web.guard import is_setup_open
from authapp.web.identity import WELCOME, remember_browser
from authapp.web.security import access
from authapp.web.state import database, effective, snapshot, the_app, visitor

bp = Blueprint("wizard", __name__, url_prefix="/setup")
TOKEN = "setup_token"  # noqa: S105 - a name in the session cookie


@bp.get("")
@access("setup")
def setup() -> Response | str:
    """Show the step that is next; a token in the address moves into the cookie, out of sight."""
    if token := request.args.get("token"):
        session[TOKEN] = token[:200]
        return redirect(url_for("wizard.setup"), 303)
    if not _has_proof():
        form = SetupTokenForm(formdata=None)
        if session.pop(TOKEN, None):
            form.refuse(form.token, str(BadSetupToken()))
        return render_template("wizard/token.html", form=form)
    return _page(_without_pinned(SetupForm(formdata=None)))


@bp.post("/token")
@access("setup", shows_again=True)
def token_submit() -> Response | tuple[str, int]:
    """Take the setup token that was pasted."""
    form = SetupTokenForm()
    if form.validate_on_submit():
        if wizard.is_token(database(), text(form.token)):
            session[TOKEN] = form.token.data
            return redirect(url_for("wizard.setup"), 303)
        form.refuse(form.token, str(BadSetupToken()))
    return render_template("wizard/token.html", form=form), 400 if form.too_old else 403


@bp.post("")
@access("setup", shows_again=True)
def setup_submit() -> Response | tuple[str, int]:
    """Make the owner, and sign them in."""
    form = _without_pinned(SetupForm())
    if not _has_proof():
        if not is_setup_open():  # somebody else finished it this moment, and the tokens went with it
            return render_template("wizard/finished.html"), 404
        return render_template("wizard/token.html", form=SetupTokenForm(formdata=None)), 403
    if not form.validate_on_submit():
        return _page(form), 400 if form.too_old else 422
    try:
        token = _finish(form)
    except (BadUsername, UsernameTaken) as error:
        form.refuse(form["username" if "username" in form else "password"], str(error))
    except WeakPassword as error:
        form.refuse(form["password" if "password" in form else "username"], str(error))
    except SetupClosed:
        return render_template("wizard/finished.html"), 404
    else:
        return _finished(token)
    return _page(form), 422


@bp.post("/password-check")
@access("setup")
def password_check() -> Response:
    """Say which of the policy's rules a password breaks, while it is being typed."""
    if not _has_proof():
        raise BadSetupToken
    username = snapshot().given.username or request.form.get("username", "")
    return jsonify(user_passwords.broken_rules(effective(), username, request.form.get("password", "")))


def _has_proof() -> bool:
    if not effective().config.setup.require_token:
        return True
    return wizard.is_token(database(), str(session.get(TOKEN, "")))


def _without_pinned(form: SetupForm) -> SetupForm:
    """Take out of the form what file or environment supply."""
    given = snapshot().given
    if given.username is not None:
        del form.username
    if given.has_secret:
        del form.password
    return form


def _page(form: SetupForm) -> str:
    in_force = effective()
    places = {
        "username": in_force.place_of.get(USERNAME),
        "password": in_force.place_of.get(in_force.pinned_password or ""),
    }
    given = snapshot().given
    return render_template(
        "wizard/setup.html",
        form=form,
        policy=user_passwords.policy(in_force),
        pinned_username=given.username,
        places=places,
    )


def _finish(form: SetupForm) -> str:
    username = text(form.username) if "username" in form else ""
    password = text(form.password) if "password" in form else ""
    return wizard.finish(database(), snapshot(), session.get(TOKEN), username, password, visitor("setup"))


def _finished(token: str) -> Response:
    wizard.remove_token_file(the_app().locations.data)
    remember_browser(token)
    session[WELCOME] = True
    return redirect(url_for("account.home"), 303)
