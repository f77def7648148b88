"""What happened, by the API."""

from typing import Any

import pytest

from tests.web.program import by_basic, by_jwt, fields
from tests.world import ADA, BOB, DORA, PASSWORD, World, signed_in


def entries(world: World, query: str = "") -> list[dict[str, Any]]:
    """Return the entries of every page, three a page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = by_basic(world).get(f"/audit?limit=3&cursor={cursor}&{query}").json or {}
        found += page["items"]
        cursor = page["next_cursor"]
    return found


def test_everything_once(cast: World) -> None:
    """Every entry is told once, the newest first."""
    for name in (ADA, BOB, DORA):
        signed_in(cast, name)
    found = entries(cast)
    assert [f"{one['event']} {one['outcome']}" for one in reversed(found)] == cast.events()
    assert [one["id"] for one in found] == sorted((one["id"] for one in found), reverse=True)


def test_what_an_entry_tells(cast: World) -> None:
    """An entry says when, who, by which road and from where, to whom, and how it ended."""
    path = f"/users/{cast.user(BOB).id}"
    by_jwt(cast, DORA).patch(path, {"is_active": False})
    (found,) = entries(cast, "event=user.deactivated")
    assert (found["actor"], found["actor_id"], found["road"]) == (DORA, cast.user(DORA).id, "api")
    assert (found["target"], found["target_id"]) == (BOB, cast.user(BOB).id)
    assert (found["address"], found["outcome"]) == ("127.0.0.1", "success")


@pytest.mark.parametrize(
    ("query", "found"),
    [("event=sign-in&outcome=wrong", {"sign-in"}), ("event=nothing", set()), ("outcome=wrong", {"sign-in"})],
)
def test_filters(cast: World, query: str, found: set[str]) -> None:
    """Event and outcome narrow the list."""
    cast.browser().sign_in(BOB, "wrong")
    assert {one["event"] for one in entries(cast, query)} == found


def test_somebodys_entries(cast: World) -> None:
    """A user's entries are what they did and what was done to them."""
    bob = cast.user(BOB)
    signed_in(cast, BOB)
    signed_in(cast, ADA)
    found = entries(cast, f"user={bob.id}")
    assert found == entries(cast, f"user={BOB.upper()}")
    assert [one["event"] for one in found] == ["sign-in", "user.created"]
    assert all(bob.id in (one["actor_id"], one["target_id"]) for one in found)


@pytest.mark.parametrize("cursor", ["x", "W10", "WzFd0", "WyJhIl0", "WzEsMl0", "Wy0xXQ", "WzFlOTldCg", "W3RydWVd"])
def test_damaged_cursors(cast: World, cursor: str) -> None:
    """A cursor that is none is refused."""
    assert by_basic(cast).get(f"/audit?cursor={cursor}").status_code == 422


def test_superusers_alone(cast: World) -> None:
    """Plain users are told nothing."""
    assert by_basic(cast, BOB).get("/audit").status_code == 403


def test_unknown_parameters(cast: World) -> None:
    """A parameter that is not known is refused, and not passed over."""
    assert fields(by_basic(cast).get("/audit?password=x")) == ["password"]


def test_no_secret(cast: World) -> None:
    """No entry holds a password, a token or a hash."""
    answer = by_basic(cast).post("/tokens", {"name": "x"})
    token = (answer.json or {})["token"]
    assert all(secret not in str(entries(cast)) for secret in (token, PASSWORD, "argon2"))
