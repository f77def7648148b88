"""`/admin/locks`: who has to wait after too many wrong passwords."""

from flask import Blueprint, flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from authapp import locks
from authapp.web.identity import who
from authapp.web.security import access
from authapp.web.state import database, effective, visitor

bp = Blueprint("locks", __name__, url_prefix="/admin/locks")


@bp.get("")
@access("superuser", people=True)
def all_locks() -> str:
    """List who has to wait."""
    with database().reading() as db:
        seen = locks.seen(db, effective())
    return render_template("admin/locks.html", seen=seen)


@bp.post("/<lock_id>/lift")
@access("superuser", people=True, needs_proof="to lift a lock")
def lift(lock_id: str) -> Response:
    """Let somebody try again."""
    lifted = locks.lift(database(), effective(), lock_id, visitor("form", who()))
    flash("The lock is lifted." if lifted else "That lock had ended already.")
    return redirect(url_for("locks.all_locks"), 303)
