"""How many wrong passwords before somebody has to wait."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import time_machine
from sqlalchemy import select

from authapp import throttle
from authapp.config.sections import Throttle
from authapp.database import Database
from authapp.models import Tries
from authapp.throttle import Bucket
from tests.world import World, at_once

OPTIONS = Throttle(attempts=3, window=timedelta(minutes=5), lock=timedelta(minutes=15))
KEY = "a secret key for these tests"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The clock, which stands at noon until it is moved."""
    with time_machine.travel(NOON, tick=False) as coordinates:
        yield coordinates


def bucket(name: str = "bob", address: str = "192.0.2.1") -> Bucket:
    """Return where tries for a name from an address are counted."""
    return throttle.bucket(KEY, name, address)


def take(
    world: World, where: Bucket | None = None, times: int = 1, options: Throttle = OPTIONS
) -> timedelta | None:
    """Take some tries; return what the last one was told."""
    wait: timedelta | None = None
    for _ in range(times):
        with world.database.writing() as db:
            wait = throttle.take(db, options, where or bucket())
    return wait


# -- where tries are counted ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("unix:", "unknown"),
    ],
)
def test_networks(address: str, network: str) -> None:
    """An IPv4 address counts for itself, an IPv6 address for its /64."""
    assert throttle.network_of(address) == network


def test_buckets_are_keyed_hashes() -> None:
    """A bucket does not tell whose it is: another secret key gives another one for the same name."""
    here, elsewhere = bucket(), throttle.bucket("another secret key", "bob", "192.0.2.1")
    assert {len(here.key), len(here.account)} == {64}
    assert not {here.key, here.account} & {elsewhere.key, elsewhere.account}


def test_buckets_of_one_account_share_it() -> None:
    """One name from two networks is one account in two buckets."""
    one, other = bucket(address="192.0.2.1"), bucket(address="192.0.2.2")
    assert one.account == other.account
    assert one.key != other.key
    assert one.account != bucket("bobby").account


# -- counting -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("clock")
def test_as_many_tries_as_the_option_says(world: World) -> None:
    """There are `throttle.attempts` tries; the next one is told to wait `throttle.lock`."""
    assert take(world, times=3) is None
    assert take(world) == timedelta(minutes=15)


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("other", [bucket("dora"), bucket(address="192.0.2.2"), bucket(address="2001:db8::1")])
def test_others_need_not_wait(world: World, other: Bucket) -> None:
    """Other accounts, and the same account from other networks, have counts of their own."""
    take(world, times=4)
    assert take(world, other, times=3) is None


@pytest.mark.usefixtures("clock")
def test_one_network_has_one_count(world: World) -> None:
    """Addresses of one /64 share their tries."""
    take(world, bucket(address="2001:db8::1"), times=3)
    assert take(world, bucket(address="2001:db8::2"))


def test_the_window_ends(world: World, clock: time_machine.Traveller) -> None:
    """Tries are forgotten when the window is over, and not before."""
    take(world, times=2)
    clock.shift(OPTIONS.window)
    assert take(world, times=3) is None
    assert take(world) is not None


def test_the_window_begins_with_the_first_try(world: World, clock: time_machine.Traveller) -> None:
    """A moment before the window's end the earlier tries still count."""
    take(world, times=2)
    clock.shift(OPTIONS.window - INSTANT)
    assert take(world) is None
    assert take(world) is not None


def test_the_wait_gets_shorter(world: World, clock: time_machine.Traveller) -> None:
    """Whoever comes back early is told what is left of the wait, and does not make it longer."""
    take(world, times=3)
    clock.shift(timedelta(minutes=5))
    assert take(world, times=5) == timedelta(minutes=10)


def test_the_lock_ends(world: World, clock: time_machine.Traveller) -> None:
    """A moment before the lock's end one still waits; then all tries are there again."""
    take(world, times=3)
    clock.shift(OPTIONS.lock - INSTANT)
    assert take(world) == INSTANT
    clock.shift(INSTANT)
    assert take(world, times=3) is None
    assert take(world) == OPTIONS.lock


def test_a_right_password_clears_one_bucket(world: World) -> None:
    """Clearing gives all tries back to that account from that network, and to no other."""
    other = bucket(address="192.0.2.2")
    take(world, times=2)
    take(world, other, times=2)
    with world.database.writing() as db:
        throttle.clear(db, bucket())
    assert take(world, times=3) is None
    assert take(world, other, times=2) is not None


def test_lifting_an_account_frees_it_everywhere(world: World) -> None:
    """Lifting forgets an account's tries from all networks, tells how many, and leaves others alone."""
    for where in (bucket(), bucket(address="192.0.2.2"), bucket("dora")):
        take(world, where, times=3)
    with world.database.writing() as db:
        assert throttle.lift(db, bucket().account) == 2
    assert take(world) is None
    assert take(world, bucket("dora")) is not None


def test_locked_is_told_with_the_last_try(world: World) -> None:
    """Only the last try leaves the bucket locked."""
    for expected in (False, False, True):
        take(world)
        with world.database.reading() as db:
            assert throttle.is_locked(db, bucket()) is expected


def test_old_rows_are_deleted(world: World, clock: time_machine.Traveller) -> None:
    """Rows that can matter no more do not pile up."""
    for number in range(5):
        take(world, bucket(f"name{number}"), times=number)
    clock.shift(OPTIONS.window + OPTIONS.lock + INSTANT)
    take(world, bucket("last"))
    with world.database.reading() as db:
        assert db.scalars(select(Tries.key)).all() == [bucket("last").key]


def test_a_lock_outlives_the_cleaning(world: World, clock: time_machine.Traveller) -> None:
    """Cleaning up after other people's tries never ends a lock early."""
    take(world, times=2)
    clock.shift(OPTIONS.window - INSTANT)
    take(world)
    clock.shift(OPTIONS.lock - INSTANT)
    take(world, bucket("dora"))
    assert take(world) == INSTANT


# -- many at once ---------------------------------------------------------------------------------------------


def test_parallel_tries_are_all_counted(world: World) -> None:
    """Of many tries at the same moment, by several processes, no more than the option says are let through."""
    _ = world.database

    def take_some(database: Database) -> list[timedelta | None]:
        told = []
        for _ in range(3):
            with database.writing() as db:
                told.append(throttle.take(db, OPTIONS, bucket()))
        return told

    outcomes = at_once(*(partial(take_some, world.connect()) for _ in range(4)))
    told = [wait for outcome in outcomes if isinstance(outcome, list) for wait in outcome]
    assert len(told) == 12
    assert told.count(None) == 3


def test_two_old_buckets_at_once(
    world: World, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two people who come back after a long time at the same moment do not get in each other's way."""
    take(world, bucket("bob"))
    take(world, bucket("dora"))
    clock.shift(timedelta(days=1))
    both_found, found = threading.Barrier(2), throttle._row

    def find_together(*arguments: object) -> Tries:
        row = found(*arguments)  # type: ignore[arg-type]  # passed on as they came
        with suppress(threading.BrokenBarrierError):  # on SQLite one waits for the other
            both_found.wait(0.5)
        return row

    monkeypatch.setattr(throttle, "_row", find_together)
    assert at_once(partial(take, world, bucket("bob")), partial(take, world, bucket("dora"))) == [None, None]
