"""`/admin/users/<id>`: one user, with everything that can be done to them."""

import sys

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from authapp import (
    audit_log,
    directory,
    invitations,
    issued_tokens,
    locks,
    names,
    sessions,
    user_names,
    user_passwords,
    users,
)
from authapp.errors import BadFullName, BadUsername, NotAllowed, Pinned, Refused, UsernameTaken
from authapp.models import User
from authapp.paging import PAGE
from authapp.web.errors import status_of
from authapp.web.forms import EditUserForm, TypedForm, text
from authapp.web.identity import who
from authapp.web.security import access
from authapp.web.state import database, effective, visitor

bp = Blueprint("user", __name__, url_prefix="/admin/users/<user_id>")
ENTRIES = 30


@bp.get("")
@access("superuser", people=True)
def show(user_id: str) -> str:
    """Show a user: what is known, the sessions, what happened."""
    with database().reading() as db:
        user = users.get(db, user_id)
    return _page(user, EditUserForm(formdata=None, username=user.username, full_name=user.full_name))


@bp.post("")
@access("superuser", people=True, shows_again=True, needs_proof="to change a user's names")
def edit(user_id: str) -> Response | tuple[str, int]:
    """Change a user's names."""
    form = EditUserForm()
    with database().reading() as db:
        user = users.get(db, user_id)
    if not form.validate_on_submit():
        return _page(user, form), 400 if form.too_old else 422
    try:
        user = user_names.edit(
            database(), effective(), user_id, visitor("form", who()),
            username=text(form.username), full_name=text(form.full_name),
        )  # fmt: skip
    except (BadUsername, UsernameTaken, Pinned, NotAllowed, BadFullName) as error:
        form.refuse(form.full_name if isinstance(error, BadFullName) else form.username, str(error))
        return _page(user, form), status_of(error)
    flash(f"Saved: {user.username}.")
    return redirect(url_for("user.show", user_id=user_id), 303)


@bp.post("/reset-password")
@access("superuser", people=True, needs_proof="to reset a password")
def reset_password(user_id: str) -> str:
    """Give a user a new initial password, shown in this answer and never again."""
    invitation = invitations.reset_password(database(), effective(), user_id, visitor("form", who()))
    return render_template("users/initial_passwords.html", invitations=[invitation], reset=True)


@bp.post("/unlock")
@access("superuser", people=True, needs_proof="to unlock a user")
def unlock(user_id: str) -> Response:
    """Let a user try again who was made to wait."""
    done = locks.unlock(database(), effective(), user_id, visitor("form", who()))
    flash(f"{done.user.username} {'may try again' if done.was_locked else 'was not locked'}.")
    return redirect(url_for("user.show", user_id=user_id), 303)


@bp.post("/sessions/end")
@access("superuser", people=True, needs_proof="to end a user's sessions")
def end_sessions(user_id: str) -> Response:
    """End all sessions of a user, except the one this is done from."""
    with database().reading() as db:
        user = users.get(db, user_id)
    ended = sessions.revoke_all(
        database(), effective().config.session, user_id, visitor("form", who()), keep=who().session_id
    )
    flash(f"{user.username} is signed out of {ended} {'browser' if ended == 1 else 'browsers'}.")
    return redirect(url_for("user.show", user_id=user_id), 303)


@bp.post("/tokens/<token_id>/revoke")
@access("superuser", people=True, needs_proof="to revoke a token", no_api_token=True)
def revoke_token(user_id: str, token_id: str) -> Response:
    """Revoke one of a user's tokens."""
    row, user = issued_tokens.revoke(database(), token_id, visitor("form", who()), of=user_id)
    flash(f"{row.name or 'A JWT'} of {user.username} is revoked.")
    return redirect(url_for("user.show", user_id=user_id, _anchor="tokens"), 303)


@bp.post("/tokens/revoke")
@access("superuser", people=True, needs_proof="to revoke a user's tokens", no_api_token=True)
def revoke_tokens(user_id: str) -> Response:
    """Revoke all tokens of a user."""
    ended = issued_tokens.revoke_all(database(), user_id, visitor("form", who()))
    flash(f"{ended} {'token is' if ended == 1 else 'tokens are'} revoked.")
    return redirect(url_for("user.show", user_id=user_id, _anchor="tokens"), 303)


@bp.get("/delete")
@access("superuser", people=True)
def delete(user_id: str) -> str:
    """Ask for the user name before a user is deleted."""
    with database().reading() as db:
        user = users.get(db, user_id)
    return _delete_page(user, TypedForm(formdata=None))


@bp.post("/delete")
@access("superuser", people=True, shows_again=True, needs_proof="to delete a user")
def delete_submit(user_id: str) -> Response | tuple[str, int]:
    """Delete a user."""
    form = TypedForm()
    with database().reading() as db:
        user = users.get(db, user_id)
    if not form.validate_on_submit() or names.fold(text(form.typed)) != user.username_key:
        form.refuse(form.typed, "That is not the user name.")
        return _delete_page(user, form), 400 if form.too_old else 422
    try:
        users.delete_all(database(), [user_id], visitor("form", who()))
    except Refused as error:
        form.refuse(form.typed, str(error))
        return _delete_page(user, form), status_of(error)
    flash(f"{user.username} is deleted.")
    return redirect(url_for("users.all_users"), 303)


def _delete_page(user: User, form: TypedForm) -> str:
    form.typed.label.text = f"Type the user name, {user.username}, to confirm"
    return render_template("users/delete.html", form=form, user=user)


def _before() -> int | None:
    """Return the entry that the history goes on after."""
    asked = request.args.get("before", type=int)
    return asked if asked is None or 0 < asked < sys.maxsize else 1


def _page(user: User, form: EditUserForm) -> str:
    with database().reading() as db:
        (listed,) = directory.listed(db, effective(), [user])
        return render_template(
            "users/user.html",
            listed=listed,
            fixed_name=user_names.why_name_is_fixed(db, effective(), user, visitor("form", who())),
            form=form,
            sessions=sessions.all_of(db, effective().config.session, user.id, limit=PAGE + 1),
            most=PAGE,
            tokens=issued_tokens.of_user(db, effective().config.session, user.id),
            history=audit_log.history(db, user.id, before=_before(), limit=ENTRIES),
            more=ENTRIES,
            dies_at=user_passwords.initial_password_dies_at(effective(), user),
            here=url_for("user.show", user_id=user.id),
            my_session=who().session_id,
        )
