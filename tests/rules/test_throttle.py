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
    """Return where tries for a name from an address are counted; each name is somebody's."""
    return throttle.bucket(KEY, name, address, f"id of {name}")


def take(
    world: World, where: Bucket | None = None, times: int = 1, options: Throttle = OPTIONS
) -> timedelta | None:
    """Take some tries; return what the last one was told."""
    wait: timedelta | None = None
    for _ in range(times):
        with world.database.writing() as db:
            wait = throttle.take(db, options, where or bucket()).wait
    return wait


def succeed(world: World, where: Bucket) -> None:
    """Sign in, with one try."""
    with world.database.writing() as db:
        taken = throttle.take(db, OPTIONS, where)
        assert taken.wait is None
        throttle.succeed(db, where, taken)


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
    hashes = (here.key, here.account, here.network_key, here.known_key)
    assert {len(text) for text in hashes} == {64}
    assert not {*hashes} & {elsewhere.key, elsewhere.account, elsewhere.network_key, elsewhere.known_key}


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
        throttle.clear(db, bucket(), throttle.Taken(None))
    assert take(world, times=3) is None
    assert take(world, other, times=2) is not None


def test_lifting_an_account_frees_it_everywhere(world: World) -> None:
    """Lifting forgets an account's tries from all networks, tells how many, and leaves others alone."""
    for where in (bucket(), bucket(address="192.0.2.2"), bucket("dora")):
        take(world, where, times=3)
    with world.database.writing() as db:
        assert throttle.lift(db, bucket().account) == 3  # two networks, and all together
    assert take(world) is None
    assert take(world, bucket("dora")) is not None


def test_the_last_try_says_so(world: World) -> None:
    """Only the last try of a count says that it was the last one."""
    for expected in ((), (), (throttle.TRIES,)):
        with world.database.writing() as db:
            assert throttle.take(db, OPTIONS, bucket()).used_up == expected


def test_old_rows_are_deleted(world: World, clock: time_machine.Traveller) -> None:
    """Rows that can matter no more do not pile up."""
    for number in range(5):
        take(world, bucket(f"name{number}"), times=number)
    clock.shift(timedelta(hours=1))
    last = bucket("last")
    take(world, last)
    with world.database.reading() as db:
        kept = {key.partition("/")[2] for key in db.scalars(select(Tries.key))}
    assert kept == {last.key, last.account, last.network_key}


def test_a_lock_outlives_the_cleaning(world: World, clock: time_machine.Traveller) -> None:
    """Cleaning up after other people's tries never ends a lock early."""
    take(world, times=2)
    clock.shift(OPTIONS.window - INSTANT)
    take(world)
    clock.shift(OPTIONS.lock - INSTANT)
    take(world, bucket("dora"))
    assert take(world) == INSTANT


# -- the counts that are shared with others, and whom they do not touch ------------------------------------------


WIDE = Throttle(attempts=3, account_attempts=7, network_attempts=5, window=timedelta(minutes=5))


def guess(world: World, where: Bucket) -> timedelta | None:
    """Take one try with limits that are close together."""
    return take(world, where, options=WIDE)


@pytest.mark.usefixtures("clock")
def test_an_account_has_one_count_over_all_networks(world: World) -> None:
    """Guesses from many networks are counted together, and end with `throttle.account-attempts` an hour."""
    waits = [guess(world, bucket(address=f"192.0.2.{number}")) for number in range(9)]
    assert waits == [None] * 7 + [timedelta(hours=1)] * 2


@pytest.mark.usefixtures("clock")
def test_a_network_has_one_count_over_all_accounts(world: World) -> None:
    """Guesses at many names from one network end with `throttle.network-attempts` a window."""
    waits = [guess(world, bucket(f"name{number}")) for number in range(7)]
    assert waits == [None] * 5 + [WIDE.window] * 2


def test_strangers_cannot_lock_out_who_is_known(world: World) -> None:
    """Whoever signed in from a network has all tries there while strangers use up those of the account."""
    home = bucket(address="198.51.100.1")
    succeed(world, home)
    for number in range(9):
        guess(world, bucket(address=f"192.0.2.{number}"))
    assert [guess(world, home) for _ in range(3)] == [None] * 3
    assert guess(world, home) is not None


def test_who_is_known_is_not_held_up_by_the_network(world: World) -> None:
    """Whoever signed in from a network has all tries there while others of that network have none left."""
    succeed(world, bucket())
    for number in range(7):
        guess(world, bucket(f"name{number}"))
    assert guess(world, bucket("stranger")) is not None
    assert guess(world, bucket()) is None


def test_tries_of_who_is_known_are_nobody_elses(world: World) -> None:
    """Wrong passwords of somebody who is known use up nothing of what strangers share."""
    succeed(world, bucket())
    for _ in range(5):
        guess(world, bucket())
    assert guess(world, bucket("dora")) is None


@pytest.mark.parametrize(("days", "is_known"), [(29, True), (30, False)])
def test_known_for_thirty_days(world: World, clock: time_machine.Traveller, days: int, *, is_known: bool) -> None:
    """A sign-in is remembered for 30 days."""
    succeed(world, bucket())
    clock.shift(timedelta(days=days))
    with world.database.reading() as db:
        assert throttle.is_known(db, bucket()) is is_known


def test_a_sign_in_renews_what_is_known(world: World, clock: time_machine.Traveller) -> None:
    """Each sign-in counts anew."""
    for _ in range(3):
        succeed(world, bucket())
        clock.shift(timedelta(days=20))
    with world.database.reading() as db:
        assert throttle.is_known(db, bucket())


def test_known_is_the_user_and_not_the_name(world: World) -> None:
    """Somebody else who bears the name later is not known, and under another name one still is."""
    succeed(world, bucket())
    heir = throttle.bucket(KEY, "bob", "192.0.2.1", "another id")
    renamed = throttle.bucket(KEY, "robert", "192.0.2.1", "id of bob")
    with world.database.reading() as db:
        assert (throttle.is_known(db, heir), throttle.is_known(db, renamed)) == (False, True)


def test_a_success_clears_only_its_own_count(world: World) -> None:
    """Whoever can sign in gets no more guesses at others by doing so in between."""
    for number in range(4):
        guess(world, bucket(f"name{number}"))
        succeed(world, bucket("mallory"))
    assert guess(world, bucket("name8")) is None
    assert guess(world, bucket("name9")) is not None


# -- locks are seen, lifted, and few -----------------------------------------------------------------------------


def test_locks_are_listed(world: World) -> None:
    """A superuser sees who has to wait from where, and which networks have no try left."""
    for number in range(7):
        guess(world, bucket(f"name{number // 3}"))
    with world.database.reading() as db:
        seen = {(lock.kind, lock.user_id, lock.network) for lock in throttle.locks(db, WIDE, 10)}
    assert seen == {(throttle.TRIES, "id of name0", "192.0.2.1"), (throttle.NETWORK, None, "192.0.2.1")}


def test_a_lock_is_lifted(world: World) -> None:
    """One lock is lifted by its key, and then there are tries again."""
    take(world, times=4)
    with world.database.writing() as db:
        (lock,) = throttle.locks(db, OPTIONS, 10)
        assert throttle.lift_lock(db, lock.key)
    assert take(world) is None


def test_what_is_known_is_no_lock(world: World) -> None:
    """Nobody is made a stranger by lifting locks."""
    succeed(world, bucket())
    with world.database.writing() as db:
        throttle.lift(db, bucket().account, networks=True)
        assert not throttle.lift_lock(db, f"{throttle.KNOWN}/{bucket().known_key}")
        assert throttle.is_known(db, bucket())


def test_lifting_an_owners_locks_frees_the_networks(world: World) -> None:
    """Whoever can edit the file need not wait for what others did in the same network."""
    for number in range(6):
        guess(world, bucket(f"name{number}"))
    with world.database.writing() as db:
        throttle.lift(db, bucket().account, networks=True)
    assert guess(world, bucket()) is None


def test_a_flood_of_names_frees_nobody(world: World) -> None:
    """When there are too many counts, the lowest go, and nobody becomes a stranger."""
    succeed(world, bucket("dora"))
    take(world, times=4)
    for number in range(20):
        take(world, bucket(f"name{number}", f"192.0.2.{number + 10}"))
    with world.database.writing() as db:
        assert throttle.trim(db, 4) > 20
        assert throttle.is_known(db, bucket("dora"))
    assert take(world) is not None


def test_many_users_free_nobody(world: World) -> None:
    """However many users are known somewhere, whoever has to wait goes on waiting; of the known the oldest go."""
    take(world, times=4)
    for number in range(10):
        succeed(world, bucket(f"name{number}", f"192.0.2.{number + 10}"))
    with world.database.writing() as db:
        assert throttle.trim(db, 100, most_known=3) == 7
        assert [throttle.is_known(db, bucket(f"name{n}", f"192.0.2.{n + 10}")) for n in (0, 9)] == [False, True]
    assert take(world) is not None


# -- many at once ---------------------------------------------------------------------------------------------


def test_parallel_tries_are_all_counted(world: World) -> None:
    """Of many tries at the same moment, by several processes, no more than the option says are let through."""
    _ = world.database

    def take_some(database: Database) -> list[timedelta | None]:
        told = []
        for _ in range(3):
            with database.writing() as db:
                told.append(throttle.take(db, OPTIONS, bucket()).wait)
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
    both_found, left = threading.Barrier(2), throttle._left

    def find_together(*arguments: object) -> timedelta | None:
        wait = left(*arguments)  # type: ignore[arg-type]  # passed on as they came
        with suppress(threading.BrokenBarrierError):  # on SQLite one waits for the other
            both_found.wait(0.5)
        return wait

    monkeypatch.setattr(throttle, "_left", find_together)
    assert at_once(partial(take, world, bucket("bob")), partial(take, world, bucket("dora"))) == [None, None]
