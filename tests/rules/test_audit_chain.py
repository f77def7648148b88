"""Audit entries are sealed into a chain; whatever is changed afterwards is found."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from sqlalchemy import select, text

from authapp import audit, audit_chain, audit_cuts
from authapp.audit_chain import Broken, Verified
from authapp.models import AuditBlock, AuditEntry
from tests.world import PASSWORD, SHELL, World, at_once

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
CHANGES: dict[str, Any] = {
    "id": 4711,
    "at": "2029-01-01 00:00:00.000000+00:00",
    "detail": json.dumps({"number": 9}),
} | dict.fromkeys(
    ["event", "outcome", "road", "actor_id", "actor", "address", "target_id", "target"], "something else"
)
COPY = """
    INSERT INTO audit (id, at, event, outcome, road, actor, address, target, detail, block_id)
    SELECT {id}, at, event, outcome, road, actor, address, target, detail, {block} FROM audit LIMIT 1
"""
LONG_AGO = "2020-01-01 00:00:00.000000+00:00"
DEEP = "[" * 20_000 + "]" * 20_000
WRITE_CUT = "INSERT INTO settings (key, value, updated_at) VALUES ('audit.cut', :cut, :at)"
COPY_OF_BLOCK = """
    INSERT INTO audit_blocks (id, first_id, last_id, count, sealed_at, seals, previous_mac, mac)
    SELECT :id, first_id, last_id, count, sealed_at, seals, 'made up', 'made up' FROM audit_blocks LIMIT 1
"""
# PostgreSQL takes no value that is none of its column.
only_sqlite = pytest.mark.sqlite(reason="PostgreSQL takes no such values")


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """The clock, which stands at noon until it is moved."""
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def record(world: World, count: int = 1) -> None:
    """Let things happen."""
    with world.database.writing() as db:
        for number in range(count):
            audit.record(db, "some.event", SHELL, number=number)


def sealed(world: World, blocks: int = 1) -> None:
    """Let things happen and seal them, two entries a block beside what an installation begins with."""
    for _ in range(blocks):
        record(world, 2)
        assert audit_chain.seal(world.database) >= 2


def verify(world: World) -> Verified | Broken:
    """Look through the chain."""
    with world.database.reading() as db:
        return audit_chain.verify(db)


def whole(world: World) -> Verified:
    """Look through the chain, which must be whole."""
    found = verify(world)
    assert isinstance(found, Verified), str(found)
    return found


def broken(world: World) -> tuple[int, int | None]:
    """Look through the chain, which must be broken; return in which block and with which entry."""
    found = verify(world)
    assert isinstance(found, Broken), "the chain is whole"
    return found.block, found.entry


def change(world: World, statement: str, **values: Any) -> None:
    """Change the database behind authapp's back."""
    with world.database.writing() as db:
        db.execute(text(statement), values)


def entry_of(world: World, block: int) -> int:
    """Return the last entry of a block."""
    with world.database.reading() as db:
        wanted = select(AuditEntry.id).where(AuditEntry.block_id == block).order_by(AuditEntry.id.desc())
        return db.scalars(wanted).first() or 0


def blocks(world: World) -> list[AuditBlock]:
    """Return the blocks, in their order."""
    with world.database.reading() as db:
        return list(db.scalars(select(AuditBlock).order_by(AuditBlock.id)))


# -- sealing --------------------------------------------------------------------------------------------------


def test_nothing_to_seal(world: World) -> None:
    """A chain without blocks is whole; its entries wait to be sealed."""
    assert whole(world) == Verified(None, audit_chain.START, 0, 0, unsealed=1)


def test_everything_is_sealed(world: World) -> None:
    """Sealing takes every entry that is in no block, and makes the key when there is none."""
    record(world, 3)
    assert audit_chain.seal(world.database) == 5  # with "installation.created" and "audit.key-made"
    found = whole(world)
    assert (found.block, found.blocks, found.entries, found.unsealed) == (1, 1, 5, 0)
    assert found.mac == blocks(world)[0].mac


def test_nothing_new_makes_no_block(world: World) -> None:
    """A minute in which nothing happened makes no block."""
    sealed(world)
    assert audit_chain.seal(world.database) == 0
    assert len(blocks(world)) == 1


def test_a_block_follows_the_one_before(world: World) -> None:
    """Each block names the MAC of the one before it, and the entries it holds."""
    sealed(world, 3)
    first, second, third = blocks(world)
    assert (second.previous_mac, third.previous_mac) == (first.mac, second.mac)
    assert (second.count, second.first_id, second.last_id) == (2, first.last_id + 1, third.first_id - 1)


def test_large_blocks_are_parted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A block has a largest size, so that other writers need not wait for long; nothing is left over."""
    monkeypatch.setattr(audit_chain, "LARGEST", 2)
    record(world, 5)
    assert audit_chain.seal(world.database) == 7
    assert [block.count for block in blocks(world)] == [2, 2, 2, 1]
    assert whole(world).unsealed == 0


def test_many_blocks_are_verified_in_parts(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain that does not fit into memory is looked through part by part."""
    monkeypatch.setattr(audit_chain, "PAGE", 2)
    sealed(world, 5)
    assert whole(world).blocks == 5


def test_a_late_entry_goes_into_the_next_block(world: World) -> None:
    """An entry that is committed after later ones were sealed is sealed next, and nothing is missing."""
    sealed(world)
    change(world, COPY.format(id=-7, block="NULL"))
    assert audit_chain.seal(world.database) == 1
    assert (blocks(world)[1].first_id, whole(world).blocks) == (-7, 2)


def test_two_that_seal_at_once_make_one_chain(world: World) -> None:
    """Processes that seal at the same moment make one chain, with every entry in it once."""
    record(world, 4)
    sealers = [partial(audit_chain.seal, world.connect()) for _ in range(4)]
    assert sorted(at_once(*sealers), key=str) == [0, 0, 0, 6]
    record(world, 2)
    assert sum(map(int, map(str, at_once(*sealers)))) == 2
    assert (whole(world).blocks, whole(world).entries) == (2, 8)


def test_an_entry_that_is_undone_leaves_no_gap(world: World) -> None:
    """A number that a failed transaction took is missed by nobody."""
    with world.database.writing() as db:
        audit.record(db, "some.event", SHELL)
        db.flush()
        db.rollback()
    sealed(world)
    assert whole(world).unsealed == 0


# -- what is found --------------------------------------------------------------------------------------------


def test_every_column_is_sealed() -> None:
    """What an entry says is under its seal, all of it but the block it is in."""
    assert {column.name for column in AuditEntry.__table__.columns} == {*audit_chain.COLUMNS, "block_id"}
    assert set(CHANGES) == set(audit_chain.COLUMNS)


@pytest.mark.parametrize("column", CHANGES)
def test_a_changed_entry_is_found(world: World, column: str) -> None:
    """Whatever is changed in a sealed entry is found, and the entry named."""
    sealed(world, 3)
    entry = entry_of(world, 2)
    change(world, f"UPDATE audit SET {column} = :new WHERE id = :id", new=CHANGES[column], id=entry)  # noqa: S608 - ours
    assert broken(world) == (2, entry)


@only_sqlite
@pytest.mark.parametrize(
    "garbage", ["detail = '{'", "at = 'never'", "at = 4711", "actor = x'41'", f"detail = '{DEEP}'"]
)
def test_an_unreadable_entry_is_found(world: World, garbage: str) -> None:
    """An entry that cannot be read any more is named; it does not stop the verification."""
    sealed(world, 2)
    entry = entry_of(world, 2)
    change(world, f"UPDATE audit SET {garbage} WHERE id = :id", id=entry)  # noqa: S608 - ours
    assert broken(world) == (2, entry)


def test_a_removed_entry_is_found(world: World) -> None:
    """A sealed entry that is gone is named."""
    sealed(world, 3)
    entry = entry_of(world, 2)
    change(world, "DELETE FROM audit WHERE id = :id", id=entry)
    assert broken(world) == (2, entry)


@pytest.mark.parametrize("block", [None, 1, 3, 99])
def test_a_moved_entry_is_found(world: World, block: int | None) -> None:
    """A sealed entry that was taken out of its block, or put into another, is found."""
    sealed(world, 3)
    entry = entry_of(world, 2)
    change(world, "UPDATE audit SET block_id = :block WHERE id = :id", block=block, id=entry)
    audit_chain.seal(world.database)
    assert broken(world) == (block if block == 1 else 2, entry)


def test_an_inserted_entry_is_found(world: World) -> None:
    """An entry that is put into a sealed block is named."""
    sealed(world, 3)
    change(world, COPY.format(id=4711, block=2))
    assert broken(world) == (2, 4711)


def test_an_entry_of_no_block_is_found(world: World) -> None:
    """An entry that claims a block that is not there is found: nobody would ever seal it."""
    sealed(world)
    record(world)
    change(world, "UPDATE audit SET block_id = 99 WHERE block_id IS NULL")
    assert broken(world)[0] == 99


@pytest.mark.parametrize("block", [-(2**63), -1, 0, 99])
def test_a_block_put_in_beside_the_chain_is_found(world: World, block: int) -> None:
    """A block that is no link of the chain is found, whatever its number: what is in there was never sealed."""
    sealed(world, 2)
    change(world, COPY_OF_BLOCK, id=block)
    change(world, COPY.format(id=4711, block=block))
    assert isinstance(verify(world), Broken)


@pytest.mark.parametrize("column", ["first_id", "last_id", "count", "sealed_at", "seals", "previous_mac", "mac"])
def test_a_changed_block_is_found(world: World, column: str) -> None:
    """Whatever is changed in a block is found, and the block named."""
    sealed(world, 3)
    new = {"sealed_at": CHANGES["at"], "seals": "[]"}.get(column, "x" if "mac" in column else 4711)
    change(world, f"UPDATE audit_blocks SET {column} = :new WHERE id = 2", new=new)  # noqa: S608 - ours
    assert broken(world) == (2, None)


@only_sqlite
@pytest.mark.parametrize("garbage", ["seals = '{'", "sealed_at = 'never'", "sealed_at = 4711", f"seals = '{DEEP}'"])
def test_an_unreadable_block_is_found(world: World, garbage: str) -> None:
    """A block that cannot be read any more is named; it does not stop the verification."""
    sealed(world, 3)
    change(world, f"UPDATE audit_blocks SET {garbage} WHERE id = 2")  # noqa: S608 - ours
    assert broken(world) == (2, None)


def test_swapped_blocks_are_found(world: World) -> None:
    """Two blocks that change places, with their entries, are found."""
    sealed(world, 4)
    for table, column in (("audit_blocks", "id"), ("audit", "block_id")):
        for old, new in ((2, 99), (3, 2), (99, 3)):
            change(world, f"UPDATE {table} SET {column} = :new WHERE {column} = :old", old=old, new=new)  # noqa: S608 - ours
    assert broken(world) == (2, None)


@pytest.mark.parametrize("block", [1, 2])
def test_a_removed_block_is_found(world: World, block: int) -> None:
    """A block that is gone with all its entries is named, also the first."""
    sealed(world, 3)
    change(world, "DELETE FROM audit WHERE block_id = :block", block=block)
    change(world, "DELETE FROM audit_blocks WHERE id = :block", block=block)
    assert broken(world) == (block, None)


def test_a_removed_end_is_found_by_a_kept_mac(world: World) -> None:
    """The newest blocks can be removed unseen, except by somebody who kept their MAC."""
    sealed(world, 3)
    kept = [block.mac for block in blocks(world)]
    change(world, "DELETE FROM audit WHERE block_id = 3")
    change(world, "DELETE FROM audit_blocks WHERE id = 3")
    assert whole(world).mac == kept[1]
    with world.database.reading() as db:
        assert [audit_chain.has(db, mac) for mac in kept] == [True, True, False]


def test_another_key_is_found(world: World) -> None:
    """Without the key that sealed it, no block verifies; a new key is made and recorded, and helps nobody."""
    sealed(world, 2)
    change(world, "DELETE FROM settings WHERE key = 'audit.key'")
    sealed(world)
    assert broken(world) == (1, None)
    assert len(world.audit("audit.key-made")) == 2


# -- cutting --------------------------------------------------------------------------------------------------


def aged(world: World, clock: time_machine.Traveller) -> None:
    """Make a block a day for ten days, with two entries each."""
    for _ in range(10):
        sealed(world)
        clock.shift(timedelta(days=1))


def test_old_blocks_are_cut(world: World, clock: time_machine.Traveller) -> None:
    """Blocks older than wanted are cut off whole; what is left still verifies, and an entry says what went."""
    aged(world, clock)
    assert audit_cuts.retain(world.database, timedelta(days=5, hours=1)) == 12
    assert [block.id for block in blocks(world)] == [6, 7, 8, 9, 10]
    assert whole(world).unsealed == 1
    assert [entry.detail for entry in world.audit("audit.cut")] == [{"entries": 12, "through_block": 5}]


@pytest.mark.parametrize(
    ("changed", "days"), [(f"sealed_at = '{LONG_AGO}'", 100), ("mac = 'x'", 5), ("seals = '[]'", 5)]
)
def test_what_was_changed_is_not_cut(world: World, clock: time_machine.Traveller, changed: str, days: int) -> None:
    """Whoever makes blocks look older than they are does not have authapp cut them off: the change is found."""
    aged(world, clock)
    change(world, f"UPDATE audit_blocks SET {changed} WHERE id <= 5")  # noqa: S608 - ours
    assert audit_cuts.retain(world.database, timedelta(days=days)) == 0
    assert len(blocks(world)) == 10
    assert broken(world) == (1, None)


def test_the_chain_goes_on_after_a_cut(world: World, clock: time_machine.Traveller) -> None:
    """However old they are, the newest block is never cut off, and the next one follows it."""
    aged(world, clock)
    last = whole(world).mac
    audit_cuts.retain(world.database, timedelta(hours=1))
    assert (whole(world).blocks, whole(world).mac) == (1, last)
    sealed(world)
    assert [block.id for block in blocks(world)] == [10, 11]
    assert blocks(world)[1].previous_mac == last


def test_a_mac_that_was_cut_off_is_not_there(world: World, clock: time_machine.Traveller) -> None:
    """Only a block that is there has a MAC that was kept, not the note of a cut: anybody could write one."""
    aged(world, clock)
    kept = blocks(world)[4].mac
    audit_cuts.retain(world.database, timedelta(days=5, hours=1))
    with world.database.reading() as db:
        assert not audit_chain.has(db, kept)


def test_a_cut_waits_for_a_day(world: World, clock: time_machine.Traveller) -> None:
    """Only a whole day of old blocks is cut, so that not every minute tells of a cut."""
    aged(world, clock)
    assert audit_cuts.retain(world.database, timedelta(days=9, hours=1)) == 0
    assert len(blocks(world)) == 10


def test_nothing_is_cut_unsealed(world: World, clock: time_machine.Traveller) -> None:
    """However old an entry is: while it is in no block, it stays."""
    record(world, 2)
    clock.shift(timedelta(days=500))
    assert audit_cuts.retain(world.database, timedelta(days=1)) == 0
    assert len(world.audit("some.event")) == 2


def test_a_chain_made_anew_is_found_by_a_kept_mac(world: World) -> None:
    """Whoever has the entries sealed anew, changed, cannot pass the MAC that was kept for one that was cut off."""
    sealed(world, 2)
    kept = whole(world).mac
    change(world, "UPDATE audit SET block_id = NULL, actor = 'somebody else'")
    change(world, "DELETE FROM audit_blocks")
    change(world, WRITE_CUT, cut=json.dumps({"block": 0, "mac": kept, "seal": ""}), at=CHANGES["at"])
    sealed(world)
    assert whole(world).mac != kept
    with world.database.reading() as db:
        assert not audit_chain.has(db, kept)


@pytest.mark.parametrize("cut", [[1], "x", {"block": "x"}, 4711])
def test_a_note_of_a_cut_that_makes_no_sense_is_none(world: World, cut: Any) -> None:
    """What stands in place of the note of a cut, and was never written by authapp, stops no verification."""
    sealed(world)
    change(world, WRITE_CUT, cut=json.dumps(cut), at=CHANGES["at"])
    assert whole(world).blocks == 1


def test_a_forged_cut_is_found(world: World) -> None:
    """Whoever removes the first blocks and writes that authapp had cut them off is found."""
    sealed(world, 3)
    forged = {"block": 1, "mac": blocks(world)[0].mac, "seal": blocks(world)[0].mac}
    change(world, "DELETE FROM audit WHERE block_id = 1")
    change(world, "DELETE FROM audit_blocks WHERE id = 1")
    change(world, WRITE_CUT, cut=json.dumps(forged), at=CHANGES["at"])
    assert broken(world) == (1, None)


# -- secrets --------------------------------------------------------------------------------------------------


def test_blocks_hold_nothing_secret(cast: World) -> None:
    """Neither blocks nor entries hold the key, a password or a hash of one."""
    sealed(cast)
    tables = cast.tables()
    shown = str([tables["audit"], tables["audit_blocks"]])
    assert cast.setting(audit_chain.KEY) not in shown
    assert PASSWORD not in shown
    assert "$argon2" not in shown
    assert len(cast.setting(audit_chain.KEY)) == 43
