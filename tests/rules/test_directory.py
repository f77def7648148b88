"""The list of users: search, filters, order and pages."""

import base64
import json
import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authapp import directory, throttle, user_names, users
from authapp.audit import Actor
from authapp.directory import Page, Query
from authapp.errors import BadQuery, NotAllowed
from authapp.models import Role, User
from tests.world import ADA, BOB, CHARLIE, DORA, SHELL, World

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def look(world: World, by: Actor = SHELL, **query: Any) -> Page:
    """Look at a page of the list."""
    with world.database.reading() as db:
        return directory.page(db, world.snapshot.effective, Query(**query), by)


def found(world: World, search: str = "", **query: Any) -> list[str]:
    """Return the user names a search finds, in their order."""
    return [one.user.username for one in look(world, search=search, **query).users]


def add(world: World, *people: str | tuple[str, str], **columns: Any) -> list[User]:
    """Add people without passwords, quickly: user names, or pairs of user name and full name."""
    pairs = [person if isinstance(person, tuple) else (person, "") for person in people]
    with world.database.writing() as db:
        return [users.add(db, name, None, full_name=full_name, **columns) for name, full_name in pairs]


def acting(world: World, username: str) -> Actor:
    """Somebody who opens the list."""
    return Actor("form", world.user(username).id, username)


# -- search ---------------------------------------------------------------------------------------------------


@pytest.fixture
def people(world: World) -> World:
    """An installation with people of many kinds of names."""
    add(
        world,
        ("ada@example.com", "Ada Lovelace"),
        ("bob", "Robert 'Bob' Smith-Jones"),
        ("zoë", "Zoë Żółć"),
        ("agent42", "James"),
        ("taro", "山田 太郎"),
        ("100%", "Percy"),
        ("snake_case", ""),
        ("back\\slash", ""),
        ("straße", ""),
    )
    return world


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("ada", ["ada@example.com"]),
        ("ADA", ["ada@example.com"]),
        ("ada@ex", ["ada@example.com"]),
        ("@example", ["ada@example.com"]),
        ("example.com", ["ada@example.com"]),
        ("love", ["ada@example.com"]),
        ("ada love", ["ada@example.com"]),
        ("robert", ["bob"]),
        ("'bob", ["bob"]),
        ("jones", ["bob"]),
        ("smith-j", ["bob"]),
        ("42", ["agent42"]),
        ("agent4", ["agent42"]),
        ("james", ["agent42"]),
        ("ZOË", ["zoë"]),
        ("zoe\u0308", ["zoë"]),
        ("żół", ["zoë"]),
        ("\uff42\uff4f\uff42", ["bob"]),
        ("STRASSE", ["straße"]),
        ("山田", ["taro"]),
        ("太", ["taro"]),
        ("  bob  ", ["bob"]),
        ("nobody", []),
        ("bob robert", []),
    ],
)
def test_searching_by_beginnings(people: World, search: str, names: list[str]) -> None:
    """A search finds whom a word or number of the user name or full name begins like, however it is written."""
    assert found(people, search) == names


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("%", ["100%"]),
        ("_", ["snake_case"]),
        ("\\", ["back\\slash"]),
        ("100%", ["100%"]),
        ("0%", ["100%"]),
        ("e_c", ["snake_case"]),
        ("k\\s", ["back\\slash"]),
        ("%a%", []),
        ("a_a", []),
        ("b*", []),
        ("' OR 1=1 --", []),
    ],
)
def test_signs_mean_themselves(people: World, search: str, names: list[str]) -> None:
    """No sign is a wildcard: a percent sign finds percent signs."""
    assert found(people, search) == names


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("xample", ["ada@example.com"]),
        ("LACE", ["ada@example.com"]),
        ("o", ["ada@example.com", "bob", "taro", "zoë"]),
    ],
)
def test_searching_anywhere(people: World, search: str, names: list[str]) -> None:
    """When no word of anybody begins so, the text is found anywhere in a name."""
    assert found(people, search) == names


def test_a_beginning_hides_what_is_inside(world: World) -> None:
    """Once a word of somebody begins so, those who only have it inside are not meant."""
    add(world, "anna", "joanna")
    assert found(world, "ann") == ["anna"]
    assert found(world, "nna") == ["anna", "joanna"]


def test_searching_inside_a_long_word(world: World) -> None:
    """A text inside a name is found however far behind the beginning of the word it stands."""
    (long,) = add(world, "x" * 100 + "needle" + "x" * 100)
    assert found(world, "needle") == [long.username]


def test_whole_long_names_are_found(world: World) -> None:
    """Names that are alike for 64 characters are all found by what they share."""
    long = [one.username for one in add(world, "x" * 64 + "1", "x" * 64 + "2")]
    assert sorted(found(world, "x" * 64)) == long
    assert long[0] in found(world, long[0])


def test_a_search_sorts_by_what_matched(world: World) -> None:
    """Found users stand in the order of the words that were found, each user once."""
    add(world, ("erin", "Anna Zimmer"), ("zoe", "Annabel"), ("anne", "Anne Anna"), ("ann", ""))
    assert found(world, "ann") == ["ann", "anne", "erin", "zoe"]


def test_a_search_can_be_sorted_otherwise(world: World) -> None:
    """Who asks for an order gets it for a search too."""
    add(world, ("erin", "Anna Zimmer"), ("zoe", "Annabel"), ("ann", ""))
    assert found(world, "ann", sort="-username") == ["zoe", "erin", "ann"]


def test_nothing_searched_for_is_everybody(cast: World) -> None:
    """An empty search, and one of spaces, is none."""
    assert found(cast, "") == found(cast, "   ") == [ADA, BOB, CHARLIE, DORA]


def test_a_search_follows_changed_names(cast: World) -> None:
    """A user is found by the names of now, and not by those of before."""
    user_names.edit(cast.database, cast.snapshot.effective, cast.user(BOB).id, SHELL, full_name="Robert")
    assert found(cast, "robert") == [BOB]
    user_names.edit(
        cast.database, cast.snapshot.effective, cast.user(BOB).id, SHELL, username="rob", full_name="Bert"
    )
    assert (found(cast, "rob"), found(cast, "bert"), found(cast, BOB)) == (["rob"], ["rob"], [])


def test_who_was_deleted_is_not_found(cast: World) -> None:
    """A deleted user is in no list."""
    users.delete_all(cast.database, [cast.user(BOB).id], SHELL)
    assert found(cast, BOB) == []
    assert BOB not in found(cast)


# -- filters --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"role": "admin"}, [ADA, DORA]),
        ({"role": "user"}, [BOB, CHARLIE]),
        ({"active": True}, [ADA, BOB, DORA]),
        ({"active": False}, [CHARLIE]),
        ({"role": "user", "active": True}, [BOB]),
        ({"role": "admin", "active": False}, []),
        ({"search": "b", "role": "user"}, [BOB]),
        ({"search": "b", "role": "admin"}, []),
        ({"search": "har", "active": False}, [CHARLIE]),
        ({"search": "c", "active": False, "sort": "-created_at"}, [CHARLIE]),
    ],
)
def test_filters(cast: World, query: dict[str, Any], names: list[str]) -> None:
    """Users can be filtered by role and by whether they are active, together with a search."""
    assert found(cast, **query) == names


# -- order ----------------------------------------------------------------------------------------------------


@pytest.fixture
def dated(world: World) -> World:
    """Eight users whose names, roles, ages and last sign-ins are in different orders; three never signed in."""
    seen = [3, None, 1, None, 5, 2, None, 4]
    ages = [5, 1, 4, 2, 8, 3, 7, 6]
    for number, name in enumerate("hdbfaceg"):
        role = Role.ADMIN if number % 3 == 0 else Role.USER
        add(world, (name, f"Team {name}"), role=role)
        with world.database.writing() as db:
            user = users.get(db, world.user(name).id)
            user.created_at = NOON + timedelta(days=ages[number])
            days = seen[number]
            user.last_login_at = None if days is None else NOON + timedelta(days=days)
    return world


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("username", "abcdefgh"),
        ("-username", "hgfedcba"),
        ("", "abcdefgh"),
        ("role", "efhabcdg"),
        ("-role", "gdcbahfe"),
        ("created_at", "dfcbhgea"),
        ("-created_at", "aeghbcfd"),
    ],
)
def test_every_order(dated: World, sort: str, names: str) -> None:
    """Users are sorted by user name, role or age, up or down; those of one role by name."""
    assert "".join(found(dated, sort=sort)) == names


@pytest.mark.parametrize(("sort", "names"), [("last_login_at", "bchga"), ("-last_login_at", "aghcb")])
def test_sorting_by_the_last_sign_in(dated: World, sort: str, names: str) -> None:
    """Users are sorted by their last sign-in; whoever never signed in comes last, up and down."""
    order = "".join(found(dated, sort=sort))
    assert (order[:5], sorted(order[5:])) == (names, ["d", "e", "f"])


# -- pages ----------------------------------------------------------------------------------------------------

ORDERS: list[dict[str, Any]] = [{"sort": f"{sign}{column}"} for column in directory.SORTS for sign in ("", "-")]
QUERIES = [
    *ORDERS,
    {"search": "team"},
    {"search": "team", "sort": "-last_login_at"},
    {"search": "eam"},
    {"role": "user", "sort": "last_login_at"},
    {"active": False},
]


def listed(page: Page) -> list[str]:
    """Return the user names on a page."""
    return [one.user.username for one in page.users]


def turn(world: World, page: Page, direction: Callable[[Page], str | None], **query: Any) -> list[Page]:
    """Turn pages until there is none further in a direction; return them, beginning with the one at hand."""
    pages = [page]
    while cursor := direction(pages[-1]):
        pages.append(look(world, cursor=cursor, **query))
    return pages


def forward(page: Page) -> str | None:
    """Go to the next page."""
    return page.next_cursor


def backward(page: Page) -> str | None:
    """Go to the page before."""
    return page.previous_cursor


@pytest.mark.parametrize("query", QUERIES)
def test_pages_hold_everybody_once(dated: World, query: dict[str, Any]) -> None:
    """Whoever turns all pages, of whatever length, sees everybody once and in order; back, the same pages again."""
    for limit in (1, 2, 3, 7, 8):
        there = turn(dated, look(dated, limit=limit, **query), forward, limit=limit, **query)
        assert [name for page in there for name in listed(page)] == found(dated, **query)
        assert {len(page.users) for page in there[:-1]} <= {limit}
        back = turn(dated, there[-1], backward, limit=limit, **query)
        assert list(map(listed, back)) == list(map(listed, there))[::-1]


@pytest.mark.parametrize("query", QUERIES)
def test_there_and_back_again(dated: World, query: dict[str, Any]) -> None:
    """Going a page back and forward again leads to the same page."""
    first = look(dated, limit=2, **query)
    second = look(dated, limit=2, cursor=first.next_cursor, **query)
    again = look(dated, limit=2, cursor=second.previous_cursor, **query)
    assert (listed(again), again.previous_cursor) == (listed(first), None)
    assert listed(look(dated, limit=2, cursor=again.next_cursor, **query)) == listed(second)


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("left", [4, 2])
def test_people_come_and_go_between_pages(dated: World, query: dict[str, Any], left: int) -> None:
    """Whoever stays is on one page, even if others are added or deleted while somebody turns pages."""
    before = found(dated, **query)
    limit = len(before) - left
    first = look(dated, limit=limit, **query)
    gone = [listed(first)[0], listed(first)[-1], before[-1]]
    users.delete_all(dated.database, [dated.user(name).id for name in gone], SHELL)
    add(dated, ("0", "Team 0"), ("z", "Team z"))
    rest = turn(dated, look(dated, limit=limit, cursor=first.next_cursor, **query), forward, limit=limit, **query)
    names = [name for page in rest for name in listed(page)]
    assert [name for name in names if name not in ("0", "z")] == before[limit:-1]
    assert len(set(names)) == len(names)


def test_a_search_goes_on_as_it_began(world: World) -> None:
    """Pages of what was found anywhere go on so, even if somebody's name begins like the search by then."""
    add(world, "joan", "sean", "xan")
    first = look(world, search="an", limit=2)
    add(world, "anna")
    second = look(world, search="an", limit=2, cursor=first.next_cursor)
    assert (listed(first), listed(second)) == (["joan", "sean"], ["xan"])


def test_a_page_has_fifty(world: World) -> None:
    """Unless it is said, a page has 50 users."""
    add(world, *[f"user{number:03}" for number in range(101)])
    assert [len(page.users) for page in turn(world, look(world), forward)] == [50, 50, 1]


def encoded(content: object) -> str:
    """Write a cursor as the list itself does."""
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


@pytest.mark.parametrize("cursor", ["x", "AAAA", "!", "é", "\0", "e30", "bnVsbA", "W10"])
@pytest.mark.parametrize("sort", directory.SORTS)
def test_damaged_cursors(cast: World, cursor: str, sort: str) -> None:
    """An address that was damaged on the way is refused in a sentence."""
    with pytest.raises(BadQuery, match="begin with the first page"):
        look(cast, cursor=cursor, sort=sort)


@pytest.mark.parametrize(
    ("sort", "content"),
    [
        ("username", [False, False, 7]),
        ("username", [False, False, None]),
        ("username", [False, False, "bob", "bob"]),
        ("username", [False, False, "\0"]),
        ("username", [False, False, "\ud800"]),
        ("role", [False, False, "user", "\udc80"]),
        ("created_at", [False, False, None, "id"]),
        ("created_at", [False, False, "2030-01-01T00:00:00", "id"]),
        ("created_at", [False, False, "yesterday", "id"]),
        ("created_at", [False, False, "2030-01-01T00:00:00+00:00", "\ud800"]),
        ("last_login_at", [True, False, None, "\ud800"]),
        ("last_login_at", [False, False, None, None]),
    ],
)
def test_forged_cursors(cast: World, sort: str, content: list[object]) -> None:
    """An address that somebody made up, with values no user can have, is refused in a sentence too."""
    with pytest.raises(BadQuery, match="begin with the first page"):
        look(cast, cursor=encoded(content), sort=sort)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    st.sampled_from(["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2030-01-01", "\ud800", "\0"]),
    st.lists(st.integers(), max_size=2),
)
BOOLEANS = st.lists(st.booleans(), min_size=2, max_size=2)  # what every cursor begins with
CURSORS = st.builds(operator.add, BOOLEANS, st.lists(VALUES, max_size=3)).map(encoded)
ANY = settings(
    deadline=None, database=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@ANY
@given(st.text() | VALUES.map(encoded) | CURSORS, st.sampled_from(QUERIES))
def test_any_cursor_is_a_page_or_refused(cast: World, cursor: str, query: dict[str, Any]) -> None:
    """Whatever stands in the address, it leads to a page or is refused in a sentence."""
    try:
        page = look(cast, cursor=cursor, **query)
    except BadQuery:
        return
    assert len(page.users) <= 4


@ANY
@given(st.text() | st.sampled_from(["\0", "b\0b", "\ud800", "b\udcff", "\U0010ffff", "\ufeff"]))
def test_any_text_may_be_searched_for(cast: World, search: str) -> None:
    """Whatever is searched for, the answer is users or nobody."""
    assert set(found(cast, search)) <= {ADA, BOB, CHARLIE, DORA}


# -- what means nothing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"sort": "password_hash"}, "sorted by"),
        ({"sort": "--username"}, "sorted by"),
        ({"sort": "-"}, "sorted by"),
        ({"sort": "match"}, "sorted by"),
        ({"sort": "username; DROP TABLE users"}, "sorted by"),
        ({"role": "king"}, "role"),
        ({"role": "ADMIN"}, "role"),
        ({"limit": 0}, "1 to 500"),
        ({"limit": -1}, "1 to 500"),
        ({"limit": 501}, "1 to 500"),
    ],
)
def test_what_means_nothing(cast: World, query: dict[str, Any], words: str) -> None:
    """A list that is asked for in a way that means nothing is refused, and says what would mean something."""
    with pytest.raises(BadQuery, match=words):
        look(cast, **query)


# -- what is shown --------------------------------------------------------------------------------------------


def test_the_owner_is_marked(cast: World) -> None:
    """The list says who the owner is."""
    assert {one.user.username: one.is_owner for one in look(cast).users} == {
        ADA: True,
        BOB: False,
        CHARLIE: False,
        DORA: False,
    }


def test_who_is_locked_is_marked(cast: World) -> None:
    """The list says who has to wait after too many wrong passwords, from one network at least."""
    effective = cast.snapshot.effective
    for address in ["192.0.2.1"] * effective.config.throttle.attempts + ["192.0.2.2"]:
        with cast.database.writing() as db:
            throttle.take(db, effective.config.throttle, throttle.bucket(effective.secret_key, BOB, address))
    assert [one.user.username for one in look(cast).users if one.is_locked] == [BOB]


def test_nothing_secret_is_told(cast: World) -> None:
    """What programs are told of a user holds no hash."""
    facts = directory.facts(cast.user(BOB))
    assert (facts["username"], facts["role"], facts["is_active"], facts["last_login_at"]) == (
        BOB,
        "user",
        True,
        None,
    )
    assert "$argon2" not in str(facts)


def test_an_empty_list(world: World) -> None:
    """Where nobody is, the list is empty and has no further page."""
    assert look(world) == Page((), None, None)


@pytest.mark.parametrize("name", [BOB, CHARLIE])
def test_only_superusers_see_the_list(cast: World, name: str) -> None:
    """The list is for superusers, active ones."""
    with pytest.raises(NotAllowed):
        look(cast, acting(cast, name))


def test_whoever_was_demoted_sees_it_no_more(cast: World) -> None:
    """A superuser sees the list, and not any more once demoted."""
    dora = acting(cast, DORA)
    assert len(look(cast, dora).users) == 4
    users.set_superuser(cast.database, cast.user(DORA).id, SHELL, superuser=False)
    with pytest.raises(NotAllowed):
        look(cast, dora)
