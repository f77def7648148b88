"""Proof of the password for sensitive changes: asked for again when the last one is a while ago."""

from flask import g, render_template, request
from wtforms import Field

from authapp import logins, sessions
from authapp.errors import LoginFailed, WrongPassword
from authapp.logins import Identity
from authapp.web.errors import retry_after, status_of
from authapp.web.forms import Form, ProofForm, text
from authapp.web.identity import renew_browser
from authapp.web.security import SAFE_METHODS
from authapp.web.state import database, effective, visitor

PROOF = "proof"
RETYPE = "retype"
SECRETS = {"password", "current_password", "new_password"}
NOT_CARRIED = {"csrf_token", PROOF, *SECRETS}


def ask_for_proof(me: Identity) -> tuple[str, int] | tuple[str, int, dict[str, str]] | None:
    """Answer with the question for the password, unless it was typed lately or came along right.

    What was sent is carried through the question, except for passwords: those have to be typed again.
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
    return _question(form), status, headers


def _question(form: ProofForm) -> str:
    carried = [(name, value) for name, value in request.form.items(multi=True) if name not in NOT_CARRIED]
    if any(request.form.get(name) for name in SECRETS) and RETYPE not in request.form:
        carried.append((RETYPE, "y"))
    return render_template("login/proof.html", form=form, carried=carried, action=request.full_path.rstrip("?"))


def is_complete(form: Form, secret: Field) -> bool:
    """Tell whether a form is valid, and nothing of it was lost while the password was asked for."""
    if not form.validate_on_submit():
        return False
    if g.get("retype"):
        form.refuse(secret, "Type this password again: it was not kept while you were asked for yours.")
        return False
    return True
