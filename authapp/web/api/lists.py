"""Pages of what is listed the newest first."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flask import jsonify
from werkzeug.wrappers import Response

from authapp import paging
from authapp.models import SignedIn, Token

Row = TypeVar("Row", bound=SignedIn | Token)


def page_of(rows: Sequence[Row], limit: int, facts: Callable[[Row], dict[str, Any]]) -> Response:
    """Answer a page; `rows` holds one row more than that, if there is one."""
    next_cursor = paging.encode(rows[limit - 1]) if len(rows) > limit else None
    return jsonify(items=[facts(row) for row in rows[:limit]], next_cursor=next_cursor)
