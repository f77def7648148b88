"""What happened."""

from flask import jsonify
from werkzeug.wrappers import Response

from authapp import audit_log
from authapp.web.api.blueprint import route
from authapp.web.api.models.settings import AuditAsked, AuditPage
from authapp.web.identity import who
from authapp.web.state import database, visitor


@route("get", "/audit", "superuser", "audit", {200: AuditPage})
def all_entries(query: AuditAsked) -> Response:
    """List what happened, the newest first."""
    asked = query.model_dump(exclude={"limit", "cursor"})
    with database().reading() as db:
        wanted = audit_log.wanted(db, **asked)
        page = audit_log.page(db, wanted, visitor("api", who()), cursor=query.cursor, limit=query.limit)
    return jsonify(items=[audit_log.facts(entry) for entry in page.entries], next_cursor=page.next_cursor)
