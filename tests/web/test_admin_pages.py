"""`/admin/sessions`, the names of organization and workspace, and what the API tells of them."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
import time_machine
from werkzeug.test import TestResponse

from authapp import sessions, stored_options
from authapp.audit import Actor
from authapp.models import DEFAULT_ID
from tests.web.pages import (
    FIREFOX,
    HOSTILE,
    SAFARI,
    browser_called,
    cells,
    end_of,
    field_of,
    is_tame,
    link,
    rows_of,
)
from tests.web.test_admin import EVIL_NAMES, UNKNOWN_ID
from tests.web.test_errors import is_problem
from tests.world import ADA, BOB, CHARLIE, DORA, SHELL, Browser, World, csrf_token, elements, signed_in

SESSIONS, SETTINGS = "/admin/sessions", "/admin/settings"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def start_sessions(world: World, username: str, number: int) -> None:
    """Sign somebody in from one address after another."""
    user = world.user(username)
    with world.database.writing() as db:
        for last in range(number):
            sessions.start(db, user, Actor("form", user.id, address=f"192.0.2.{last}"))


# -- sessions -------------------------------------------------------------------------------------------------


def test_everybodys_sessions_are_listed(cast: World) -> None:
    """Every session stands there with its user, the browser in plain words and the address, the newest first."""
    browser_called(cast, FIREFOX, BOB, remember="y")
    browser_called(cast, SAFARI, DORA)
    said = cells(browser_called(cast, "", ADA).get(SESSIONS).text)
    assert [row[:3] for row in said] == [
        [ADA, "Unknown device", "127.0.0.1"],
        [DORA, "Mobile Safari on iOS", "127.0.0.1"],
        [BOB, "Firefox on Linux kept signed in", "127.0.0.1"],
    ]


def test_own_session_is_marked(cast: World) -> None:
    """The session one is using is marked and has no button to end it; another one of one's own has."""
    signed_in(cast)
    mine, other = rows_of(signed_in(cast).get(SESSIONS).text)
    assert "This browser" in mine
    assert not end_of(mine)
    assert "This browser" not in other
    assert end_of(other)


def test_ended_session_is_over_at_the_next_click(cast: World) -> None:
    """Ending a session signs that browser out, no other one, and the page says whose it was."""
    bob, bob_elsewhere, ada = signed_in(cast, BOB), browser_called(cast, FIREFOX), signed_in(cast)
    row = next(row for row in rows_of(ada.get(SESSIONS).text) if "Firefox" in row)
    answer = ada.post(end_of(row), form=SESSIONS)
    assert (answer.status_code, answer.location) == (303, SESSIONS)
    assert "A session of bob has ended." in ada.get(SESSIONS).text
    assert (bob.is_signed_in(), bob_elsewhere.is_signed_in()) == (True, False)


@pytest.mark.parametrize("session_id", [UNKNOWN_ID, "%00", "x" * 300])
def test_session_that_is_over_already(cast: World, session_id: str) -> None:
    """Ending a session that is not there any more is a 404 page that says so."""
    answer = signed_in(cast).post(f"{SESSIONS}/{session_id}/end", form=SESSIONS)
    assert answer.status_code == 404
    assert "There is no such session; it may have ended." in answer.text


@pytest.mark.parametrize("back", HOSTILE)
def test_ending_a_session_leads_nowhere_else(cast: World, back: str) -> None:
    """An address to go back to that is not ours is not followed."""
    signed_in(cast, BOB)
    ada = signed_in(cast)
    answer = ada.post(end_of(rows_of(ada.get(SESSIONS).text)[1]), {"back": back}, form=SESSIONS)
    assert answer.location in ("/", "/account", SESSIONS)


def test_sessions_that_are_over_are_not_listed(cast: World) -> None:
    """A session that was unused too long, or whose user may not sign in any more, is not listed."""
    with time_machine.travel(NOON, tick=False):
        signed_in(cast, BOB)
        browser_called(cast, FIREFOX, DORA, remember="y")
    with time_machine.travel(NOON + timedelta(hours=2), tick=False):
        page = signed_in(cast).get(SESSIONS).text
    assert [ADA in row or DORA in row for row in rows_of(page)] == [True, True]


def test_sessions_come_in_pages(cast: World) -> None:
    """With more than fifty sessions the page leads on; each session stands on one page, and one gets back."""
    start_sessions(cast, BOB, 120)
    ada = signed_in(cast)
    pages = [ada.get(SESSIONS).text]
    while address := link(pages[-1], "Next page"):
        pages.append(ada.get(address).text)
    ended = [end_of(row) for page in pages for row in rows_of(page)]
    assert [len(rows_of(page)) for page in pages] == [50, 50, 21]
    assert len(set(ended)) == 121
    assert [link(page, "First page") for page in pages] == ["", SESSIONS, SESSIONS]


@pytest.mark.parametrize(
    "after", ["rubbish", "a b", "a b c", "2030-01-01 x", "2030-01-01T00:00:00+00:00 \0", "9999-99-99 x", " "]
)
def test_damaged_address_is_refused(cast: World, after: str) -> None:
    """A damaged address of a next page gets a page with 422 that says where to begin."""
    answer = signed_in(cast).get(f"{SESSIONS}?after={quote(after)}")
    assert answer.status_code == 422
    assert "begin with the first page" in answer.text


def test_what_a_browser_calls_itself_is_text(cast: World) -> None:
    """Whatever a browser calls itself is text on the page."""
    browser_called(cast, '"><img src=x onerror=alert(1)>')
    page = signed_in(cast).get(SESSIONS).text
    assert not [field for tag, field in elements(page) if tag == "img" and field.get("src") == "x"]
    assert "Unknown device" in page


# -- names ----------------------------------------------------------------------------------------------------


def save(browser: Browser, organization: str = "Default", workspace: str = "Default") -> TestResponse:
    """Save names on the page of the settings."""
    return browser.post(SETTINGS, {"organization.name": organization, "workspace.name": workspace})


@pytest.mark.parametrize("path", ["/admin", "/admin/"])
def test_admin_leads_to_the_users(cast: World, path: str) -> None:
    """The address people type leads to the list of users, with a slash behind it too."""
    assert signed_in(cast).get(path).location == "/admin/users"


@pytest.mark.parametrize("path", ["/admin/users?cursor=x", "/admin/users?sort=x", "/admin/users/nobody"])
def test_refused_admin_page_leads_to_the_users(cast: World, path: str) -> None:
    """From an admin page that cannot be shown the way on is the list of users."""
    assert 'href="/admin/users"' in signed_in(cast).get(path).text


def test_organization_is_called_so_at_once(cast: World) -> None:
    """The organization's new name stands in the header and title of the very next page, for everybody."""
    ada = signed_in(cast)
    answer = save(ada, "Analytical Engines")
    assert (answer.status_code, answer.location) == (303, f"{SETTINGS}#organization.name")
    pages = [ada.get(SETTINGS).text, signed_in(cast, BOB).get("/").text, cast.browser().get("/login").text]
    assert "Saved: organization.name." in pages[0]
    for page in pages:
        assert "<span>Analytical Engines</span></span>" in page
        assert re.search(r"<title>[^<]+ · Analytical Engines</title>", page)


def test_workspace_is_called_so_at_once(cast: World) -> None:
    """The workspace's new name stands on everybody's account page."""
    save(signed_in(cast), workspace=" Mills and Stores ")
    assert '<dd class="name">Mills and Stores</dd>' in signed_in(cast, BOB).get("/account").text


def test_names_survive_a_restart(cast: World) -> None:
    """A name that was set holds after a restart."""
    save(signed_in(cast), "Analytical Engines", "Mills")
    cast.restart()
    page = signed_in(cast).get(SETTINGS).text
    assert field_of(page, "organization.name")["value"] == "Analytical Engines"
    assert field_of(page, "workspace.name")["value"] == "Mills"


def test_what_another_process_saved_is_shown_at_once(cast: World) -> None:
    """The page of the settings shows what is in force this moment, whichever process saved it."""
    ada = signed_in(cast)
    ada.get("/")  # this process has just looked
    stored_options.store(cast.connect(), cast.app.live, {"organization.name": "Acme"}, SHELL)
    page = ada.get(SETTINGS).text
    assert field_of(page, "organization.name")["value"] == "Acme"
    assert "Settings · Acme" in page


@pytest.mark.parametrize("name", ["organization", "workspace"])
@pytest.mark.parametrize("value", ["", "   ", "x" * 101, "a\0b", "a\x1b[2Jb", "a\u202eb", "a\u200bb"])
def test_bad_name_is_refused(cast: World, name: str, value: str) -> None:
    """A name that is empty, too long, no text or partly invisible is refused at its field, and nothing is saved."""
    answer = save(signed_in(cast), **{"organization": "Good", "workspace": "Good", name: value})
    assert answer.status_code == 422
    assert f'id="{name}.name-error"' in answer.text
    assert (cast.setting("organization.name"), cast.setting("workspace.name")) == (None, None)


@pytest.mark.parametrize("name", ["Heart ❤️", "👩‍💻 & Sons", "Łódź", "نادي"])
def test_names_of_every_language(cast: World, name: str) -> None:
    """An organization may be called what people type, emoji among it."""
    save(signed_in(cast), name)
    assert cast.setting("organization.name") == name


@pytest.mark.parametrize("path", ["/api/v1/organization", "/api/v1/workspaces"])
def test_api_asks_a_cookie_for_proof(cast: World, path: str) -> None:
    """With a session cookie a change needs the CSRF header or proof that a page of ours sends it, and says so."""
    ada = signed_in(cast)
    token = csrf_token(ada.get("/account").text)
    proofs = [{"X-CSRFToken": token}, {"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}]
    reasons = [ada.client.post(path, json={}, headers=proof).get_json()["detail"] for proof in proofs]
    assert ["exactly one" in reason for reason in reasons] == [True, True, True]
    refused = ada.client.post(path, json={})
    assert (refused.status_code, "X-CSRFToken" in refused.get_json()["detail"]) == (403, True)
    assert ada.client.post(path, json={}, headers={"Origin": "https://evil.example"}).status_code == 403


@pytest.mark.parametrize("path", ["/api/v1/organization", "/api/v1/workspaces"])
def test_api_asks_strangers_to_sign_in(cast: World, path: str) -> None:
    """Whoever is not signed in gets 401, whatever they send."""
    assert cast.browser().client.post(path, json={"name": "x"}).status_code == 401


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_organizations_name_is_text(cast: World, name: str) -> None:
    """The organization's name is text on every page, whatever it looks like."""
    ada = signed_in(cast)
    save(ada, name, name)
    assert field_of(ada.get(SETTINGS).text, "organization.name")["value"] == name
    pages = [ada.get(path).text for path in (SETTINGS, "/account", "/", "/nowhere")]
    assert all(map(is_tame, pages))


# -- what the API tells ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [ADA, BOB])
def test_api_describes_the_organization(cast: World, name: str) -> None:
    """Everybody who is signed in is told the one organization and its one workspace, by the names in force."""
    save(signed_in(cast), "Analytical Engines", "Mills")
    browser = signed_in(cast, name)
    assert browser.get("/api/v1/organization").json == {"id": DEFAULT_ID, "name": "Analytical Engines"}
    workspace = {"id": DEFAULT_ID, "name": "Mills", "organization_id": DEFAULT_ID}
    assert browser.get("/api/v1/workspaces").json == {"items": [workspace]}


@pytest.mark.parametrize("name", [ADA, DORA, BOB])
@pytest.mark.parametrize(("path", "what"), [("organization", "organization"), ("workspaces", "workspace")])
def test_api_makes_no_second_one(cast: World, name: str, path: str, what: str) -> None:
    """Whoever wants to create another organization or workspace is refused with the reason and a way out."""
    proof = {"Sec-Fetch-Site": "same-origin"}
    answer = signed_in(cast, name).client.post(f"/api/v1/{path}", headers=proof)
    assert is_problem(answer, 403)
    assert f"There is exactly one {what}" in answer.text
    assert "Run a second installation" in answer.text


@pytest.mark.parametrize("path", ["/api/v1/organization", "/api/v1/workspaces"])
@pytest.mark.parametrize("name", [None, CHARLIE])
def test_api_tells_strangers_nothing(cast: World, path: str, name: str | None) -> None:
    """Whoever is not signed in gets a problem with 401, whether they ask or send."""
    browser = cast.browser()
    if name:
        browser.sign_in(name)
    answers = [browser.get(path), browser.post(path, form="/login")]
    assert [is_problem(answer, 401) for answer in answers] == [True, True]
    assert "Default" not in answers[0].text
