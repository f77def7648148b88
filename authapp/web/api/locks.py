"""Who has to wait after too many wrong passwords."""

from flask import jsonify
from werkzeug.wrappers import Response

from authapp import locks
from authapp.web.api.blueprint import route
from authapp.web.api.models.access import LockPath, Locks
from authapp.web.identity import who
from authapp.web.state import database, effective, visitor


@route("get", "/locks", "superuser", "locks", {200: Locks}, people=True)
def all_locks() -> Response:
    """List who has to wait now, the longest first; 500 at most."""
    with database().reading() as db:
        return jsonify(items=[locks.facts(one) for one in locks.seen(db, effective())])


@route(
    "delete", "/locks/<lock_id>", "superuser", "locks", {204: None},
    people=True, needs_proof="to lift a lock",
)  # fmt: skip
def lift_lock(path: LockPath) -> tuple[str, int]:
    """Let somebody try again who was made to wait; one that has ended is 204, too."""
    locks.lift(database(), effective(), path.lock_id, visitor("api", who()))
    return "", 204
