"""Old audit entries, cut off in whole blocks from the beginning of the chain."""

from contextlib import closing
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from authapp import audit, audit_chain, clock, settings
from authapp.audit_chain import AUTHAPP, CUT, UNREADABLE, Wrong
from authapp.database import Database
from authapp.logs import log
from authapp.models import AuditBlock, AuditEntry

CUT_AFTER = timedelta(days=1)  # how much more than wanted is kept, so that one entry a day tells what was cut
LATELY = timedelta(days=30)  # when the newest block of yesterday or before was made, unless the clock jumped
NEWEST = select(func.max(AuditBlock.id)).scalar_subquery()


def retain(database: Database, older_than: timedelta) -> int:
    """Cut off whole blocks from the beginning, once the first is a day older than wanted; return how many entries.

    Only while they are as they were sealed: whoever puts back a block's time must not have it cut off as old.
    The last MAC that was cut off is kept, under a MAC of its own, so that what is left still verifies. The newest
    block stays, and a clock that went ahead cuts nothing: what was sealed a day ago has to be of lately, too.
    """
    before = clock.now() - older_than
    with database.reading() as db:
        if not _is_due(db, before):
            return 0
    with database.writing() as db:
        key = audit_chain.held_key(db)
        last = _last_before(db, before) if _is_due(db, before) else None
        return _cut_through(db, key, last) if last and _is_as_sealed(db, key, last) else 0


def _is_due(db: Session, before: datetime) -> bool:
    now, at = clock.now(), AuditBlock.sealed_at
    sane = select(at).where(AuditBlock.id < NEWEST, at <= now + CUT_AFTER)
    oldest = db.scalar(sane.order_by(AuditBlock.id).limit(1))  # none that was made while the clock was ahead
    if oldest is None or oldest >= before - CUT_AFTER:
        return False
    latest = db.scalar(select(at).where(at <= now - CUT_AFTER).order_by(AuditBlock.id.desc()).limit(1))
    return latest is not None and latest > now - LATELY


def _last_before(db: Session, before: datetime) -> AuditBlock | None:
    """Return the last of the blocks at the beginning that are old enough."""
    young = select(func.min(AuditBlock.id)).where(AuditBlock.sealed_at.between(before, clock.now() + CUT_AFTER))
    end = db.scalar(young) or db.scalar(select(NEWEST))
    return db.scalar(select(AuditBlock).where(AuditBlock.id < end).order_by(AuditBlock.id.desc()).limit(1))


def _is_as_sealed(db: Session, key: bytes, last: AuditBlock) -> bool:
    """Tell whether the blocks from the beginning to this one are links of the chain; if not, say so."""
    old = select(AuditBlock).where(AuditBlock.id <= last.id).order_by(AuditBlock.id)
    end = audit_chain.beginning(db, key)
    try:
        with closing(db.scalars(old.execution_options(yield_per=audit_chain.PAGE))) as blocks:
            for block in blocks:
                end = audit_chain.follow(key, end, block)
    except (Wrong, *UNREADABLE):
        log.error("nothing is cut off the audit table: somebody changed old blocks; run: authapp audit verify")
        return False
    return True


def _cut_through(db: Session, key: bytes, last: AuditBlock) -> int:
    gone = audit_chain.count(db, AuditEntry.block_id <= last.id)
    db.execute(delete(AuditEntry).where(AuditEntry.block_id <= last.id))
    db.execute(delete(AuditBlock).where(AuditBlock.id <= last.id))
    seal_of_cut = audit_chain.mac_of(key, "cut", [last.id, last.mac])
    settings.store(db, CUT, {"block": last.id, "mac": last.mac, "seal": seal_of_cut})
    audit.record(db, "audit.cut", AUTHAPP, entries=gone, through_block=last.id)
    return gone
