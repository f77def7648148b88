"""`/admin/audit`: what happened, on a page and as a file."""

import csv
import io
import json

import pytest

from authapp import audit, users
from authapp.audit import Actor
from authapp.audit_log import BATCH, broken_off
from authapp.paging import PAGE
from tests.faults import FAULTS, broken
from tests.web.pages import RESULT, cells, is_tame, link, rows_of
from tests.web.program import by_basic, fields
from tests.world import ADA, BOB, DORA, PASSWORD, SHELL, Browser, World, elements, signed_in

AUDIT = "/admin/audit"
NOWHERE = "\N{EN DASH}"  # for an address that is not known


def note(world: World, number: int, event: str = "noted", by: Actor = SHELL) -> None:
    """Write so many entries down."""
    with world.database.writing() as db:
        for _ in range(number):
            audit.record(db, event, by)


def owner(world: World) -> Browser:
    """Return Ada's browser."""
    return signed_in(world, ADA)


# -- the page -------------------------------------------------------------------------------------------------


def test_what_a_row_says(cast: World) -> None:
    """A row says when, what in plain words and to whom, who did it, from where, by which road, and how it ended."""
    users.set_active(cast.database, cast.user(BOB).id, Actor("form", cast.user(DORA).id, DORA), active=False)
    cast.browser().sign_in(BOB, "wrong")
    failed, deactivated = cells(owner(cast).get(AUDIT).text)[1:3]
    assert failed[1:] == [f"Refused: wrong password {BOB}", "a visitor", "127.0.0.1", "Page", "Wrong password"]
    assert deactivated[1:] == [f"Deactivated {BOB}", DORA, NOWHERE, "Page", "Success"]


@pytest.mark.parametrize(
    ("event", "counted", "words"),
    [
        ("sign-in.locked", "tries", "Locked: too many wrong passwords"),
        ("sign-in.locked", "network", "Locked everybody new in the network: too many wrong passwords"),
        ("sign-in.refused", 3, "Refused within a minute: too many tries (3)"),
    ],
)
def test_who_and_how_many(cast: World, event: str, counted: str | int, words: str) -> None:
    """A row says whether one name or a whole network was locked, and how often somebody was refused."""
    with cast.database.writing() as db:
        audit.record(db, event, Actor("authapp"), outcome="locked", count=counted)
    assert cells(owner(cast).get(AUDIT).text)[1][1] == words


def test_names_nobody_bears(cast: World) -> None:
    """A name nobody bears is not shown, nor what it is written down as."""
    cast.browser().sign_in("hunter2", "wrong")
    page = owner(cast).get(AUDIT).text
    assert cells(page)[1][1:3] == ["Refused: wrong password a name nobody has", "a visitor"]
    assert "hunter2" not in page


def test_links_to_users(cast: World) -> None:
    """Users who are there still lead to their page; those who are gone are names."""
    users.delete_all(cast.database, [cast.user(BOB).id], SHELL)
    page = owner(cast).get(AUDIT).text
    assert f'<a class="name" href="/admin/users/{cast.user(ADA).id}">{ADA}</a>' in page
    assert [BOB in row and "/admin/users/" in row for row in rows_of(page) if BOB in row] == [False, False]


def test_filters_are_kept(cast: World) -> None:
    """What was asked for stands in the form, and in the links to exports and pages."""
    note(cast, PAGE + 1)
    page = owner(cast).get(f"{AUDIT}?event=noted&road=command+line&since=2020-01-01&user=").text
    chosen = [field["value"] for _, field in elements(page, "option") if "selected" in field]
    assert chosen == ["noted", "command line"]
    assert "event=noted&road=command+line&since=2020-01-01" in link(page, "Next page").replace("%20", "+")
    exports = [field["href"] for _, field in elements(page, "a") if "/export" in field.get("href", "")]
    assert [("event=noted" in each, "since=2020-01-01" in each) for each in exports] == [(True, True)] * 2


def test_pages(cast: World) -> None:
    """From page to page and back, everything is there once."""
    browser = owner(cast)
    note(cast, 2 * PAGE)
    first = browser.get(f"{AUDIT}?event=noted").text
    second = browser.get(link(first, "Next page")).text
    assert (len(rows_of(first)), len(rows_of(second))) == (PAGE, PAGE)
    assert link(second, "Next page") == ""
    assert rows_of(browser.get(link(second, "Previous page")).text) == rows_of(first)
    assert rows_of(browser.get(link(second, "First page")).text) == rows_of(first)


def test_nothing_found(cast: World) -> None:
    """Where nothing is found the page says so, and offers no export."""
    page = owner(cast).get(f"{AUDIT}?user=nobody").text
    assert "Nothing found." in page
    assert f"{AUDIT}/export" not in page
    assert link(page, "Show all") == AUDIT


@pytest.mark.parametrize("query", ["since=soon", "cursor=x", "event=a%00b"])
def test_questions_that_mean_nothing(cast: World, query: str) -> None:
    """An address that means nothing is refused on a page, and as an export."""
    browser = owner(cast)
    assert browser.get(f"{AUDIT}?{query}").status_code == 422
    expected = 200 if query.startswith("cursor") else 422  # an export has no pages
    assert browser.get(f"{AUDIT}/export?{query}").status_code == expected


def test_hostile_texts_are_texts(cast: World) -> None:
    """Nothing in an entry or an address becomes part of the page's markup."""
    evil = "<b>{{ 7*191 }}</b>\"'><img src=x onerror=alert(1)>"
    note(cast, 1, evil[:64], Actor(evil[:32], name=evil, address=evil))
    page = owner(cast).get(AUDIT, query_string={"since": "2020-01-01", "outcome": "success", "road": ""}).text
    assert "&lt;b&gt;" in page
    assert is_tame(page)
    assert not RESULT.search(owner(cast).get(AUDIT, query_string={"user": evil, "event": evil}).text)


def test_audit_in_mode_none(world: World) -> None:
    """In mode none the page and the exports open, without links to users."""
    world.write_mode("none")
    page = world.browser().get(AUDIT)
    assert page.status_code == 200
    assert "/admin/users" not in page.text
    assert world.browser().get(f"{AUDIT}/export").status_code == 200


# -- exports --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("form", "kind"), [("csv", "text/csv"), ("jsonl", "application/x-ndjson")])
def test_exports_are_files(cast: World, form: str, kind: str) -> None:
    """An export is a file to be saved, which nothing on the way keeps."""
    answer = owner(cast).get(f"{AUDIT}/export?format={form}")
    assert (answer.status_code, answer.mimetype) == (200, kind)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=audit-")
    assert answer.headers["Content-Disposition"].endswith(f".{form}")


def test_exports_keep_the_filters(cast: World) -> None:
    """An export has what the page with the same filters shows, and is an entry itself."""
    cast.browser().sign_in(BOB, "wrong")
    browser = owner(cast)
    text = browser.get(f"{AUDIT}/export?format=csv&outcome=wrong").text
    assert [row["target"] for row in csv.DictReader(io.StringIO(text, newline=""))] == [BOB]
    (entry,) = cast.audit("audit.exported")
    assert (entry.actor, entry.detail["filters"]) == (ADA, {"outcome": "wrong"})


def test_exports_by_programs(cast: World) -> None:
    """A program fetches the file with HTTP Basic, as every page."""
    answer = cast.browser().get(f"{AUDIT}/export?format=jsonl", auth=(ADA, PASSWORD))
    assert json.loads(answer.text.splitlines()[-1])["event"]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_an_export_that_breaks_off(cast: World, form: str) -> None:
    """An export whose database fails on the way says in its last line that it is not all."""
    note(cast, BATCH)
    answer = owner(cast).get(f"{AUDIT}/export?format={form}", buffered=False)
    texts = answer.iter_encoded()
    told = b"".join(next(texts) for _ in range(2 if form == "csv" else 1))  # a heading, a batch
    with broken(cast.app.database, FAULTS["disk error"]):
        told += b"".join(texts)
    assert told.decode().splitlines()[-1] == broken_off(form).strip()


# -- the API --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "status"),
    [("since=2020-01-01&until=2099-12-31T23:59:59Z", 200), ("since=soon", 422), ("until=12", 422)],
)
def test_moments_by_the_api(cast: World, query: str, status: int) -> None:
    """The API takes days and moments, and refuses what is neither, by its name."""
    answer = by_basic(cast).get(f"/audit?{query}")
    assert answer.status_code == status
    assert status == 200 or fields(answer) == [query.partition("=")[0]]


@pytest.mark.parametrize(
    ("query", "found"),
    [("address=127.0.0.1&road=form", ["sign-in"]), ("address=192.0.2.1", []), ("road=setup", [])],
)
def test_addresses_and_roads_by_the_api(cast: World, query: str, found: list[str]) -> None:
    """Address and road narrow the list."""
    signed_in(cast, BOB)
    answer = by_basic(cast).get(f"/audit?{query}").json or {}
    assert [one["event"] for one in answer["items"]] == found
