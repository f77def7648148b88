"""Superusers see who has to wait after too many wrong passwords, and lift it."""

import pytest

from authapp import locks
from tests.web.program import by_basic
from tests.world import BOB, DORA, World

WRONG = "Not the password at all"


@pytest.fixture
def locked(cast: World) -> World:
    """Bob has to wait, and so has whoever typed a name that nobody has."""
    cast.write_config("throttle: {attempts: 2}\n")
    stranger = cast.browser()
    for name in (BOB, BOB, "nobody", "nobody"):
        stranger.sign_in(name, WRONG)
    return cast


def bobs_lock(world: World) -> str:
    """Return what Bob's lock is called in addresses."""
    with world.database.reading() as db:
        (lock,) = [one for one in locks.seen(db, world.snapshot.effective) if one.user]
    return lock.id


def test_the_page_says_who_waits(locked: World) -> None:
    """Each lock stands there with the user, the network, and a button; an unknown name is not told."""
    dora = locked.browser()
    dora.sign_in(DORA)
    page = dora.get("/admin/locks").text
    assert page.count(">Lift</button>") == 2
    assert "127.0.0.1" in page
    assert ">bob</a>" in page
    assert "nobody<" not in page


def test_the_end_of_a_lock_can_be_made_local(locked: World) -> None:
    """Until when somebody waits stands there as a time that the browser can make local, as everywhere else."""
    dora = locked.browser()
    dora.sign_in(DORA)
    assert dora.get("/admin/locks").text.count('<td data-label="Until"><time datetime="') == 2


def test_nobody_waits(cast: World) -> None:
    """Without locks the page says so."""
    dora = cast.browser()
    dora.sign_in(DORA)
    assert "Nobody has to wait." in dora.get("/admin/locks").text


def test_the_button_lifts(locked: World) -> None:
    """After Lift the user may sign in at once, and the audit table says who did it."""
    dora = locked.browser()
    dora.sign_in(DORA)
    answer = dora.post(f"/admin/locks/{bobs_lock(locked)}/lift", form="/admin/locks")
    assert answer.status_code == 303
    assert locked.browser().sign_in(BOB).status_code == 303
    (entry,) = locked.audit("sign-in.unlocked")
    assert (entry.actor, entry.target, entry.detail["count"]) == (DORA, BOB, "tries")


def test_programs_see_and_lift(locked: World) -> None:
    """The API lists the same, and lifts by the id of the list."""
    dora = by_basic(locked, DORA)
    items = dora.get("/locks").json["items"]  # type: ignore[index]  # it is JSON
    assert {(item["username"], item["kind"], item["network"]) for item in items} == {
        (BOB, "tries", "127.0.0.1"),
        (None, "tries", "127.0.0.1"),
    }
    for item in items:
        assert dora.delete(f"/locks/{item['id']}").status_code == 204
    assert dora.get("/locks").json == {"items": []}


def test_a_lock_beyond_the_list_is_lifted(locked: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many others wait longer, a lock whose id somebody has is found and lifted."""
    dora = by_basic(locked, DORA)
    ids = [item["id"] for item in dora.get("/locks").json["items"]]  # type: ignore[index]  # it is JSON
    monkeypatch.setattr(locks, "MOST", 1)
    assert len(dora.get("/locks").json["items"]) == 1  # type: ignore[index]  # it is JSON
    dora.delete(f"/locks/{ids[1]}")
    assert [item["id"] for item in dora.get("/locks").json["items"]] == ids[:1]  # type: ignore[index]  # it is JSON
    assert locked.events().count("sign-in.unlocked success") == 1


@pytest.mark.parametrize("lock_id", ["tries-nothing", "known-0", "x"])
def test_a_lock_that_is_gone(locked: World, lock_id: str) -> None:
    """Lifting what has ended already changes nothing."""
    dora = by_basic(locked, DORA)
    assert dora.get("/locks").status_code == 200  # the first request is remembered
    before = locked.tables()
    assert dora.delete(f"/locks/{lock_id}").status_code == 204
    assert locked.tables() == before
