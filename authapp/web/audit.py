"""`/admin/audit`: what happened, and its export."""

from collections.abc import Iterable, Iterator

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from authapp import audit_log, clock, logs, users
from authapp.database import DatabaseError
from authapp.web.identity import who
from authapp.web.security import access
from authapp.web.state import database, visitor
from authapp.web.words import KINDS, OUTCOMES, ROADS, choices

bp = Blueprint("audit", __name__, url_prefix="/admin/audit")
FILTERS = ("user", "event", "outcome", "address", "road", "since", "until")
MEDIA_TYPES = {"csv": "text/csv; charset=utf-8; header=present", "jsonl": "application/x-ndjson"}


@bp.get("")
@access("superuser")
def all_entries() -> str:
    """Show what happened, the newest first: what is asked for, a page at a time."""
    asked = _asked()
    with database().reading() as db:
        wanted = audit_log.wanted(db, **asked)
        cursor = request.args.get("cursor", "")
        page = audit_log.page(db, wanted, visitor("form", who()), cursor=cursor)
        known = users.existing(
            db, {one for entry in page.entries for one in (entry.actor_id, entry.target_id) if one}
        )
    words = {"lists": _lists(asked), "roads": ROADS, "outcomes": OUTCOMES}
    return render_template(
        "admin/audit.html", page=page, asked=asked, wanted=wanted, cursor=cursor, known=known, **words
    )


@bp.get("/export")
@access("superuser")
def export() -> Response:
    """Send all that is asked for as a file, while it is read."""
    with database().reading() as db:
        wanted = audit_log.wanted(db, **_asked())
    form = request.args.get("format", "csv")
    texts = audit_log.export(database(), wanted, form, visitor("form", who()))
    answer = Response(_to_the_end(texts, form))
    answer.headers["Content-Type"] = MEDIA_TYPES[form]
    answer.headers.set("Content-Disposition", "attachment", filename=f"audit-{clock.now():%Y-%m-%d}.{form}")
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _to_the_end(texts: Iterable[str], form: str) -> Iterator[str]:
    """Yield an export, and say so in its last line when it is not all: the status was sent long before."""
    try:
        yield from texts
    except DatabaseError as error:
        logs.log.error("an export of the audit table broke off", exc_info=error)
        yield audit_log.broken_off(form)


def _asked() -> dict[str, str]:
    """Return what the address asks for."""
    given = {name: request.args.get(name, "").strip() for name in FILTERS}
    return {name: text for name, text in given.items() if text}


def _lists(asked: dict[str, str]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Return the lists to choose from: the filter, what it is called when left open, what it offers."""
    offered = (("event", "Everything", KINDS), ("outcome", "Any outcome", OUTCOMES), ("road", "Any road", ROADS))
    return [(name, open_, choices(known, asked.get(name, ""))) for name, open_, known in offered]
