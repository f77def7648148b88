"""A flood of refused sign-ins becomes one entry for each network and minute."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import time_machine
from sqlalchemy import select

from authapp import audit, audit_chain, chores, refusals
from authapp.config.sections import Config
from authapp.database import DatabaseError
from authapp.models import Refusal
from authapp.tally import MOST, OTHERS, Tally
from tests.world import SHELL, World, at_once

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NETWORK, OTHER_NETWORK = "192.0.2.1", "2001:db8::/64"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The clock, which stands at noon until it is moved."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture
def counted(world: World, clock: time_machine.Traveller) -> Tally:
    """What a process counted at noon: three from one network, one from another."""
    del clock
    counted = world.database.refused
    for network in (NETWORK, NETWORK, OTHER_NETWORK, NETWORK):
        counted.count(network)
    return counted


def rows(world: World) -> dict[str, int]:
    """Return the counters in the database, by network, added up over the minutes."""
    found: dict[str, int] = {}
    with world.database.reading() as db:
        for row in db.scalars(select(Refusal)):
            found[row.network] = found.get(row.network, 0) + row.count
    return found


def test_counting_asks_no_database() -> None:
    """A refusal is counted in memory: there is no database it could ask."""
    counted = Tally()
    assert at_once(*[partial(counted.count, NETWORK)] * 8) == [None] * 8
    assert list(counted._counts.values()) == [8]


@pytest.mark.usefixtures("counted")
def test_one_counter_a_network(world: World) -> None:
    """What was counted is written as one row for each network, once."""
    refusals.flush(world.database)
    refusals.flush(world.database)
    assert rows(world) == {NETWORK: 3, OTHER_NETWORK: 1}


@pytest.mark.usefixtures("counted")
def test_processes_add_up(world: World) -> None:
    """Processes that write at once add to the same rows, and none of it is lost."""
    refusals.flush(world.database)
    others = [world.connect() for _ in range(4)]
    for other in others:
        other.refused.count(NETWORK)
        other.refused.count(OTHER_NETWORK)
    assert at_once(*(partial(refusals.flush, other) for other in others)) == [None] * 4
    assert rows(world) == {NETWORK: 7, OTHER_NETWORK: 5}


def test_memory_is_bounded(world: World, counted: Tally) -> None:
    """However many networks there are, so many are told apart; the rest count as others."""
    for number in range(MOST + 10):
        counted.count(f"network {number}")
    refusals.flush(world.database)
    found = rows(world)
    assert len(found) == MOST + 1
    assert (found[NETWORK], found[OTHERS]) == (3, 12)


def test_a_failed_write_loses_nothing(world: World, counted: Tally) -> None:
    """What cannot be written is kept, and added to what is counted meanwhile."""
    broken = world.database
    with broken.writing() as db:
        db.connection().exec_driver_sql("ALTER TABLE refusals RENAME TO elsewhere")
    with pytest.raises(DatabaseError):
        refusals.flush(broken)
    with broken.writing() as db:
        db.connection().exec_driver_sql("ALTER TABLE elsewhere RENAME TO refusals")
    counted.count(NETWORK)
    refusals.flush(world.database)
    assert rows(world) == {NETWORK: 4, OTHER_NETWORK: 1}


@pytest.mark.usefixtures("counted")
def test_a_minute_becomes_entries(world: World, clock: time_machine.Traveller) -> None:
    """A minute that is over becomes one entry for each network, which says how many there were."""
    refusals.flush(world.database)
    clock.shift(2 * MINUTE)
    assert refusals.seal(world.database) == 2
    told = [(entry.outcome, entry.address, entry.detail) for entry in world.audit("sign-in.refused")]
    minute = NOON.isoformat()
    assert told == [
        ("locked", NETWORK, {"count": 3, "minute": minute}),
        ("locked", OTHER_NETWORK, {"count": 1, "minute": minute}),
    ]
    assert rows(world) == {}


@pytest.mark.usefixtures("counted")
def test_a_minute_others_may_still_add_to_is_left(world: World, clock: time_machine.Traveller) -> None:
    """A minute is sealed only when every process has had the time to add to it."""
    refusals.flush(world.database)
    clock.shift(2 * MINUTE - timedelta(seconds=1))
    assert refusals.seal(world.database) == 0
    assert world.audit("sign-in.refused") == []


@pytest.mark.usefixtures("counted")
def test_processes_that_seal_at_once_tell_it_once(world: World, clock: time_machine.Traveller) -> None:
    """Of processes that seal at the same moment one writes the entries."""
    refusals.flush(world.database)
    clock.shift(2 * MINUTE)
    found = at_once(*(partial(refusals.seal, world.connect()) for _ in range(3)))
    assert sorted(found, key=str) == [0, 0, 2]
    assert len(world.audit("sign-in.refused")) == 2


@pytest.mark.usefixtures("counted")
def test_the_chores_do_it_all(world: World, clock: time_machine.Traveller) -> None:
    """Once a minute the counters are written, those of past minutes become entries, and entries are sealed."""
    chores.run(world.database, Config())
    clock.shift(2 * MINUTE)
    chores.run(world.database, Config())
    with world.database.reading() as db:
        verified = audit_chain.verify(db)
    assert isinstance(verified, audit_chain.Verified)
    assert (verified.blocks, verified.entries, verified.unsealed) == (2, 4, 0)


def test_the_chores_cut_what_is_old(world: World, clock: time_machine.Traveller) -> None:
    """Entries are kept as long as `audit.retention` says, by default 400 days, and a day."""
    chores.run(world.database, Config())
    for days in (400, 1):
        assert world.audit("installation.created")
        clock.shift(timedelta(days=days))
        with world.database.writing() as db:
            audit.record(db, "some.event", SHELL)
        clock.shift(MINUTE)
        chores.run(world.database, Config())
    assert world.audit("installation.created") == []
    assert len(world.audit("audit.cut")) == 1
