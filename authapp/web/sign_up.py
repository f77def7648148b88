"""`/sign-up`: strangers make themselves a user, where that is switched on."""

from flask import Blueprint, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from authapp import sign_up as rule
from authapp import user_passwords
from authapp.errors import BadFullName, BadUsername, SignUpClosed, TooManyTries, WeakPassword
from authapp.web.errors import retry_after, status_of
from authapp.web.forms import SignUpForm, text
from authapp.web.identity import whoever
from authapp.web.security import access
from authapp.web.state import database, effective, snapshot, visitor

bp = Blueprint("sign_up", __name__, url_prefix="/sign-up")


@bp.get("")
@access("public", people=True)
def sign_up() -> Response | str:
    """Show the form; whoever is signed in has no use for it."""
    _require_open()
    if whoever():
        return redirect(url_for("account.home"), 303)
    return _page(SignUpForm(formdata=None))


@bp.post("")
@access("public", people=True, shows_again=True)
def sign_up_submit() -> str | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Make a user; a name that is taken gets the same answer."""
    _require_open()
    form = SignUpForm()
    if not form.validate_on_submit():
        return _page(form), 400 if form.too_old else 422
    try:
        rule.sign_up(
            database(), snapshot(), text(form.username), text(form.password), visitor("form"),
            full_name=text(form.full_name),
        )  # fmt: skip
    except (BadUsername, BadFullName, WeakPassword, TooManyTries) as error:
        fields = {WeakPassword: form.password, BadFullName: form.full_name}
        form.refuse(fields.get(type(error), form.username), str(error))
        return _page(form), status_of(error), retry_after(error)
    return render_template("sign_up/done.html", active=effective().config.auth.new_user_is_active)


@bp.post("/password-check")
@access("public", people=True)
def password_check() -> Response:
    """Say which of the policy's rules a password breaks, while it is being typed."""
    _require_open()
    username, password = request.form.get("username", ""), request.form.get("password", "")
    return jsonify(rule.broken_rules(effective(), username, password))


def _require_open() -> None:
    if not effective().config.auth.sign_up:
        raise SignUpClosed


def _page(form: SignUpForm) -> str:
    active = effective().config.auth.new_user_is_active
    return render_template(
        "sign_up/sign_up.html", form=form, policy=user_passwords.policy(effective()), active=active
    )
