"""Lists by pages: what an address says about where to go on, and what it cannot say."""

import base64
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authapp import issued_tokens, paging
from authapp.config.sections import SessionOptions
from authapp.errors import BadQuery
from authapp.models import SignedIn, Token
from authapp.paging import Cursor
from tests.world import BOB, SHELL, World

PROPERTY = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MOMENT = datetime(2030, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
ISO = "2030-01-01T12:00:00.123456+00:00"
ID = "22222222-2222-4222-8222-222222222222"


def packed(value: Any) -> str:
    """Return any value as a cursor holds it, written down once more."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def decoded(text: str) -> Cursor | str | None:
    """Return the row that a cursor goes on after, or that it was refused."""
    try:
        return paging.decode(text)
    except BadQuery:
        return "refused"


@pytest.mark.parametrize("table", [Token, SignedIn])
def test_there_and_back(table: type[Token | SignedIn]) -> None:
    """What a page says about its last row is what the next page begins after, to the microsecond."""
    text = paging.encode(table(id=ID, created_at=MOMENT))
    assert text == packed([ISO, ID])
    assert paging.decode(text) == (MOMENT, ID)


@given(st.datetimes(timezones=st.just(UTC)), st.text(max_size=36))
@PROPERTY
def test_a_cursor_fits_in_an_address(moment: datetime, row_id: str) -> None:
    """A cursor needs no quoting, whatever row it is of."""
    assert re.fullmatch(r"[A-Za-z0-9_-]+", paging.encode(Token(id=row_id, created_at=moment)))


def test_the_first_page() -> None:
    """Without a cursor a list begins with its first row."""
    assert paging.decode("") is None


DAMAGED = {
    "a sign": "x",
    "no base64": "!!!!",
    "not ASCII": "é",
    "NUL": "\0",
    "no JSON": "AAAA",
    "cut": packed([ISO, ID])[:-8],
    "no UTF-8": base64.urlsafe_b64encode(b'["\xff"]').decode(),
    "nested": base64.urlsafe_b64encode(b"[" * 100_000).decode(),
    "a large number": base64.urlsafe_b64encode(b"[" + b"9" * 10_000 + b"]").decode(),
    **{f"{value!r}": packed(value) for value in ({}, None, 1, "x", True, {"0": ISO, "1": ID})},
    **{
        f"{values!r}": packed(values)
        for values in (
            [],
            [ISO],
            [ISO, ID, ID],
            [ID, ISO],
            [1, ID],
            [None, ID],
            [ISO, 1],
            [ISO, None],
            [ISO, [ID]],
            [[ISO], ID],
            ["", ID],
            ["yesterday", ID],
            ["2030-13-01T00:00:00+00:00", ID],
            ["2030-01-01T12:00:00", ID],
            ["2030-01-01", ID],
            [ISO, "\0"],
            [ISO, "\udc80"],
        )
    },
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_cursors(name: str) -> None:
    """A cursor that is damaged, or from another list, is refused with what to do about it."""
    with pytest.raises(BadQuery, match="first page"):
        paging.decode(DAMAGED[name])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(ISO),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.text() | JSON.map(packed))
@PROPERTY
def test_any_cursor(text: str) -> None:
    """Whatever stands in an address is a row to go on after, the first page, or refused; never an error."""
    found = decoded(text)
    assert found in (None, "refused") or isinstance(found, tuple)


FORGED = st.tuples(
    st.datetimes(timezones=st.timezones() | st.just(UTC)).map(datetime.isoformat)
    | st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2030-01-01T12:00+00:00:30.5"]),
    st.text(),
)


@given(FORGED)
@PROPERTY
def test_a_forged_cursor(cast: World, content: tuple[str, str]) -> None:
    """A cursor that somebody made up is refused, or leads to a page as good as any, of rows they may see anyway."""
    after = decoded(packed(content))
    assert isinstance(after, tuple) or after == "refused"
    if isinstance(after, tuple):
        with cast.database.reading() as db:
            assert list(issued_tokens.of_user(db, SessionOptions(), cast.user(BOB).id, after=after, limit=1)) == []


@pytest.mark.parametrize(
    "moment", ["2030-01-01T12:00:00+00:00", "2030-01-01T13:00:00+01:00", "2029-12-31T22:00:00-14:00"]
)
def test_a_moment_in_another_time_zone(cast: World, moment: str) -> None:
    """A cursor means a moment, in whichever time zone somebody writes it."""
    before, after = (
        issued_tokens.create(cast.database, cast.user(BOB).id, name, SHELL).row for name in ("before", "after")
    )
    noon = datetime(2030, 1, 1, 12, tzinfo=UTC)
    with cast.database.writing() as db:
        db.get_one(Token, before.id).created_at = noon.replace(hour=11, minute=30)
        db.get_one(Token, after.id).created_at = noon.replace(hour=12, minute=30)
    with cast.database.reading() as db:
        cursor = paging.decode(packed([moment, ID]))
        listed = issued_tokens.of_user(db, SessionOptions(), cast.user(BOB).id, after=cursor)
    assert [row.name for row in listed] == ["before"]


@pytest.mark.parametrize(("limit", "good"), [(-1, False), (0, False), (1, True), (500, True), (501, False)])
def test_how_long_a_page_may_be(limit: int, good: bool) -> None:
    """A page has 1 to 500 rows, and whoever asks for another one is told so."""
    if good:
        paging.require_limit(limit, "tokens")
    else:
        with pytest.raises(BadQuery, match="1 to 500 tokens"):
            paging.require_limit(limit, "tokens")
