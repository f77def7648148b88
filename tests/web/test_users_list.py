"""`/admin/users`: searching, filtering, sorting and paging users, and changing several at once."""

import html
import re
from urllib.parse import quote

import pytest
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from authapp import invitations
from authapp.invitations import NewUser
from tests.web.pages import HOSTILE, LIST, link, names_on
from tests.web.test_admin import UNKNOWN_ID, row_of
from tests.world import (
    ADA,
    BOB,
    CHARLIE,
    DORA,
    OTHER_PASSWORD,
    SHELL,
    Browser,
    World,
    csrf_token,
    elements,
    signed_in,
)

EVERYBODY = [ADA, BOB, CHARLIE, DORA]


def invite(world: World, *wanted: NewUser) -> None:
    """Create users, each with a generated password."""
    invitations.invite(world.database, world.snapshot.effective, wanted, SHELL)


def found(browser: Browser, query: str) -> list[str]:
    """Return the users a query finds, from top to bottom."""
    return names_on(browser.get(f"{LIST}?{query}").text)


def heading(page: str, text: str) -> tuple[str, str]:
    """Return how a column is sorted, and where its heading leads."""
    found = re.search(rf'<th scope="col"(?: aria-sort="(\w+)")?>\s*<a href="([^"]+)">{text}</a>', page)
    assert found is not None
    return found[1] or "", html.unescape(found[2])


def walk(browser: Browser, address: str, text: str) -> list[tuple[str, list[str]]]:
    """Follow a link from page to page until it is not there; return each address and the users on it."""
    pages = []
    while address:
        page = browser.get(address).text
        pages.append((address, names_on(page)))
        address = link(page, text)
    return pages


def send(browser: Browser, action: str, *ids: str, **more: str) -> TestResponse:
    """Send the form for those who were chosen."""
    typed = {"csrf_token": csrf_token(browser.get(LIST).text), "ids": list(ids), "action": action, **more}
    return browser.client.post(f"{LIST}/bulk", data=typed, buffered=True)


def ids(world: World, *usernames: str) -> list[str]:
    """Return users' ids."""
    return [world.user(name).id for name in usernames]


# -- search and filters ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("hop", ["grace"]),
        ("HOPPER", ["grace"]),
        ("grace", ["grace"]),
        ("example.c", [ADA]),
        ("@ex", [ADA]),
        (" dor ", [DORA]),
        ("opp", ["grace"]),
        ("c", [CHARLIE, ADA]),
        ("%", []),
        ("nobody", []),
        ("", [ADA, BOB, CHARLIE, DORA, "grace"]),
    ],
)
def test_search(cast: World, typed: str, names: list[str]) -> None:
    """A search finds what words of user name or full name begin with; if nothing begins so, it looks inside."""
    invite(cast, NewUser("grace", "Grace Hopper"))
    assert found(signed_in(cast), f"q={quote(typed)}") == names


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("role=admin", [ADA, DORA]),
        ("role=user", [BOB, CHARLIE]),
        ("active=true", [ADA, BOB, DORA]),
        ("active=false", [CHARLIE]),
        ("role=user&active=true", [BOB]),
        ("role=admin&active=false", []),
        ("q=c&role=user", [CHARLIE]),
        ("q=bo&active=false", []),
        ("role=&active=&q=&sort=", EVERYBODY),
    ],
)
def test_filters(cast: World, query: str, names: list[str]) -> None:
    """Role and activity narrow the list, together and with a search."""
    assert found(signed_in(cast), query) == names


def test_filters_stay_chosen(cast: World) -> None:
    """The page shows what was looked for and chosen, as it was typed, and a way back to everybody."""
    page = signed_in(cast).get(f'{LIST}?q="><b>bo&role=user&active=true').text
    field = next(field for _, field in elements(page, "input") if field.get("name") == "q")
    chosen = [option["value"] for _, option in elements(page, "option") if "selected" in option]
    assert field["value"] == '"><b>bo'
    assert chosen == ["user", "true", ""]
    assert "<b>" not in page
    assert link(page, "Show all") == LIST


# -- order ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("", EVERYBODY),
        ("username", EVERYBODY),
        ("-username", EVERYBODY[::-1]),
        ("role", [ADA, DORA, BOB, CHARLIE]),
        ("-role", [CHARLIE, BOB, DORA, ADA]),
        ("created_at", EVERYBODY),
        ("-created_at", EVERYBODY[::-1]),
        ("last_login_at", [DORA, ADA]),
        ("-last_login_at", [ADA, DORA]),
    ],
)
def test_order(cast: World, sort: str, names: list[str]) -> None:
    """Users are sorted by name, role, creation or last sign-in, up or down; who never signed in comes last."""
    signed_in(cast, DORA)
    assert found(signed_in(cast), f"sort={sort}")[: len(names)] == names


@pytest.mark.parametrize(
    ("sort", "column", "direction"),
    [
        ("", "User", "ascending"),
        ("-username", "User", "descending"),
        ("role", "Role", "ascending"),
        ("created_at", "Created", "ascending"),
        ("-last_login_at", "Last sign-in", "descending"),
    ],
)
def test_sorted_column_is_marked(cast: World, sort: str, column: str, direction: str) -> None:
    """Exactly one column says that it is sorted, and which way."""
    page = signed_in(cast).get(f"{LIST}?sort={sort}").text
    marked = [field["aria-sort"] for _, field in elements(page, "th") if "aria-sort" in field]
    assert marked == [direction]
    assert heading(page, column)[0] == direction


@pytest.mark.parametrize(
    ("sort", "column", "next_sort"),
    [
        ("", "User", "-username"),
        ("-username", "User", "username"),
        ("", "Role", "role"),
        ("role", "Role", "-role"),
        ("", "Created", "-created_at"),
        ("-created_at", "Created", "created_at"),
        ("", "Last sign-in", "-last_login_at"),
    ],
)
def test_heading_sorts_and_turns_around(cast: World, sort: str, column: str, next_sort: str) -> None:
    """A heading sorts by its column, dates newest first; pressed again it turns the order around."""
    page = signed_in(cast).get(f"{LIST}?sort={sort}").text
    assert heading(page, column)[1] == f"{LIST}?sort={next_sort}"


def test_headings_keep_what_was_looked_for(cast: World) -> None:
    """Sorting what was found keeps search and filters; searching again keeps the order."""
    page = signed_in(cast).get(f"{LIST}?q=c&role=user&active=false&sort=role").text
    assert heading(page, "User")[1] == f"{LIST}?q=c&role=user&active=false&sort=username"
    chosen = [option["value"] for _, option in elements(page, "option") if "selected" in option]
    assert chosen == ["user", "false", "role"]


# -- pages ----------------------------------------------------------------------------------------------------


@pytest.fixture
def crowded(cast: World) -> World:
    """An installation with 124 users."""
    invite(cast, *(NewUser(f"user{number:03}", active=number % 2 == 0) for number in range(120)))
    return cast


@pytest.mark.parametrize(
    "query", ["", "sort=-username", "sort=-role", "sort=-created_at", "sort=last_login_at", "q=us"]
)
def test_pages_show_everybody_once(crowded: World, query: str) -> None:
    """Going on from page to page shows everybody exactly once, and going back shows the same pages."""
    browser = signed_in(crowded)
    forward = walk(browser, f"{LIST}?{query}", "Next page")
    back = walk(browser, forward[-1][0], "Previous page")
    forward_names, back_names = ([names for _, names in pages] for pages in (forward, back))
    assert [len(names) for names in forward_names] == ([50, 50, 20] if query == "q=us" else [50, 50, 24])
    assert len({name for names in forward_names for name in names}) == sum(map(len, forward_names))
    assert back_names == forward_names[::-1]


def test_pager_leads_to_what_there_is(crowded: World) -> None:
    """The first page leads on, the last page back, and those between both ways and to the first."""
    browser = signed_in(crowded)
    pages = [browser.get(LIST).text]
    pages += [browser.get(link(pages[-1], "Next page")).text]
    pages += [browser.get(link(pages[-1], "Next page")).text]
    texts = ("First page", "Previous page", "Next page")
    led = [[bool(link(page, text)) for text in texts] for page in pages]
    assert led == [[False, False, True], [True, True, True], [True, True, False]]
    assert link(pages[2], "First page") == LIST


def test_pager_keeps_what_was_looked_for(crowded: World) -> None:
    """The next page is the next of what was looked for, in the same order."""
    browser = signed_in(crowded)
    first = browser.get(f"{LIST}?q=user&role=user&active=true&sort=-username").text
    address = link(first, "Next page")
    assert address.startswith(f"{LIST}?q=user&role=user&active=true&sort=-username&cursor=")
    assert names_on(browser.get(address).text) == [f"user{number:03}" for number in range(18, -1, -2)]


def test_few_users_need_no_pager(cast: World) -> None:
    """Where everybody stands on one page there is no pager."""
    assert 'class="pager"' not in signed_in(cast).get(LIST).text


# -- nobody to show, and nonsense -----------------------------------------------------------------------------


def test_nobody_found(cast: World) -> None:
    """A search that finds nobody says so, offers everybody, and shows no form for those chosen."""
    page = signed_in(cast).get(f"{LIST}?q=xyzzy").text
    assert "Nobody found." in page
    assert link(page, "Show all") == LIST
    assert 'id="bulk"' not in page


def test_page_that_is_empty_by_now(cast: World) -> None:
    """A page whose users were deleted meanwhile says so and leads to the first one."""
    invite(cast, *(NewUser(f"user{number:03}") for number in range(47)))
    browser = signed_in(cast)
    address = link(browser.get(LIST).text, "Next page")
    send(browser, "delete", *ids(cast, "user046"), typed="delete")
    page = browser.get(address).text
    assert "There is nobody on this page any more." in page
    assert link(page, "First page") == LIST


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sort=shoe-size", "sorted by one of username, role, created_at, last_login_at"),
        ("sort=--username", "sorted by one of"),
        ("role=king", "A role is one of admin, user."),
        ("active=maybe", "active is true, false, or left out."),
        ("cursor=rubbish", "begin with the first page"),
        ("cursor=WzFd", "begin with the first page"),
        ("cursor=%00%ff", "begin with the first page"),
    ],
)
def test_nonsense_is_refused(cast: World, query: str, said: str) -> None:
    """A query that means nothing gets a page with 422 that says what is wrong with it."""
    answer = signed_in(cast).get(f"{LIST}?{query}")
    assert answer.status_code == 422
    assert said in answer.text
    assert "<h1>" in answer.text


@pytest.mark.parametrize(
    ("sort", "other"), [("username", "role"), ("role", "created_at"), ("created_at", "username")]
)
def test_cursor_of_another_order_is_refused(crowded: World, sort: str, other: str) -> None:
    """The address of a next page, changed to another order, is refused rather than misread."""
    browser = signed_in(crowded)
    address = link(browser.get(f"{LIST}?sort={sort}").text, "Next page")
    assert browser.get(address.replace(f"sort={sort}", f"sort={other}")).status_code == 422


# -- several at once ------------------------------------------------------------------------------------------


def test_boxes_choose_everybody_but_the_owner(cast: World) -> None:
    """Every user but the owner has a box, named after the user, that belongs to the form below the table."""
    page = signed_in(cast).get(LIST).text
    boxes = [field for _, field in elements(page, "input") if field.get("name") == "ids"]
    assert [box["value"] for box in boxes] == ids(cast, BOB, CHARLIE, DORA)
    assert {box["form"] for box in boxes} == {"bulk"}
    assert [box["aria-label"] for box in boxes] == ["Choose bob", "Choose charlie", "Choose dora"]


def test_several_are_activated(cast: World) -> None:
    """Those chosen may sign in, and the page says how many they are."""
    cast.add("eve", active=False)
    browser = signed_in(cast)
    answer = send(browser, "activate", *ids(cast, CHARLIE, "eve"))
    assert (answer.status_code, answer.location) == (303, LIST)
    assert "2 users may sign in." in browser.get(LIST).text
    assert signed_in(cast, CHARLIE).is_signed_in()


def test_several_are_deactivated(cast: World) -> None:
    """Those chosen are out at their next click; a single one is called by name, also when chosen twice."""
    bob, browser = signed_in(cast, BOB), signed_in(cast)
    send(browser, "deactivate", *ids(cast, BOB, BOB))
    assert not bob.is_signed_in()
    assert "bob may no longer sign in." in browser.get(LIST).text


def test_deleting_several_asks_first(cast: World) -> None:
    """Before users are deleted, a page shows who they are and asks for a word; nothing has happened yet."""
    answer = send(signed_in(cast), "delete", *ids(cast, BOB, CHARLIE), back=f"{LIST}?q=b")
    carried = [field["value"] for _, field in elements(answer.text, "input") if field.get("name") == "ids"]
    assert answer.status_code == 200
    assert "Delete 2 users?" in answer.text
    assert carried == ids(cast, BOB, CHARLIE)
    assert link(answer.text, "Cancel") == f"{LIST}?q=b"


@pytest.mark.parametrize("typed", ["delete", "DELETE", " delete "])
def test_typed_word_deletes_several(cast: World, typed: str) -> None:
    """The word deletes all that were chosen, however it is written, and the page says how many."""
    browser = signed_in(cast)
    answer = send(browser, "delete", *ids(cast, BOB, CHARLIE), typed=typed)
    page = browser.get(LIST).text
    assert (answer.status_code, answer.location) == (303, LIST)
    assert names_on(page) == [ADA, DORA]
    assert "2 users deleted." in page


@pytest.mark.parametrize("typed", ["", "yes", "delete!", "bob"])
def test_wrong_word_deletes_nobody(cast: World, typed: str) -> None:
    """Another word is refused with 422 beside its field, those chosen stay chosen, and nobody is deleted."""
    answer = send(signed_in(cast), "delete", *ids(cast, BOB, CHARLIE), typed=typed)
    assert "That is not the word delete." in answer.text
    assert "Delete 2 users?" in answer.text
    assert ids(cast, BOB, CHARLIE)
    assert answer.status_code == 422


@pytest.mark.parametrize("action", ["activate", "deactivate", "delete"])
def test_nobody_chosen(cast: World, action: str) -> None:
    """Whoever chose nobody is told to, on the page they came from."""
    browser = signed_in(cast)
    answer = send(browser, action, back=f"{LIST}?q=b")
    assert (answer.status_code, answer.location) == (303, f"{LIST}?q=b")
    assert "Choose at least one user first." in browser.get(LIST).text


@pytest.mark.parametrize(
    ("action", "spoiler", "status"),
    [
        ("activate", UNKNOWN_ID, 404),
        ("deactivate", UNKNOWN_ID, 404),
        ("deactivate", "the owner", 409),
        ("delete", UNKNOWN_ID, 404),
        ("delete", "the owner", 409),
        ("delete", "oneself", 403),
    ],
)
def test_all_or_none(cast: World, action: str, spoiler: str, status: int) -> None:
    """One user for whom it cannot be done keeps it from being done to the others."""
    dora = signed_in(cast, DORA)
    last = {"the owner": cast.user(ADA).id, "oneself": cast.user(DORA).id}.get(spoiler, spoiler)
    before = cast.tables()["users"]
    answer = send(dora, action, *ids(cast, BOB, CHARLIE), last, typed="delete")
    assert answer.status_code == status
    assert cast.tables()["users"] == before


def test_several_get_nothing_else_done(cast: World) -> None:
    """Nothing but activating, deactivating and deleting is done to several at once: 422."""
    answer = send(signed_in(cast), "promote", *ids(cast, BOB))
    assert answer.status_code == 422
    assert not cast.user(BOB).is_superuser


def test_whoever_deactivates_themselves_goes_home(cast: World) -> None:
    """A superuser among those deactivated is asked, and then led home, where the sign-in page is next."""
    dora = signed_in(cast, DORA)
    asked = send(dora, "deactivate", *ids(cast, BOB, DORA), back=f"{LIST}?q=b")
    assert (asked.status_code, "Deactivate yourself?" in asked.text) == (409, True)
    assert cast.user(BOB).is_active
    fields = [field for _, field in elements(asked.text, "input") if field.get("type") == "hidden"]
    answer = MultiDict([(field["name"], field["value"]) for field in fields])
    assert dora.client.post(f"{LIST}/bulk", data=answer).location == "/"
    assert not cast.user(BOB).is_active
    assert dora.get("/").location == "/login"


def test_asking_twice_carries_no_password(cast: World) -> None:
    """Whatever was sent along is carried through the question, except for passwords."""
    dora = signed_in(cast, DORA)
    sent = {"password": OTHER_PASSWORD, "new_password": OTHER_PASSWORD, "more": "kept"}
    page = dora.post(f"{LIST}/{cast.user(DORA).id}/active", sent, form=LIST).text
    assert OTHER_PASSWORD not in page
    assert 'value="kept"' in page


# -- the way back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["activate", "deactivate", "delete"])
def test_back_to_where_one_came_from(cast: World, action: str) -> None:
    """After something was done to several, one is on the page of the list it was done from."""
    browser = signed_in(cast)
    page = browser.get(f"{LIST}?q=bo&sort=-username").text
    back = next(
        field["value"] for _, field in elements(page[page.index('id="bulk"') :], "input") if field["name"] == "back"
    )
    assert back == f"{LIST}?q=bo&sort=-username"
    assert send(browser, action, *ids(cast, BOB), typed="delete", back=back).location == back


def test_switch_leads_back_to_its_row(cast: World) -> None:
    """A switch leads back to the page it stood on, to the row of its user."""
    browser, bob = signed_in(cast), cast.user(BOB)
    row = row_of(browser.get(f"{LIST}?q=bo").text, BOB)
    back = next(field["value"] for _, field in elements(row, "input") if field.get("name") == "back")
    answer = browser.post(f"{LIST}/{bob.id}/active", {"back": back}, form=LIST)
    assert answer.location == f"{LIST}?q=bo#active-{bob.id}"


@pytest.mark.parametrize("back", HOSTILE)
def test_way_back_leads_nowhere_else(cast: World, back: str) -> None:
    """An address to go back to that is no admin page of ours is not followed, and not linked to either."""
    browser, bob = signed_in(cast), cast.user(BOB)
    switched = browser.post(f"{LIST}/{bob.id}/active", {"back": back, "on": "y"}, form=LIST)
    assert switched.location == f"{LIST}#active-{bob.id}"
    assert send(browser, "activate", bob.id, back=back).location == LIST
    assert send(browser, "activate", back=back).location == LIST
    assert link(send(browser, "delete", bob.id, back=back).text, "Cancel") == LIST
