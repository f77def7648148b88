"""`/admin/users/<id>`: one user, with everything that can be done to them."""

import re
from datetime import UTC, datetime

import pytest
import time_machine
from werkzeug.test import TestResponse

from authapp import invitations
from authapp.invitations import NewUser
from authapp.models import User
from tests.web.pages import (
    FIREFOX,
    LIST,
    SAFARI,
    at,
    browser_called,
    cells,
    end_of,
    field_of,
    is_tame,
    link,
    rows_of,
    section,
)
from tests.web.test_admin import EVIL_NAMES, UNKNOWN_ID
from tests.world import (
    ADA,
    BOB,
    CHARLIE,
    DORA,
    PASSWORD,
    SHELL,
    Browser,
    World,
    elements,
    signed_in,
)

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def badges(page: str) -> list[str]:
    """Return the badges beside the user's name."""
    states = re.search(r'<span class="states">(.*?)</span>\s*</div>', page, re.DOTALL)
    return re.findall(r'class="badge[^"]*">([^<]+)<', states[0]) if states else []


def history(page: str) -> list[list[str]]:
    """Return what happened, by whom and from where."""
    return [row[1:] for row in cells(section(page, "History"))]


def edit(browser: Browser, page: str, username: str, full_name: str = "") -> TestResponse:
    """Send the form for a user's names."""
    return browser.post(page, {"username": username, "full_name": full_name})


def lock(world: World, username: str = BOB) -> None:
    """Type wrong passwords until somebody has to wait."""
    for _ in range(10):
        world.browser().sign_in(username, "Wrong password!")


def invite(world: World, username: str = "eve", *, active: bool = True) -> User:
    """Create a user with an initial password."""
    wanted = [NewUser(username, active=active)]
    return invitations.invite(world.database, world.snapshot.effective, wanted, SHELL)[0].user


# -- what is known --------------------------------------------------------------------------------------------


def test_page_tells_what_is_known(cast: World) -> None:
    """The page tells name, id, creation and last sign-in, and says whether the user is active and a superuser."""
    with time_machine.travel(NOON, tick=False):
        signed_in(cast, DORA)
        page = signed_in(cast).get(at(cast, DORA)).text
    switches = {
        field["aria-label"]: field["aria-checked"] for _, field in elements(page, "button") if "role" in field
    }
    assert f"<code>{cast.user(DORA).id}</code>" in page
    assert "2030-01-01 12:00 UTC" in page
    assert f'<time datetime="{cast.user(DORA).created_at.isoformat()}">' in page
    assert switches == {"Active: dora": "true", "Superuser: dora": "true"}


def test_list_leads_to_the_page(cast: World) -> None:
    """A name in the list leads to the user's page, and the page back to the list."""
    ada = signed_in(cast)
    assert f'<a class="name" href="{at(cast)}">bob</a>' in ada.get(LIST).text
    assert link(ada.get(at(cast)).text, "Users") == LIST


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("settled", []),
        ("never", ["Never signed in"]),
        ("invited", ["Must change password", "Never signed in"]),
        ("locked", ["Locked", "Never signed in"]),
        (DORA, ["Superuser", "Never signed in"]),
        (ADA, ["Owner"]),
    ],
)
def test_badges(cast: World, name: str, wanted: list[str]) -> None:
    """Badges tell a superuser, a locked user, one with an initial password, and one who never signed in."""
    for username in ("settled", "never", "locked"):
        cast.add(username)
    invite(cast, "invited")
    signed_in(cast, "settled")
    lock(cast, "locked")
    ada = signed_in(cast)
    assert badges(ada.get(at(cast, name)).text) == wanted


@pytest.mark.parametrize(("active", "said"), [(True, "works until"), (False, "works once the user is active")])
def test_page_tells_how_long_an_initial_password_works(cast: World, said: str, *, active: bool) -> None:
    """Of an initial password the page tells until when it works, 72 hours from now for an active user."""
    with time_machine.travel(NOON, tick=False):
        invite(cast, "eve", active=active)
        page = signed_in(cast).get(at(cast, "eve")).text
    assert said in page
    assert ("2030-01-04 12:00 UTC" in page) == active


def test_page_tells_who_signed_up(cast: World) -> None:
    """Of somebody who made themselves a user the page tells that."""
    cast.write_config("auth:\n  sign-up: true\n")
    cast.browser().post("/sign-up", {"username": "eve", "password": PASSWORD})
    assert ", by signing up" in signed_in(cast).get(at(cast, "eve")).text


@pytest.mark.parametrize("last", ["", "/delete"])
@pytest.mark.parametrize("user_id", [UNKNOWN_ID, "%00", "x" * 300])
def test_unknown_user(cast: World, user_id: str, last: str) -> None:
    """The page of somebody who is not there, or not any more, is a 404 page."""
    answer = signed_in(cast).get(f"{LIST}/{user_id}{last}")
    assert answer.status_code == 404
    assert "There is no such user." in answer.text


# -- names ----------------------------------------------------------------------------------------------------


def test_names_are_changed(cast: World) -> None:
    """A superuser gives a user other names; the user signs in with the new one and stays signed in meanwhile."""
    bob, ada, page = signed_in(cast, BOB), signed_in(cast), at(cast)
    answer = edit(ada, page, "bob@example.com", " Bob the Builder ")
    assert (answer.status_code, answer.location) == (303, page)
    shown = ada.get(page).text
    assert "Saved: bob@example.com." in shown
    assert field_of(shown, "full_name")["value"] == "Bob the Builder"
    assert bob.is_signed_in()
    assert signed_in(cast, "bob@example.com").is_signed_in()
    assert cast.browser().sign_in(BOB).status_code == 401


@pytest.mark.parametrize(
    ("username", "full_name", "field", "status"),
    [
        ("DORA", "", "username", 409),
        ("a:b", "", "username", 422),
        ("", "", "username", 422),
        ("x" * 257, "", "username", 422),
        ("bob", "x" * 201, "full_name", 422),
        ("bob", "a\u202eb", "full_name", 422),
    ],
)
def test_bad_names_are_refused(cast: World, username: str, full_name: str, field: str, status: int) -> None:
    """A taken or bad name is refused beside its field with what was typed, and nothing changes."""
    answer = edit(signed_in(cast), at(cast), username, full_name)
    assert answer.status_code == status
    assert f'id="{field}-error"' in answer.text
    assert field_of(answer.text, field).get("value", "") == (username if field == "username" else full_name)
    assert (cast.user(BOB).username, cast.user(BOB).full_name) == (BOB, "")


def test_refused_names_leave_the_heading(cast: World) -> None:
    """Above a refused form the user is still called by the name that holds."""
    page = edit(signed_in(cast), at(cast), "DORA").text
    assert '<h1><span class="name">bob</span></h1>' in page


def test_failed_csrf_check_changes_no_name(cast: World) -> None:
    """Without its CSRF token the form is shown again with 400, filled in, and nothing changes."""
    answer = signed_in(cast).client.post(at(cast), data={"username": "robert", "full_name": "Robert"})
    assert answer.status_code == 400
    assert field_of(answer.text, "username")["value"] == "robert"
    assert cast.user(BOB).full_name == ""


def test_owner_renames_themselves(cast: World) -> None:
    """The owner changes the own name, and signs in with it from then on."""
    ada = signed_in(cast)
    assert edit(ada, at(cast, ADA), "ada", "Ada Lovelace").status_code == 303
    assert signed_in(cast, "ada").is_signed_in()
    assert cast.browser().sign_in(ADA).status_code == 401


def test_owners_name_is_fixed_for_others(cast: World) -> None:
    """Another superuser sees that the owner's user name is not theirs to change, and may change the full name."""
    dora = signed_in(cast, DORA)
    assert "readonly" in field_of(dora.get(at(cast, ADA)).text, "username")
    assert dora.post(at(cast, ADA), {"username": ADA, "full_name": "Countess"}).status_code == 303
    assert cast.user(ADA).full_name == "Countess"


def test_pinned_name_of_the_owner_stays(cast: World) -> None:
    """While the config file names the owner, the name is refused with 409 and the place; the full name is free."""
    cast.write_credentials(password=None)
    ada, page = signed_in(cast), at(cast, ADA)
    answer = edit(ada, page, "ada", "Ada")
    assert answer.status_code == 409
    assert "server.basic-auth.username is supplied by config.yml, line 3; change it there." in answer.text
    assert edit(ada, page, ADA, "Ada Lovelace").status_code == 303
    assert (cast.user(ADA).username, cast.user(ADA).full_name) == (ADA, "Ada Lovelace")


@pytest.mark.parametrize("name", EVIL_NAMES)
def test_names_are_text(cast: World, name: str) -> None:
    """User name and full name are text on the user's pages, whatever they look like."""
    ada, page = signed_in(cast), at(cast)
    edit(ada, page, name, name)
    assert all(map(is_tame, (ada.get(page).text, ada.get(f"{page}/delete").text, ada.get(LIST).text)))
    assert field_of(ada.get(page).text, "full_name")["value"] == name


# -- sessions -------------------------------------------------------------------------------------------------


def test_sessions_of_the_user(cast: World) -> None:
    """The page lists this user's sessions only; ended there, that browser is signed out, and one is back."""
    bob, phone, ada = browser_called(cast, FIREFOX), browser_called(cast, SAFARI), signed_in(cast)
    rows = rows_of(section(ada.get(at(cast)).text, "Sessions"))
    assert ["Firefox on Linux" in row for row in rows] == [False, True]
    back = next(field["value"] for _, field in elements(rows[1], "input") if field.get("name") == "back")
    assert ada.post(end_of(rows[1]), {"back": back}, form=LIST).location == at(cast)
    assert (bob.is_signed_in(), phone.is_signed_in()) == (False, True)


def test_the_newest_sessions_of_the_user(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever signs in thousands of times cannot keep superusers from opening the page: the newest are shown."""
    monkeypatch.setattr("authapp.web.user.PAGE", 1)
    browser_called(cast, FIREFOX)
    browser_called(cast, SAFARI)
    shown = section(signed_in(cast).get(at(cast)).text, "Sessions")
    assert len(rows_of(shown)) == 1
    assert "there are more" in shown


def test_user_is_signed_out_everywhere(cast: World) -> None:
    """All sessions of a user end with one button, and the page says how many they were."""
    browsers, dora, ada, page = (
        [signed_in(cast, BOB) for _ in range(2)],
        signed_in(cast, DORA),
        signed_in(cast),
        at(cast),
    )
    assert ada.post(f"{page}/sessions/end", form=page).location == page
    shown = ada.get(page).text
    assert "bob is signed out of 2 browsers." in shown
    assert "Not signed in anywhere." in shown
    assert [browser.is_signed_in() for browser in (*browsers, dora)] == [False, False, True]


def test_signing_oneself_out_everywhere_keeps_this_browser(cast: World) -> None:
    """On one's own page the button signs out one's other browsers, and says so."""
    there, here, page = signed_in(cast), signed_in(cast), at(cast, ADA)
    assert "Sign out my other browsers" in here.get(page).text
    here.post(f"{page}/sessions/end", form=page)
    assert (here.is_signed_in(), there.is_signed_in()) == (True, False)


# -- history --------------------------------------------------------------------------------------------------


def test_history_tells_what_happened(cast: World) -> None:
    """The history tells in words what a user did and what was done to them, newest first, by whom, from where."""
    cast.browser().sign_in(BOB, "Wrong password!")
    signed_in(cast, BOB)
    ada, page = signed_in(cast), at(cast)
    ada.switch(cast.user(BOB), "superuser", on=True)
    found = history(ada.get(page).text)
    assert found[0] == ["Made superuser", ADA, "127.0.0.1"]
    assert found[1] == ["Signed in", BOB, "127.0.0.1"]
    assert found[2][0] == "Refused: wrong password"
    assert found[-1][:2] == ["Created", "command line"]


def test_history_tells_what_was_changed(cast: World) -> None:
    """The history says what the name was before a change, and which setting was changed."""
    ada = signed_in(cast)
    ada.post(at(cast), {"username": "robert", "full_name": ""})
    ada.post(at(cast, "robert"), {"username": "robert", "full_name": "Robert"})
    ada.post("/admin/settings", {"organization.name": "Looms"})
    assert "Renamed, before: bob" in ada.get(at(cast, "robert")).text
    assert "Full name changed" in ada.get(at(cast, "robert")).text
    assert "Setting changed: organization.name" in ada.get(at(cast, ADA)).text
    ada.post("/admin/settings/reset", {"key": "organization.name"}, form="/admin/settings")
    assert "Setting back to its default: organization.name" in ada.get(at(cast, ADA)).text


def test_history_tells_to_whom(cast: World) -> None:
    """What a superuser did to somebody stands in their own history too, with the other's name."""
    ada = signed_in(cast)
    ada.switch(cast.user(CHARLIE), "active", on=True)
    assert history(ada.get(at(cast, ADA)).text)[0] == ["Activated: charlie", ADA, "127.0.0.1"]


def test_long_history_comes_in_pages(cast: World) -> None:
    """A long history goes on behind a link, every entry once; the last page has no such link."""
    ada, page = signed_in(cast), at(cast)
    for number in range(35):
        ada.switch(cast.user(BOB), "superuser", on=number % 2 == 0)
    first = ada.get(page).text
    second = ada.get(link(first, "Older")).text
    assert [len(history(first)), len(history(second))] == [30, 6]
    assert link(second, "Older") == ""


@pytest.mark.parametrize("before", ["-1", "0", "abc", "", "1e9", "9" * 30])
def test_odd_place_in_the_history(cast: World, before: str) -> None:
    """However odd the place in the history that is asked for, the page opens."""
    assert signed_in(cast).get(f"{at(cast)}?before={before}").status_code == 200
