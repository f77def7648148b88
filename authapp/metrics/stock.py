"""What the database says of the installation: the same for all workers and nodes."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from cachetools import TTLCache
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from authapp import audit, clock, issued_tokens, nodes, permissions, sessions, throttle
from authapp.audit import Actor
from authapp.config.overlay import Effective
from authapp.database import Database, current_schema
from authapp.metrics.meter import Numbers
from authapp.models import AuditEntry, Refusal, Role, Scope, Token, User

RECENT = timedelta(minutes=5)
KEPT = 5.0  # seconds the answer is kept: many who ask cost the database no more than one
ROADS, OUTCOMES = ("form", audit.BASIC, audit.API), (audit.SUCCESS, "wrong")  # those shown also when there are none
SQLITE_BYTES = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
POSTGRESQL_BYTES = "SELECT pg_database_size(current_database())"

Sample = tuple[str, dict[str, str], float]


class Stock:
    """The numbers of the database, kept for a few seconds."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._kept: TTLCache[str, Numbers] = TTLCache(1, KEPT, timer)

    def numbers(self, database: Database, effective: Effective, by: Actor) -> Numbers:
        """Return them. Raises NotAllowed, DatabaseError."""
        with self._lock, database.reading() as db:
            permissions.require(db, by, permissions.SEE_METRICS)
            if (known := self._kept.get("")) is None:
                found = look(db, effective, is_sqlite=database.is_sqlite)
                known = {(name, tuple(labels.items())): value for name, labels, value in found}
                self._kept[""] = known
            return known


def look(db: Session, effective: Effective, *, is_sqlite: bool) -> Iterator[Sample]:
    """Yield the name of each number, its labels and its value."""
    options = effective.config
    yield from _users(db)
    yield "sessions", {}, sessions.count(db, options.session)
    yield from _tokens(db)
    for kind, number in throttle.count_locks(db, options.throttle).items():
        yield "locks", {"kind": kind}, number
    yield from _sign_ins(db, clock.now() - RECENT)
    yield "recent_lockouts", {}, _lockouts(db, clock.now() - RECENT)
    yield from _audit(db)
    for version, number in Counter(node.version for node in nodes.live(db)).items():
        yield "nodes", {"version": version}, number
    yield "schema", {}, int(current_schema(db.connection()) or 0)
    yield "database_bytes", {}, db.scalar(text(SQLITE_BYTES if is_sqlite else POSTGRESQL_BYTES)) or 0


def _users(db: Session) -> Iterator[Sample]:
    # One look at each row; grouping would read them in the order of an index, which takes ten times as long.
    waits = User.signed_up & ~User.is_active & User.last_login_at.is_(None)  # as `User.waits_for_activation`
    states = {"active": User.is_active, "inactive": ~User.is_active & ~waits, "waiting": waits}
    kinds = [(role.value, name) for role in Role for name in states]
    counts = [func.count().filter(User.role == role, states[name]) for role, name in kinds]
    found = db.execute(select(*counts).select_from(User)).one()
    for (role, name), number in zip(kinds, found, strict=True):
        yield "users", {"role": role, "state": name}, number


def _tokens(db: Session) -> Iterator[Sample]:
    alive = select(Token.scope, func.count()).join(User, User.id == Token.user_id).where(issued_tokens.opens())
    found = dict(db.execute(alive.group_by(Token.scope)).all())
    for scope in Scope:
        yield "api_tokens", {"scope": scope.value}, found.get(scope, 0)


def _sign_ins(db: Session, since: datetime) -> Iterator[Sample]:
    """Yield the sign-ins by road and outcome; the common ones also where there were none."""
    # Numbers grow with time: so it is a range of the index over events, and not every sign-in there ever was.
    first = select(AuditEntry.id).where(AuditEntry.at >= since).order_by(AuditEntry.at).limit(1).scalar_subquery()
    recent = select(AuditEntry.road, AuditEntry.outcome, func.count())
    recent = recent.where(AuditEntry.event == audit.SIGN_IN, AuditEntry.id >= first)
    found = Counter({(road, outcome): 0 for road in ROADS for outcome in OUTCOMES})
    for road, outcome, number in db.execute(recent.group_by(AuditEntry.road, AuditEntry.outcome)):
        found[road, outcome] = number
    for (road, outcome), number in found.items():
        yield "recent_sign_ins", {"road": road, "outcome": outcome}, number


def _lockouts(db: Session, since: datetime) -> int:
    """Count what is still in the counters, and what was written down of them since."""
    counted = db.scalar(select(func.sum(Refusal.count)).where(Refusal.minute >= since)) or 0
    number = AuditEntry.detail["count"].as_integer()
    written = select(func.sum(number)).where(AuditEntry.at >= since, AuditEntry.event == "sign-in.refused")
    return counted + (db.scalar(written) or 0)


def _audit(db: Session) -> Iterator[Sample]:
    waiting = AuditEntry.block_id.is_(None)
    yield "unsealed_audit_entries", {}, db.scalar(select(func.count()).where(waiting)) or 0
    oldest = db.scalar(select(AuditEntry.at).where(waiting).order_by(AuditEntry.id).limit(1))
    age = clock.now() - oldest if oldest else timedelta()
    yield "unsealed_audit_age_seconds", {}, max(age.total_seconds(), 0)
