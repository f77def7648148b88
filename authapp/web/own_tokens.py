"""`/account/tokens`: one's own API tokens and JWTs."""

from datetime import timedelta

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from authapp import clock, issued_tokens
from authapp.errors import BadToken, TooManyTokens
from authapp.models import Scope
from authapp.web.errors import status_of
from authapp.web.forms import TokenForm, text
from authapp.web.identity import who, whoever
from authapp.web.security import access
from authapp.web.state import database, effective, visitor

bp = Blueprint("own_tokens", __name__, url_prefix="/account/tokens")
TO_CHANGE = "to change your tokens"


@bp.get("")
@access("user", people=True)
def all_tokens() -> str:
    """List one's own tokens, with the form for a new one."""
    return _page(_form(fresh=True))


@bp.post("")
@access("user", people=True, shows_again=True, needs_proof=TO_CHANGE, no_api_token=True)
def create_token() -> str | tuple[str, int]:
    """Make an API token, shown in this answer and never again."""
    form, me = _form(), who()
    if not form.validate_on_submit():
        return _page(form), 400 if form.too_old else 422
    if _is_there(text(form.name)):  # also when the page that shows a token is loaded again
        form.refuse(form.name, "You have a token of this name already. Call this one something else.")
        return _page(form), 409
    days = int(form.days.data)
    try:
        issued = issued_tokens.create(
            database(), me.user_id, text(form.name), visitor("form", me), scope=Scope(form.scope.data),
            expires_at=clock.now() + timedelta(days=days) if days else None,
        )  # fmt: skip
    except (BadToken, TooManyTokens) as error:
        form.refuse(form.name, str(error))
        return _page(form), status_of(error)
    return render_template("account/new_token.html", issued=issued)


@bp.post("/<token_id>/revoke")
@access("user", people=True, needs_proof=TO_CHANGE, no_api_token=True)
def revoke_token(token_id: str) -> Response:
    """Revoke one of one's own tokens."""
    me = who()
    row, _ = issued_tokens.revoke(database(), token_id, visitor("form", me), of=me.user_id)
    flash(f"{row.name or 'That JWT'} is revoked.")
    return redirect(url_for("own_tokens.all_tokens"), 303)


@bp.post("/revoke")
@access("user", people=True, needs_proof=TO_CHANGE, no_api_token=True)
def revoke_all() -> Response:
    """Revoke all of one's own tokens."""
    me = who()
    ended = issued_tokens.revoke_all(database(), me.user_id, visitor("form", me))
    flash(f"{ended} {'token is' if ended == 1 else 'tokens are'} revoked.")
    return redirect(url_for("own_tokens.all_tokens"), 303)


def _form(*, fresh: bool = False) -> TokenForm:
    """Return the form; the largest scope is offered to those it means something to."""
    form = TokenForm(formdata=None) if fresh else TokenForm()
    me = whoever()
    if me is None or not me.is_superuser:
        form.scope.choices = [scope for scope in form.SCOPES if scope != Scope.ADMIN]  # type: ignore[misc]  # as there
    return form


def _is_there(name: str) -> bool:
    """Tell whether one has an API token of this name."""
    with database().reading() as db:
        mine = issued_tokens.of_user(db, effective().config.session, who().user_id)
    return any(token.name == name for token in mine)


def _page(form: TokenForm) -> str:
    with database().reading() as db:
        tokens = issued_tokens.of_user(db, effective().config.session, who().user_id)
    return render_template("account/tokens.html", form=form, tokens=tokens)
