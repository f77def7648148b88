"""`/healthz` and `/readyz`, for whatever starts and watches the server."""

from flask import Blueprint, Response

from authapp import wizard
from authapp.web.security import access
from authapp.web.state import database, database_trouble, other_mode, snapshot, the_app

bp = Blueprint("health", __name__)


@bp.get("/healthz")
@access("public")
def healthz() -> Response:
    """Answer as long as the process does."""
    return _word("ok")


@bp.get("/readyz")
@access("public")
def readyz() -> Response:
    """Say in one word whether people can sign in; 503 when nobody can, whatever they type, or soon."""
    if the_app().leaving.is_set():
        return _word("stopping", 503)
    if trouble := database_trouble():
        return _word(trouble[0], 503)
    now = snapshot()
    if now.closed or now.pending or other_mode():
        return _word("database" if now.pending else "config", 503)
    if now.problems:
        return _word("config")
    with database().reading() as db:
        return _word("setup" if wizard.is_open(db, now) else "ready")


def _word(word: str, status: int = 200) -> Response:
    return Response(word + "\n", status, content_type="text/plain; charset=utf-8")
