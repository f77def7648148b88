"""`/admin/users`: the list of users, its switches, and what is done to several at once."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from authapp import directory, users
from authapp.directory import Query
from authapp.errors import BadQuery, Unconfirmed
from authapp.models import User
from authapp.web.errors import status_of
from authapp.web.forms import SwitchForm, TypedForm, sent_along, text
from authapp.web.identity import who
from authapp.web.security import access, safe_return_url
from authapp.web.state import database, effective, visitor

bp = Blueprint("users", __name__, url_prefix="/admin/users")
DELETE_WORD = "delete"
# What a narrow page offers in place of the headings that sort.
ORDERS = (
    ("", "Usual order"),
    ("username", "Names, A to Z"),
    ("-username", "Names, Z to A"),
    ("role", "Superusers first"),
    ("-role", "Superusers last"),
    ("-created_at", "Newest first"),
    ("created_at", "Oldest first"),
    ("-last_login_at", "Last sign-in first"),
    ("last_login_at", "Longest away first"),
)


@bp.get("")
@access("superuser", people=True)
def all_users() -> str:
    """List users: those looked for, in the order asked for, a page at a time."""
    query = _query()
    with database().reading() as db:
        page = directory.page(db, effective(), query, visitor("form", who()))
    is_plain = not (query.search or query.role or query.cursor or query.active is not None)
    return render_template(
        "users/users.html",
        page=page,
        query=query,
        orders=ORDERS,
        alone=is_plain and len(page.users) == 1,
        here=_here(),
    )


@bp.post("/<user_id>/active")
@access("superuser", people=True, needs_proof="to change who may sign in")
def set_active(user_id: str) -> Response | tuple[str, int]:
    """Let a user sign in, or not any more; whoever shuts themselves out is asked twice."""
    form = SwitchForm()
    try:
        user = users.set_active(
            database(), user_id, visitor("form", who()), active=form.on.data, sure=form.sure.data
        )
    except Unconfirmed as error:
        return _ask_again(error)
    left = "may sign in." if user.is_active else "may no longer sign in. Sessions and tokens have ended."
    return _back(user, "active", left)


@bp.post("/<user_id>/superuser")
@access("superuser", people=True, needs_proof="to change who is a superuser")
def set_superuser(user_id: str) -> Response | tuple[str, int]:
    """Make a user a superuser, or take that back; whoever takes it from themselves is asked twice."""
    form = SwitchForm()
    try:
        user = users.set_superuser(
            database(), user_id, visitor("form", who()), superuser=form.on.data, sure=form.sure.data
        )
    except Unconfirmed as error:
        return _ask_again(error)
    return _back(user, "superuser", "is a superuser now." if user.is_superuser else "is no longer a superuser.")


def _ask_again(error: Unconfirmed) -> tuple[str, int]:
    carried = [*sent_along("sure", "back"), ("back", _wanted_back())]
    page = render_template(
        "users/sure.html",
        form=SwitchForm(),
        question=str(error),
        yes=error.yes,
        carried=carried,
        back=_wanted_back(),
    )
    return page, status_of(error)


@bp.post("/bulk")
@access("superuser", people=True, needs_proof="to change several users")
def bulk() -> Response | tuple[str, int]:
    """Activate, deactivate or delete the users that were chosen: all of them, or none."""
    ids, what = request.form.getlist("ids"), request.form.get("action")
    if not ids:
        flash("Choose at least one user first.")
        return redirect(_wanted_back(), 303)
    if what == "delete":
        return _delete(ids)
    if what not in ("activate", "deactivate"):
        raise BadQuery("Users are activated, deactivated or deleted; nothing else is done to several at once.")
    try:
        changed = users.set_all_active(
            database(), ids, visitor("form", who()), active=what == "activate", sure=SwitchForm().sure.data
        )
    except Unconfirmed as error:
        return _ask_again(error)
    flash(f"{_count(changed)} {'may sign in.' if what == 'activate' else 'may no longer sign in.'}")
    return redirect(_home_or(_wanted_back(), changed), 303)


def _delete(ids: list[str]) -> Response | tuple[str, int]:
    """Delete users once the word is typed; before that, show who they are."""
    form = TypedForm()
    if text(form.typed).casefold() != DELETE_WORD:
        with database().reading() as db:
            chosen = [users.get(db, user_id) for user_id in dict.fromkeys(ids)]
        if form.typed.data is not None:
            form.refuse(form.typed, f"That is not the word {DELETE_WORD}.")
        form.typed.label.text = f"Type the word {DELETE_WORD} to confirm"
        page = render_template("users/delete_many.html", form=form, users=chosen, back=_wanted_back())
        return page, 200 if form.typed.data is None else 422
    deleted = users.delete_all(database(), ids, visitor("form", who()))
    flash(f"{_count(deleted)} deleted.")
    return redirect(_wanted_back(), 303)


def _count(changed: list[User]) -> str:
    return changed[0].username if len(changed) == 1 else f"{len(changed)} users"


def _query() -> Query:
    """Return what the address asks for."""
    asked = request.args
    active = {"": None, "true": True, "false": False}
    if asked.get("active", "") not in active:
        raise BadQuery("active is true, false, or left out.")
    return Query(
        search=asked.get("q", ""),
        role=asked.get("role", ""),
        active=active[asked.get("active", "")],
        sort=asked.get("sort", ""),
        cursor=asked.get("cursor", ""),
    )


def _here() -> str:
    return request.full_path.rstrip("?")


def _wanted_back() -> str:
    """Return the page of the list that a form was sent from."""
    wanted = safe_return_url(request.form.get("back"))
    return wanted if wanted.startswith("/admin/") else url_for("users.all_users")


def _back(user: User, switch: str, what: str) -> Response:
    flash(f"{user.username} {what}")
    # The switch is where the keyboard goes on from.
    return redirect(_home_or(f"{_wanted_back()}#{switch}-{user.id}", [user]), 303)


def _home_or(page: str, changed: list[User]) -> str:
    """Return a page of the admin's, unless whoever asks is none any more."""
    gone = any(user.id == who().user_id and not (user.is_active and user.is_superuser) for user in changed)
    return url_for("account.home") if gone else page
