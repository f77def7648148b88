"""The audit table, read: what is asked for, a page at a time, the newest first, and all of it for an export."""

import csv
import io
import ipaddress
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from authapp import audit, names, paging, permissions, users
from authapp.audit import Actor
from authapp.database import Database
from authapp.errors import BadQuery
from authapp.models import AuditEntry
from authapp.paging import CURSOR, DAMAGED, PAGE

BATCH = 1000  # rows an export holds at once
BROKEN_OFF = "This is not all: the database could not be read further. Export it again."
COLUMNS = (
    "id", "at", "event", "outcome", "road", "actor_id", "actor", "address", "target_id", "target", "detail",
)  # fmt: skip
# A spreadsheet takes a cell that begins so for a formula, or skips the sign and looks at the next; the last four
# are the first four as East Asian keyboards write them. https://owasp.org/www-community/attacks/CSV_Injection
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
# Where a spreadsheet takes one of these for the end of a cell, what follows is the beginning of another one.
ENDS_A_CELL = re.compile(r"""([;\t\r\n]"*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20])""")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries. `user_id`: who did it, or to whom it was done; `since` is included, `until` is not."""

    user_id: str = ""
    event: str = ""
    outcome: str = ""
    address: str = ""
    road: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def as_asked(self) -> dict[str, str]:
        """Return what is asked for as texts, without what is left open."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        moments = {name: value.isoformat() for name, value in values.items() if isinstance(value, datetime)}
        return {name: value for name, value in {**values, **moments}.items() if value}


@dataclass(frozen=True, slots=True)
class Page:
    """Some entries, and the cursors to the pages after and before them, if there are such."""

    entries: tuple[AuditEntry, ...]
    next_cursor: str | None
    previous_cursor: str | None

    @property
    def people(self) -> set[str]:
        """The ids of everybody they are about."""
        return {one for entry in self.entries for one in (entry.actor_id, entry.target_id) if one}


@dataclass(frozen=True, slots=True)
class _Cursor:
    """The entry to go on from; `back`: to the newer ones."""

    entry_id: int
    back: bool = False


# -- what is asked --------------------------------------------------------------------------------------------


def wanted(
    db: Session,
    *,
    user: str = "",
    event: str = "",
    outcome: str = "",
    address: str = "",
    road: str = "",
    since: str = "",
    until: str = "",
) -> Wanted:
    """Return which entries are meant by texts; `user` is an id or a user name. Raises BadQuery."""
    texts = {"user": user, "event": event, "outcome": outcome, "address": address, "road": road}
    for field, text in texts.items():
        if not names.is_storable(text):
            raise BadQuery(f"What {field} says {names.UNSTORABLE}.", field)
    return Wanted(
        _user_id(db, user.strip()), event, outcome, _address(address.strip()), road,
        moment_of(since, "since"), moment_of(until, "until"),
    )  # fmt: skip


def moment_of(text: str, field: str) -> datetime | None:
    """Return the moment in UTC that a text means; None for an empty one. Raises BadQuery.

    A day alone is its beginning for `since`, and its end for `until`.
    """
    text = text.strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text.upper())
        if _is_day(text) and field == "until":
            moment = datetime.combine(moment, time()) + timedelta(days=1)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        told = f"What {field} says is no day and no moment in UTC; write it as 2026-11-01 or 2026-11-01T12:00Z."
        raise BadQuery(told, field) from None


def _is_day(text: str) -> bool:
    return len(text) <= len("2026-11-01")


def _user_id(db: Session, user: str) -> str:
    """Return the id of a user who is named by it or by a user name; an unknown name is nobody's id."""
    found = users.find(db, user) if user and not names.ID.fullmatch(user) else None
    return found.id if found else user


def _address(text: str) -> str:
    """Return an address as the table has it, however it was written."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


# -- a page of it ---------------------------------------------------------------------------------------------


def page(db: Session, asked: Wanted, by: Actor, *, cursor: str = "", limit: int = PAGE) -> Page:
    """Return a page of what happened, the newest first. Raises NotAllowed, BadQuery."""
    permissions.require(db, by, permissions.SEE_AUDIT)
    paging.require_limit(limit, "entries")
    here = _decode(cursor)
    found = _entries(db, asked, here, limit + 1)
    more = len(found) > limit
    found = found[:limit]
    back = here is not None and here.back
    if back:
        found.reverse()
    has_next, has_previous = more or back, here is not None and (more or not back)
    return Page(
        tuple(found),
        paging.pack([found[-1].id]) if found and has_next else None,
        paging.pack([found[0].id, True]) if found and has_previous else None,
    )


def history(db: Session, user_id: str, *, before: int | None = None, limit: int = PAGE) -> list[AuditEntry]:
    """Return what a user did and what was done to them, newest first; `before` is an entry's id to go on from."""
    return _entries(db, Wanted(user_id), _Cursor(before) if before is not None else None, limit)


def _decode(text: str) -> _Cursor | None:
    """Return the entry that a page goes on from. Raises BadQuery."""
    if not text:
        return None
    match paging.unpack(text):
        # A type is asked for by name: true is an int, too.
        case [entry_id] if type(entry_id) is int and 0 < entry_id < sys.maxsize:
            return _Cursor(entry_id)
        case [entry_id, True] if type(entry_id) is int and 0 < entry_id < sys.maxsize:
            return _Cursor(entry_id, back=True)
    raise BadQuery(DAMAGED, CURSOR)


def _entries(db: Session, asked: Wanted, cursor: _Cursor | None, limit: int) -> list[AuditEntry]:
    """Return up to `limit` entries from the cursor on, in the direction it points."""
    order = AuditEntry.id.asc() if cursor and cursor.back else AuditEntry.id.desc()
    conditions = _conditions(asked, cursor)

    def nearest(*more: ColumnElement[bool]) -> Sequence[AuditEntry]:
        return db.scalars(select(AuditEntry).where(*conditions, *more).order_by(order).limit(limit)).all()

    if not asked.user_id:
        return list(nearest())
    # One index each; a single query for both would read the whole table.
    both = (AuditEntry.target_id, AuditEntry.actor_id)
    found = {entry.id: entry for column in both for entry in nearest(column == asked.user_id)}
    return [found[number] for number in sorted(found, reverse=not (cursor and cursor.back))[:limit]]


def _conditions(asked: Wanted, cursor: _Cursor | None) -> list[ColumnElement[bool]]:
    same = ("event", "outcome", "address", "road")
    found = [getattr(AuditEntry, name) == getattr(asked, name) for name in same if getattr(asked, name)]
    if asked.since is not None:
        found.append(AuditEntry.at >= asked.since)
    if asked.until is not None:
        found.append(AuditEntry.at < asked.until)
    if cursor is not None:
        found.append(AuditEntry.id > cursor.entry_id if cursor.back else AuditEntry.id < cursor.entry_id)
    return found


def facts(entry: AuditEntry) -> dict[str, Any]:
    """Return what programs are told of an entry."""
    known = {name: getattr(entry, name) for name in COLUMNS}
    return {**known, "at": entry.at.isoformat(), "detail": entry.detail or {}}


# -- all of it ------------------------------------------------------------------------------------------------


def export(database: Database, asked: Wanted, form: str, by: Actor) -> Iterator[str]:
    """Write down that somebody exports, and return the text to send, a batch at a time.

    What is added meanwhile is left out, and each batch is a transaction of its own: no reader waits, and nothing
    holds a database open for as long as a slow client takes. Raises NotAllowed, BadQuery.
    """
    if form not in WRITERS:
        raise BadQuery(f"An export is one of {', '.join(WRITERS)}.", "format")
    with database.writing() as db:
        permissions.require(db, by, permissions.SEE_AUDIT)
        audit.record(db, audit.EXPORTED, by, format=form, filters=asked.as_asked())
    return _texts(database, asked, form)


def _texts(database: Database, asked: Wanted, form: str) -> Iterator[str]:
    if form == "csv":
        yield _csv_lines([COLUMNS])
    for batch in _batches(database, asked):
        yield WRITERS[form](batch)


def broken_off(form: str) -> str:
    """Return the last line of an export whose rest could not be read; its beginning is with whoever asked."""
    return _csv_lines([(BROKEN_OFF,)]) if form == "csv" else json.dumps({"error": BROKEN_OFF}) + "\n"


def _batches(database: Database, asked: Wanted) -> Iterator[list[AuditEntry]]:
    cursor: _Cursor | None = None
    while True:
        with database.reading() as db:
            batch = _entries(db, asked, cursor, BATCH)
        if batch:
            yield batch
        if len(batch) < BATCH:
            return
        cursor = _Cursor(batch[-1].id)


def _csv(batch: Sequence[AuditEntry]) -> str:
    return _csv_lines([tuple(_cell(value) for value in facts(entry).values()) for entry in batch])


def _csv_lines(rows: Sequence[Sequence[str]]) -> str:
    """Return rows as RFC 4180 has them."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def _cell(value: object) -> str:
    """Return a value as a cell that no spreadsheet takes for a formula."""
    text = json.dumps(value) if isinstance(value, dict) else "" if value is None else str(value)
    text = ENDS_A_CELL.sub(r"\1'", text)
    return f"'{text}" if text.startswith(FORMULA) else text


def _json_lines(batch: Sequence[AuditEntry]) -> str:
    """Return one object a line, in ASCII: some programs take other signs of Unicode for the end of a line, too."""
    return "".join(json.dumps(facts(entry)) + "\n" for entry in batch)


WRITERS: dict[str, Callable[[Sequence[AuditEntry]], str]] = {"csv": _csv, "jsonl": _json_lines}
