"""A flood of refused sign-ins: counted in memory, written as one counter for each network and minute.

An entry of the audit table for each would let whoever floods a sign-in form fill the disk.
"""

from collections import Counter
from datetime import datetime, timedelta
from threading import Lock

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from authapp import audit, clock
from authapp.audit import Actor
from authapp.database import Database
from authapp.models import Refusal

MOST = 1024  # networks that are told apart between two writes
OTHERS = "others"
LATE = timedelta(minutes=2)  # by then every process has written what it counted in a minute
CHUNK = 200  # rows in a statement


class Refusals:
    """What this process has refused since it last wrote that down."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: Counter[tuple[datetime, str]] = Counter()

    def count(self, network: str) -> None:
        """Count one refusal; it costs no query."""
        minute = _minute()
        with self._lock:
            known = (minute, network) in self._counts or len(self._counts) < MOST
            self._counts[minute, network if known else OTHERS] += 1

    def flush(self, database: Database) -> None:
        """Add what was counted to the rows that all processes share. Raises DatabaseError; then nothing is lost."""
        with self._lock:
            taken, self._counts = self._counts, Counter()
        try:
            if taken:
                with database.writing() as db:
                    _add(db, taken)
        except Exception:
            with self._lock:
                self._counts.update(taken)
            raise


def seal(database: Database) -> int:
    """Turn the counters of minutes that are over into audit entries; return how many."""
    with database.writing() as db:
        finished = delete(Refusal).where(Refusal.minute <= _minute() - LATE)
        rows = db.execute(finished.returning(Refusal.minute, Refusal.network, Refusal.count)).all()
        for minute, network, count in sorted(rows):
            by = Actor("authapp", address=network)
            audit.record(db, "sign-in.refused", by, outcome="locked", count=count, minute=minute.isoformat())
        return len(rows)


def _minute() -> datetime:
    return clock.now().replace(second=0, microsecond=0)


def _add(db: Session, counts: Counter[tuple[datetime, str]]) -> None:
    # Every process in the same order: two that wait for each other's rows never end.
    rows = [{"minute": key[0], "network": key[1], "count": counts[key]} for key in sorted(counts)]
    dialect = sqlite if db.get_bind().dialect.name == "sqlite" else postgresql
    for start in range(0, len(rows), CHUNK):
        insert = dialect.insert(Refusal).values(rows[start : start + CHUNK])
        total = {"count": Refusal.count + insert.excluded.count}
        db.execute(insert.on_conflict_do_update(index_elements=["minute", "network"], set_=total))
