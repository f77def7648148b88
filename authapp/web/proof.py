"""Proof of the password for sensitive changes: asked for again when the last one is a while ago."""

from flask import g, render_template, request, url_for
from flask.globals import request_ctx
from wtforms import Field

from authapp import logins, sessions
from authapp.errors import LoginFailed, WrongPassword
from authapp.logins import Identity
from authapp.web.errors import retry_after, status_of
from authapp.web.forms import PROOF, SECRETS, Form, ProofForm, sent_along, text
from authapp.web.identity import renew_browser
from authapp.web.security import SAFE_METHODS, safe_return_url
from authapp.web.state import database, effective, visitor

RETYPE = "retype"


def ask_for_proof(me: Identity, what: str) -> tuple[str, int] | tuple[str, int, dict[str, str]] | None:
    """Answer with the question for the password, unless it was typed lately or came along right.

    `what` it is needed for, in words ("to …"). What was sent is carried through the question, except for passwords:
    those have to be typed again.
    """
    if g.get("is_unproved_form"):
        return None  # the view refuses it anyway; nobody's password is tried with a form that is not ours
    if request.method in SAFE_METHODS or (me.proved_at and sessions.has_proof(me.proved_at)):
        return None
    form = ProofForm()
    headers: dict[str, str] = {}
    status = 403
    if PROOF in request.form:
        try:
            by = visitor("form", me)
            right = logins.confirm(
                database(), effective(), me.username, text(form.proof), by, session_id=me.session_id
            )
        except (WrongPassword, LoginFailed) as error:
            form.refuse(form.proof, str(error))
            status, headers = status_of(error), retry_after(error)
        else:
            renew_browser(right.token)
            g.retype = RETYPE in request.form
            return None
    return _question(form, what), status, headers


def _question(form: ProofForm, what: str) -> str:
    carried = sent_along()
    if any(request.form.get(name) for name in SECRETS) and RETYPE not in request.form:
        carried.append((RETYPE, "y"))
    query = request.query_string.decode("ascii", "replace")
    action = url_for(request.endpoint or "", **(request.view_args or {})) + (f"?{query}" if query else "")
    return render_template(
        "login/proof.html", form=form, what=what, carried=carried, action=action, back=_way_back()
    )


def _way_back() -> str:
    """Return the page that the form was sent from, as near as can be told."""
    if wanted := request.form.get("back"):
        return safe_return_url(wanted)
    adapter, user_id = request_ctx.url_adapter, (request.view_args or {}).get("user_id")
    if adapter is not None and adapter.test(request.path, "GET"):
        return request.path
    if request.blueprint == "own_tokens":
        return url_for("own_tokens.all_tokens")
    return url_for("user.show", user_id=user_id) if user_id else url_for("users.all_users")


def is_complete(form: Form, secret: Field) -> bool:
    """Tell whether a form is valid, and nothing of it was lost while the password was asked for."""
    if not form.validate_on_submit():
        return False
    if g.get("retype"):
        form.refuse(secret, "Type this password again: it was not kept while you were asked for yours.")
        return False
    return True
