"""A flood of refused sign-ins: counted in memory, written as one counter for each network and minute.

An entry of the audit table for each would let whoever floods a sign-in form fill the disk.
"""

from collections import Counter
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from authapp import audit, clock
from authapp.audit import Actor
from authapp.database import Database
from authapp.models import Refusal
from authapp.tally import minute_of

WRONG = timedelta(hours=1)  # a minute so far ahead was counted by a clock that was wrong
LATE = timedelta(minutes=2)  # by then every process has written what it counted in a minute
CHUNK = 200  # rows in a statement


def flush(database: Database) -> None:
    """Add what this process counted to the rows that all share. Raises DatabaseError; then nothing is lost."""
    taken = database.refused.take()
    try:
        if taken:
            with database.writing() as db:
                _add(db, taken)
    except Exception:
        database.refused.put_back(taken)
        raise


def seal(database: Database) -> int:
    """Turn the counters of minutes that are over into audit entries; return how many."""
    with database.writing() as db:
        minute = minute_of(clock.now())
        is_over = (Refusal.minute <= minute - LATE) | (Refusal.minute > minute + WRONG)
        finished = delete(Refusal).where(is_over)
        rows = db.execute(finished.returning(Refusal.minute, Refusal.network, Refusal.count)).all()
        for minute, network, count in sorted(rows):
            by = Actor("authapp", address=network)
            audit.record(db, "sign-in.refused", by, outcome="locked", count=count, minute=minute.isoformat())
        return len(rows)


def _add(db: Session, counts: Counter[tuple[datetime, str]]) -> None:
    # Every process in the same order: two that wait for each other's rows never end.
    rows = [{"minute": key[0], "network": key[1], "count": counts[key]} for key in sorted(counts)]
    dialect = sqlite if db.get_bind().dialect.name == "sqlite" else postgresql
    for start in range(0, len(rows), CHUNK):
        insert = dialect.insert(Refusal).values(rows[start : start + CHUNK])
        total = {"count": Refusal.count + insert.excluded.count}
        db.execute(insert.on_conflict_do_update(index_elements=["minute", "network"], set_=total))
