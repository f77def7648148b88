"""Strangers who guess: they are stopped at the documented numbers, and keep nobody out who was here before."""

from contextlib import suppress

import pytest
from sqlalchemy import select

from authapp import logins, passwords, refusals, wizard
from authapp.audit import Actor
from authapp.errors import Busy, LoginFailed
from authapp.models import Refusal
from authapp.slots import Slots
from tests.hasher import CountingHasher
from tests.world import ADA, BOB, PASSWORD, World

HOME = "198.51.100.1"
WRONG = "Not the password at all"
OPTIONS = "throttle: {attempts: 3, account-attempts: 7, network-attempts: 5}\n"


def sign_in(world: World, username: str, password: str = PASSWORD, address: str = HOME) -> str:
    """Sign somebody in from an address."""
    by = Actor("form", address=address)
    return logins.sign_in(world.database, world.snapshot.effective, username, password, by)


def outcome(world: World, username: str, password: str, address: str) -> str:
    """Return how a sign-in ended, in one word."""
    try:
        sign_in(world, username, password, address)
    except LoginFailed as error:
        return error.reason
    return "in"


@pytest.fixture
def attacked(cast: World) -> World:
    """Ada and Bob are known at home; then strangers guess at Ada from many networks until nothing is left."""
    cast.write_config(OPTIONS)
    for name in (ADA, BOB):
        sign_in(cast, name)
    for number in range(10):
        outcome(cast, ADA, WRONG, f"192.0.2.{number}")
    return cast


def test_guessing_from_many_networks_is_stopped(attacked: World) -> None:
    """After `throttle.account-attempts` wrong passwords the right one is no use from a new network either."""
    assert attacked.events().count("sign-in wrong") == 7
    assert outcome(attacked, ADA, PASSWORD, "203.0.113.9") == "locked"


def test_the_owner_gets_in_meanwhile(attacked: World) -> None:
    """Where the owner signed in before, strangers elsewhere cannot lock the owner out."""
    assert outcome(attacked, ADA, PASSWORD, HOME) == "in"


def test_a_network_is_stopped(attacked: World) -> None:
    """From one network `throttle.network-attempts` wrong passwords are looked at, whatever names they are for."""
    reasons = [outcome(attacked, f"nobody{number}", WRONG, HOME) for number in range(8)]
    assert (reasons.count("wrong"), reasons.count("locked")) == (5, 3)
    assert outcome(attacked, BOB, PASSWORD, HOME) == "in"


def test_which_count_was_used_up_is_recorded(attacked: World) -> None:
    """The audit table says that an account was guessed at from many networks."""
    assert [entry.detail for entry in attacked.audit("sign-in.locked")] == [{"count": "account"}]


def test_who_set_up_is_known(world: World) -> None:
    """The owner is known where the setup was finished, before the first sign-in."""
    by = Actor("setup", address=HOME)
    assert wizard.finish(world.database, world.snapshot, world.setup_token(), ADA, PASSWORD, by)
    world.write_config(OPTIONS)
    for number in range(10):
        outcome(world, ADA, WRONG, f"192.0.2.{number}")
    assert outcome(world, ADA, PASSWORD, HOME) == "in"


def test_the_refused_are_not_hashed_and_write_nothing(attacked: World, hasher: CountingHasher) -> None:
    """Whoever has to wait costs one look at the database."""
    before = attacked.tables()
    outcome(attacked, ADA, PASSWORD, "203.0.113.9")
    assert (hasher.verified, attacked.tables()) == (0, before)


def test_a_flood_is_written_down_once(attacked: World) -> None:
    """All that a network was refused within a minute becomes one number, and no entries."""
    _ = [outcome(attacked, ADA, PASSWORD, "203.0.113.9") for _ in range(5)]
    refusals.flush(attacked.database)
    with attacked.database.reading() as db:
        found = {row.network: row.count for row in db.scalars(select(Refusal))}
    assert found["203.0.113.9"] == 5
    assert attacked.events().count("sign-in wrong") == 7


def test_no_place_takes_no_try(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where hashing is too busy for a stranger the try is not counted, and nothing is said of the password."""
    monkeypatch.setattr("authapp.slots.QUEUE", 0)
    monkeypatch.setattr(passwords, "SLOTS", Slots(2))
    _ = cast.snapshot
    before = cast.tables()
    for password in (PASSWORD, WRONG):
        with pytest.raises(Busy):
            sign_in(cast, BOB, password)
    assert cast.tables() == before


def test_who_is_known_gets_a_place(cast: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """While strangers are turned away, those who are known sign in."""
    sign_in(cast, BOB)
    monkeypatch.setattr("authapp.slots.QUEUE", 0)
    monkeypatch.setattr(passwords, "SLOTS", Slots(2))
    assert sign_in(cast, BOB)


def test_the_file_lifts_what_strangers_did(attacked: World) -> None:
    """An edited file lifts the owner's locks from everywhere."""
    attacked.write_credentials()
    assert outcome(attacked, ADA, PASSWORD, "203.0.113.9") == "in"


def test_a_known_user_has_tries_of_their_own(attacked: World) -> None:
    """Wrong passwords of somebody who is known end with `throttle.attempts`, and use up nobody else's."""
    with suppress(LoginFailed):
        sign_in(attacked, BOB, WRONG)
    reasons = [outcome(attacked, BOB, WRONG, HOME) for _ in range(4)]
    assert reasons == ["wrong", "wrong", "locked", "locked"]
    assert outcome(attacked, ADA, PASSWORD, HOME) == "in"
