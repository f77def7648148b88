"""Lists that go on after a row instead of after a number of rows: the newest first, a page at a time."""

import base64
import json
from datetime import UTC, datetime
from typing import Any, TypeVarTuple

from sqlalchemy import Select, literal, tuple_

from authapp.errors import BadQuery
from authapp.models import SignedIn, Token
from authapp.names import is_storable

PAGE = 50
LONGEST_PAGE = 500
CURSOR = "cursor"  # what it is called in an address
DAMAGED = "This address is damaged or for another order; begin with the first page."

Cursor = tuple[datetime, str]  # the row a list goes on after: its beginning, its id
Columns = TypeVarTuple("Columns")


def newest_first(
    wanted: Select[*Columns], table: type[SignedIn | Token], after: Cursor | None, limit: int | None
) -> Select[*Columns]:
    """Return a statement with its order, beginning after a row, and for so many rows at most."""
    if after is not None:
        last = tuple_(literal(after[0], table.created_at.type), after[1])
        wanted = wanted.where(tuple_(table.created_at, table.id) < last)
    return wanted.order_by(table.created_at.desc(), table.id.desc()).limit(limit)


def require_limit(limit: int, what: str) -> None:
    """Raise BadQuery for a page that is empty or too long."""
    if not 1 <= limit <= LONGEST_PAGE:
        raise BadQuery(f"A page has 1 to {LONGEST_PAGE} {what}.")


def encode(row: SignedIn | Token) -> str:
    """Return the cursor that goes on after a row."""
    return pack([row.created_at.isoformat(), row.id])


def decode(text: str) -> Cursor | None:
    """Return the row that a cursor goes on after; None for the first page. Raises BadQuery."""
    if not text:
        return None
    try:
        moment, row_id = unpack(text)
        at = moment_of(moment)
    except (ValueError, TypeError):
        raise BadQuery(DAMAGED, CURSOR) from None
    if not isinstance(row_id, str) or not is_storable(row_id):
        raise BadQuery(DAMAGED, CURSOR)
    return at, row_id


def moment_of(text: str) -> datetime:
    """Return the moment that a text in a cursor means; raises ValueError, TypeError."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("no time zone")
    try:
        return at.astimezone(UTC)
    except OverflowError:  # at either end of the calendar
        raise ValueError("no such moment in UTC") from None


def pack(values: list[Any]) -> str:
    """Return values as a text that fits in an address."""
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def unpack(text: str) -> list[Any]:
    """Return the values of a packed text. Raises BadQuery."""
    try:
        values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError, RecursionError):
        raise BadQuery(DAMAGED, CURSOR) from None
    if not isinstance(values, list):
        raise BadQuery(DAMAGED, CURSOR)
    return values
