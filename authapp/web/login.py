"""`/login` and `/logout`."""

from urllib.parse import urlsplit

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from authapp import audit, logins, sessions
from authapp.config.options import CREDENTIALS
from authapp.errors import LoginFailed
from authapp.web.errors import retry_after, status_of
from authapp.web.forms import LoginForm, text
from authapp.web.identity import TOKEN, forget_browser, remember_browser, was_signed_out, whoever
from authapp.web.security import CLEARED, access, safe_return_url
from authapp.web.state import database, effective, snapshot, the_app, visitor
from authapp.web.words import last_sign_in

bp = Blueprint("login", __name__)


@bp.get("/login")
@access("public", people=True)
def login() -> Response | str:
    """Show the sign-in form; whoever is signed in goes on."""
    if whoever():
        return redirect(safe_return_url(request.args.get("next")), 303)
    return _page(LoginForm(formdata=None))


@bp.post("/login")
@access("public", people=True, shows_again=True)
def login_submit() -> Response | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Sign in."""
    form = LoginForm()
    if not form.validate_on_submit():
        return _page(form), 400 if form.too_old else 422
    who = visitor("form")
    try:
        token = logins.sign_in(
            database(), effective(), text(form.username), text(form.password), who, remember=form.remember.data
        )
    except LoginFailed as error:
        return _page(form, str(error)), status_of(error), retry_after(error)
    _end_session()
    remember_browser(token, remember=form.remember.data)
    wanted = safe_return_url(request.args.get("next"))
    if wanted != url_for("account.home"):  # which says it by itself
        _tell_last_sign_in(token)
    return redirect(wanted, 303)


def _tell_last_sign_in(token: str) -> None:
    with database().reading() as db:
        found = sessions.find(db, effective().config.session, token)
        last = audit.last_sign_in(db, found[1].id, found[0].created_at) if found else None
    if last and (told := last_sign_in(last)):
        flash(told)


@bp.post("/logout")
@access("public", people=True)
def logout() -> Response:
    """Sign out; as often as anybody likes."""
    _end_session()
    forget_browser()
    flash("You are signed out.")
    answer = redirect(url_for("login.login"), 303)
    answer.headers["Clear-Site-Data"] = CLEARED
    return answer


def _end_session() -> None:
    """End the session this browser had so far, if any."""
    token = session.get(TOKEN)
    if not isinstance(token, str):
        return
    with database().writing() as db:
        if user := sessions.end(db, token):
            audit.record(db, "sign-out", visitor("form"), target=user)


def _page(form: LoginForm, refusal: str = "") -> str:
    problems = [problem for problem in snapshot().problems if problem.key.startswith(CREDENTIALS)]
    return render_template(
        "login/login.html",
        form=form,
        refusal=refusal,
        problems=problems,
        signed_out=was_signed_out(),
        right_address=_right_address(),
        config_file=the_app().locations.config_file.name,
        sign_up=effective().config.auth.sign_up,
    )


def _right_address() -> str | None:
    """Return the public address, when this page was opened under another one."""
    public_url = effective().config.server.public_url
    if not public_url:
        return None
    wanted = urlsplit(public_url)
    return None if (request.scheme, request.host.lower()) == (wanted.scheme, wanted.netloc) else public_url
