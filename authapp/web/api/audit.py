"""What happened."""

import sys

from flask import jsonify
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from authapp import audit, names, paging, users
from authapp.errors import BadQuery
from authapp.web.api.blueprint import route
from authapp.web.api.models.settings import AuditAsked, AuditPage
from authapp.web.state import database


@route("get", "/audit", "superuser", "audit", {200: AuditPage})
def all_entries(query: AuditAsked) -> Response:
    """List what happened, the newest first."""
    before = _before(query.cursor)
    with database().reading() as db:
        user_id = _user_id(db, query.user)
        found = audit.entries(
            db, user_id=user_id, event=query.event, outcome=query.outcome, before=before, limit=query.limit + 1
        )
    next_cursor = paging.pack([found[query.limit - 1].id]) if len(found) > query.limit else None
    return jsonify(items=[audit.facts(entry) for entry in found[: query.limit]], next_cursor=next_cursor)


def _user_id(db: Session, user: str) -> str:
    """Return the id of a user who is named by it or by a user name; an unknown name is nobody's id."""
    found = users.find(db, user) if user and not names.ID.fullmatch(user) else None
    return found.id if found else user


def _before(cursor: str) -> int | None:
    """Return the entry that a page goes on after. Raises BadQuery."""
    if not cursor:
        return None
    values = paging.unpack(cursor)
    if [type(value) for value in values] != [int] or not 0 < values[0] < sys.maxsize:  # true is an int, too
        raise BadQuery(paging.DAMAGED, paging.CURSOR)
    return int(values[0])
