"""Audit entries, sealed into a chain of blocks, so that a later change of them is found.

Once a minute the entries that are in no block yet become one. A block holds a keyed hash (a MAC) of each of its
entries, and its own MAC covers those and the MAC of the block before it. What is in which block stands in the
entries: one that is committed late, under a lower id than others, simply goes into the next block.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from authapp import audit, clock, settings, tokens
from authapp.audit import Actor
from authapp.database import Database
from authapp.models import AuditBlock, AuditEntry, Setting

KEY, CUT = "audit.key", "audit.cut"  # rows of the Settings table: the key; the last block that was cut off
LARGEST = 1000  # entries in a block: SQLite's other writers wait while one is made
PAGE = 100  # blocks that are verified at a time
LOWEST = -(2**63)  # no number of ours, but one that somebody may give a block they put in
UNREADABLE = (ValueError, TypeError, RecursionError)  # of what somebody wrote by hand into SQLite, which takes all
START = "0" * 64  # the MAC before the first block's
CHANGED = "was changed, or sealed under another key"
COLUMNS = (
    "id", "at", "event", "outcome", "road", "actor_id", "actor", "address", "target_id", "target", "detail",
)  # fmt: skip
AUTHAPP = Actor("authapp")


@dataclass(frozen=True, slots=True)
class Verified:
    """The chain is whole: its newest block (None while there is none), and how much is in it and waits for it."""

    block: int | None
    mac: str
    blocks: int
    entries: int
    unsealed: int


@dataclass(frozen=True, slots=True)
class Broken:
    """The first thing that is wrong: in which block, with which entry (None when it is the block itself)."""

    block: int
    entry: int | None
    reason: str
    unsealed: int = 0

    def __str__(self) -> str:
        """Say it in a sentence."""
        where = f"Entry {self.entry} of block {self.block}" if self.entry is not None else f"Block {self.block}"
        return f"{where} {self.reason}."


@dataclass(frozen=True, slots=True)
class End:
    """Where a chain goes on: the last block's number and MAC."""

    block: int = 0
    mac: str = START


class Wrong(Exception):
    """What was found while looking through the chain."""

    def __init__(self, block: int, entry: int | None, reason: str) -> None:
        self.found = Broken(block, entry, reason)


# -- sealing --------------------------------------------------------------------------------------------------


def seal(database: Database) -> int:
    """Seal every entry that is in no block yet; return how many there were."""
    total = sealed = _seal_block(database)
    while sealed == LARGEST:
        total += (sealed := _seal_block(database))
    return total


def _seal_block(database: Database) -> int:
    with database.reading() as db:
        if db.scalar(_waiting().limit(1)) is None:
            return 0
    with database.writing() as db:
        key = held_key(db)
        entries = db.scalars(_waiting().limit(LARGEST)).all()
        if entries:  # else another process was first
            db.add(block := _block(key, _end(db, key), entries))
            sealed = update(AuditEntry).where(AuditEntry.id.in_([entry.id for entry in entries]))
            db.execute(sealed.values(block_id=block.id).execution_options(synchronize_session=False))
        return len(entries)


def _waiting() -> Any:
    return select(AuditEntry).where(AuditEntry.block_id.is_(None)).order_by(AuditEntry.id)


def held_key(db: Session) -> bytes:
    """Return the key, made when there is none, and hold its row: of two that seal at once, the second waits."""
    held = select(Setting.value).where(Setting.key == KEY).with_for_update()
    if (key := db.scalar(held)) is None:
        settings.hold(db)  # two that both find none make one
        if (key := db.scalar(held)) is None:
            settings.store(db, KEY, key := tokens.generate())
            audit.record(db, "audit.key-made", AUTHAPP)
    return str(key).encode()


def _end(db: Session, key: bytes) -> End:
    newest = db.scalar(select(AuditBlock).order_by(AuditBlock.id.desc()).limit(1))
    return End(newest.id, newest.mac) if newest else beginning(db, key)


def _block(key: bytes, end: End, entries: Sequence[AuditEntry]) -> AuditBlock:
    seals = [[entry.id, _entry_mac(key, entry)] for entry in entries]
    block = AuditBlock(
        id=end.block + 1,
        first_id=seals[0][0],
        last_id=seals[-1][0],
        count=len(seals),
        sealed_at=clock.now(),
        seals=seals,
        previous_mac=end.mac,
    )
    block.mac = _block_mac(key, block)
    return block


def _entry_mac(key: bytes, entry: Any) -> str:
    return mac_of(key, "entry", {name: getattr(entry, name) for name in COLUMNS} | {"at": entry.at.isoformat()})


def _block_mac(key: bytes, block: AuditBlock) -> str:
    ids = [block.id, block.first_id, block.last_id, block.count]
    return mac_of(key, "block", [block.previous_mac, *ids, block.sealed_at.isoformat(), block.seals])


def mac_of(key: bytes, kind: str, value: Any) -> str:
    """Return the MAC of a value in one form of JSON, the same on every database."""
    text = json.dumps([f"authapp/audit/{kind}/v1", value], sort_keys=True, default=lambda odd: [repr(odd)])
    return tokens.keyed_hash(key, text)


# -- verifying ------------------------------------------------------------------------------------------------


def verify(db: Session) -> Verified | Broken:
    """Look through the whole chain; return what is in it, or the first thing that is wrong."""
    unsealed = count(db, AuditEntry.block_id.is_(None))
    key = str(settings.load(db, KEY) or "").encode()
    try:
        end, blocks, entries = beginning(db, key), 0, 0
        for block, rows in _blocks(db):
            end = _verified(key, end, block, rows)
            blocks, entries = blocks + 1, entries + len(rows)
        _require_no_strays(db)
    except Wrong as wrong:
        return Broken(wrong.found.block, wrong.found.entry, wrong.found.reason, unsealed)
    return Verified(end.block or None, end.mac, blocks, entries, unsealed)


def has(db: Session, mac: str) -> bool:
    """Tell whether a MAC that was kept is that of a block that is there; what was cut off proves nothing."""
    return count(db, AuditBlock.mac == mac.strip().lower(), AuditBlock.id) > 0


def count(db: Session, condition: Any, column: Any = AuditEntry.id) -> int:
    """Return how many entries there are like this, or with a block's column, how many blocks."""
    return db.scalar(select(func.count(column)).where(condition)) or 0


def _blocks(db: Session) -> Iterator[tuple[AuditBlock, dict[int, Any]]]:
    """Yield each block with the entries that say they are in it, by id; so much at a time as fits into memory."""
    first = LOWEST
    while page := _page(db, first):
        rows = _entries(db, page[0].id, page[-1].id)
        for block in page:
            yield block, rows.get(block.id, {})
        first = page[-1].id + 1
        db.expunge_all()


def _page(db: Session, first: int) -> Sequence[AuditBlock]:
    blocks = select(AuditBlock).where(AuditBlock.id >= first).order_by(AuditBlock.id)
    for size in (PAGE, 1):  # a page may hold what cannot be read; then block after block, up to that one
        with suppress(*UNREADABLE):
            return db.scalars(blocks.limit(size)).all()
    raise Wrong(db.scalar(blocks.with_only_columns(AuditBlock.id).limit(1)) or 0, None, CHANGED)


def _entries(db: Session, first: int, last: int) -> dict[int, dict[int, Any]]:
    """Return the entries of some blocks: by block, then by id."""
    found: dict[int, dict[int, Any]] = {}
    try:
        for row in db.execute(_columns().where(AuditEntry.block_id.between(first, last))):
            found.setdefault(row.block_id, {})[row.id] = row
    except UNREADABLE:  # what stands there is no time, or no JSON
        _require_readable(db, first, last)
        raise
    return found


def _columns() -> Any:
    return select(*(getattr(AuditEntry, name) for name in (*COLUMNS, "block_id")))


def _require_readable(db: Session, first: int, last: int) -> None:
    places = select(AuditEntry.block_id, AuditEntry.id).where(AuditEntry.block_id.between(first, last))
    for block, entry in db.execute(places.order_by(AuditEntry.block_id, AuditEntry.id)).all():
        try:
            db.execute(_columns().where(AuditEntry.id == entry)).all()
        except UNREADABLE:
            raise Wrong(block or 0, entry, "was changed") from None


def _verified(key: bytes, end: End, block: AuditBlock, rows: dict[int, Any]) -> End:
    """Return the end of the chain with one more block; raises Wrong."""
    link = follow(key, end, block)
    seals: dict[int, str] = dict(block.seals)
    for number in sorted({*seals, *rows}):
        if number not in rows:
            raise Wrong(block.id, number, "was removed")
        if number not in seals:
            raise Wrong(block.id, number, "was put in after the block was sealed")
        if seals[number] != _entry_mac(key, rows[number]):
            raise Wrong(block.id, number, "was changed")
    return link


def follow(key: bytes, end: End, block: AuditBlock) -> End:
    """Return the end of the chain with one more block, whatever became of its entries; raises Wrong."""
    if block.id != end.block + 1:
        raise Wrong(end.block + 1, None, "was removed")
    if block.previous_mac != end.mac:
        raise Wrong(block.id, None, "does not follow the block before it")
    if block.mac != _block_mac(key, block):
        raise Wrong(block.id, None, CHANGED)
    return End(block.id, block.mac)


def _require_no_strays(db: Session) -> None:
    """Refuse entries that say they are in a block that is not there: nobody would ever seal them."""
    known = select(AuditBlock.id).where(AuditBlock.id == AuditEntry.block_id).exists()
    strays = select(AuditEntry.block_id, AuditEntry.id).where(AuditEntry.block_id.is_not(None), ~known)
    if stray := db.execute(strays.order_by(AuditEntry.block_id, AuditEntry.id).limit(1)).first():
        raise Wrong(stray.block_id, stray.id, "is there, but the block is not")


# -- its beginning ----------------------------------------------------------------------------------------------


def beginning(db: Session, key: bytes) -> End:
    """Return where the chain begins: after what was cut off, if that is what authapp wrote itself."""
    row = found if isinstance(found := settings.load(db, CUT), dict) else {}
    end = End(row.get("block", 0), row.get("mac", START))
    return end if row.get("seal") == mac_of(key, "cut", [end.block, end.mac]) else End()
