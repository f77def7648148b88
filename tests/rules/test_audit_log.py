"""The audit table, read: filters, pages, exports."""

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from sqlalchemy import delete

from authapp import audit, audit_log, users
from authapp.audit import Actor
from authapp.audit_log import Page
from authapp.errors import BadQuery, NotAllowed
from authapp.models import AuditEntry
from tests.world import BOB, SHELL, World

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\ta", "\ra", "\na", "\uff1d1"]


@pytest.fixture
def written(cast: World) -> World:
    """An audit table with nothing but ten entries, one for each hour from midnight on."""
    with cast.database.writing() as db:
        db.execute(delete(AuditEntry))
    for hour in range(10):
        note(cast, f"event-{hour}", hour)
    return cast


def note(world: World, event: str, hour: int, **actor: str) -> None:
    """Write an entry down at an hour of the first of January 2030."""
    by = Actor(**{"road": "form", "address": "192.0.2.7", **actor})
    with time_machine.travel(datetime(2030, 1, 1, hour, tzinfo=UTC), tick=False), world.database.writing() as db:
        audit.record(db, event, by, outcome="wrong" if hour % 2 else "success")


def page(world: World, *, cursor: str = "", limit: int = 50, **asked: str) -> Page:
    """Return a page of what is asked for."""
    with world.database.reading() as db:
        return audit_log.page(db, audit_log.wanted(db, **asked), SHELL, cursor=cursor, limit=limit)


def hours(world: World, **asked: Any) -> list[int]:
    """Return the hours of the entries that are asked for."""
    return [entry.at.hour for entry in page(world, **asked).entries]


def exported(world: World, form: str, **asked: str) -> str:
    """Return an export."""
    with world.database.reading() as db:
        wanted = audit_log.wanted(db, **asked)
    return "".join(audit_log.export(world.database, wanted, form, SHELL))


def rows(text: str) -> list[dict[str, str]]:
    """Return the rows of a CSV export."""
    return list(csv.DictReader(io.StringIO(text, newline="")))


# -- filters --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ({"event": "event-3"}, [3]),
        ({"outcome": "wrong"}, [9, 7, 5, 3, 1]),
        ({"since": "2030-01-01T07:00Z"}, [9, 8, 7]),
        ({"until": "2030-01-01T02:00"}, [1, 0]),
        ({"since": "2030-01-01T04:00+01:00", "until": "2030-01-01T05:00Z", "outcome": "wrong"}, [3]),
        ({"since": "2030-01-01", "until": "2030-01-01"}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ({"until": "2029-12-31"}, []),
        ({"road": "api"}, []),
    ],
)
def test_filters(written: World, asked: dict[str, str], found: list[int]) -> None:
    """Each filter narrows the list; `since` is included, `until` is not, and a day is whole, in UTC."""
    assert hours(written, **asked) == found


@pytest.mark.parametrize("address", ["2001:db8::7", "2001:DB8:0:0:0:0:0:7", " 2001:db8::7 "])
def test_addresses_however_they_are_written(written: World, address: str) -> None:
    """An address is found in whatever way it is written."""
    note(written, "from afar", 11, address="2001:db8::7")
    assert hours(written, address=address) == [11]


def test_roads(written: World) -> None:
    """A road leaves only what came by it."""
    note(written, "adopted", 12, road="config file")
    assert hours(written, road="config file") == [12]


@pytest.mark.parametrize("since", ["yesterday", "2030-13-01", "2030-01-01T25:00", "0001-01-01T00:00+14:00", "12"])
def test_moments_that_are_none(written: World, since: str) -> None:
    """What is no day and no moment is refused, and the refusal says where it stands."""
    with pytest.raises(BadQuery, match="since says is no day and no moment") as refused:
        hours(written, since=since)
    assert refused.value.field == "since"


@pytest.mark.parametrize("field", ["user", "event", "outcome", "address", "road"])
def test_texts_that_no_database_takes(written: World, field: str) -> None:
    """A text that cannot be stored is refused, and not looked for."""
    with pytest.raises(BadQuery, match="contains a character that no text should"):
        hours(written, **{field: "a\0b"})


def test_somebody_who_is_gone(cast: World) -> None:
    """What a deleted user did is still found by their id."""
    bob = cast.user(BOB)
    users.delete_all(cast.database, [bob.id], SHELL)
    assert [entry.event for entry in page(cast, user=bob.id).entries] == ["user.deleted", "user.created"]


# -- pages ----------------------------------------------------------------------------------------------------


def walk(world: World, way: str, cursor: str, **asked: Any) -> Iterator[list[int]]:
    """Yield the hours of page after page, in one direction."""
    while cursor:
        here = page(world, cursor=cursor, limit=3, **asked)
        yield [entry.at.hour for entry in here.entries]
        cursor = getattr(here, way) or ""


@pytest.mark.parametrize("asked", [{}, {"user": "11111111-1111-4111-8111-111111111111"}])
def test_pages_there_and_back(written: World, asked: dict[str, str]) -> None:
    """From the first page one comes to the last and back, with every entry once each way."""
    for hour in range(10, 20):
        note(written, "mine", hour, user_id="11111111-1111-4111-8111-111111111111")
    first = page(written, limit=3, **asked)
    assert first.previous_cursor is None
    there = list(walk(written, "next_cursor", first.next_cursor or "", **asked))
    assert sum(there, [19, 18, 17]) == hours(written, **asked)
    last = page(written, cursor=first.next_cursor or "", limit=3, **asked)
    back = list(walk(written, "previous_cursor", last.previous_cursor or "", **asked))
    assert back == [[19, 18, 17]]


def test_the_only_page(written: World) -> None:
    """Where everything fits on a page, there is no other."""
    only = page(written)
    assert (only.next_cursor, only.previous_cursor) == (None, None)


def test_plain_users_are_refused(cast: World) -> None:
    """Who is no superuser may neither read nor export, and the refused export is not written down."""
    by = Actor("form", cast.user(BOB).id, BOB)
    with cast.database.reading() as db, pytest.raises(NotAllowed):
        audit_log.page(db, audit_log.Wanted(), by)
    with pytest.raises(NotAllowed):
        audit_log.export(cast.database, audit_log.Wanted(), "csv", by)
    assert cast.audit(audit.EXPORTED) == []


# -- exports --------------------------------------------------------------------------------------------------


def test_an_export_is_written_down(written: World) -> None:
    """Who exported what, and how, is an entry itself."""
    exported(written, "jsonl", outcome="wrong", since="2030-01-01")
    (entry,) = written.audit(audit.EXPORTED)
    filters = {"outcome": "wrong", "since": "2030-01-01T00:00:00+00:00"}
    assert (entry.road, entry.detail) == ("command line", {"format": "jsonl", "filters": filters})


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_exports_have_everything_once(written: World, monkeypatch: pytest.MonkeyPatch, form: str) -> None:
    """An export of many batches has each entry once, the newest first, and what the filters leave."""
    monkeypatch.setattr(audit_log, "BATCH", 2)
    text = exported(written, form, outcome="wrong")
    found = rows(text) if form == "csv" else [json.loads(line) for line in text.splitlines()]
    assert [one["event"] for one in found] == [f"event-{hour}" for hour in (9, 7, 5, 3, 1)]


def test_no_transaction_stays_open(written: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two batches the database is free, and what is added then is left out."""
    monkeypatch.setattr(audit_log, "BATCH", 4)
    sent = audit_log.export(written.database, audit_log.Wanted(event=""), "jsonl", SHELL)
    first = next(sent)
    note(written, "meanwhile", 23)
    assert written.database.engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # of the pool in use
    assert "meanwhile" not in first + "".join(sent)


def test_json_lines_tell_what_the_api_tells(written: World) -> None:
    """A line of JSON has the facts of an entry, and is one line for every program."""
    note(written, "strange \u2028 \x85 ü", 22)
    (line,) = exported(written, "jsonl", event="strange \u2028 \x85 ü").splitlines()
    (entry,) = page(written, event="strange \u2028 \x85 ü").entries
    assert json.loads(line) == audit_log.facts(entry)


def test_csv_is_as_the_standard_has_it(written: World) -> None:
    """Lines end with CR LF; commas, quotes and line breaks stand in quotes (RFC 4180)."""
    note(written, "x", 22, name='a,"b"\nc')
    text = exported(written, "csv", event="x")
    assert text.startswith(",".join(audit_log.COLUMNS) + "\r\n")
    assert ',"a,""b""\nc",' in text
    assert text.endswith("\r\n")


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize(
    "column", ["event", "outcome", "road", "actor_id", "actor", "address", "target_id", "target"]
)
def test_no_cell_is_a_formula(formula: str, column: str) -> None:
    """Whatever somebody managed to get into a column, no spreadsheet takes it for a formula."""
    facts: dict[str, Any] = dict.fromkeys(audit_log.COLUMNS, "") | {column: formula, "at": datetime.now(UTC)}
    (line,) = rows(",".join(audit_log.COLUMNS) + "\r\n" + audit_log.WRITERS["csv"]([AuditEntry(**facts)]))
    assert line[column] == f"'{formula}"


@pytest.mark.parametrize("end", [";", "\t", "\n", ';"', "x;"])
def test_no_cell_becomes_a_formula_elsewhere(end: str) -> None:
    """Where semicolons or tabs separate cells, what follows one is no formula either."""
    assert f"{end}'=1+1" in audit_log._cell(f"x{end}=1+1")


def test_details_are_no_formula(written: World) -> None:
    """What an entry tells besides is one cell of JSON, which begins with a bracket."""
    with written.database.writing() as db:
        audit.record(db, "named", SHELL, name="=1+1")
    (line,) = rows(exported(written, "csv", event="named"))
    assert json.loads(line["detail"]) == {"name": "=1+1"}


def test_unknown_formats(cast: World) -> None:
    """An export in a format that there is not is refused."""
    with pytest.raises(BadQuery, match="csv, jsonl"):
        exported(cast, "xml")
