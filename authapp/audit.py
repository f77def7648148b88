"""What happened, in an append-only table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from authapp import clock
from authapp.models import AuditEntry, User

SIGN_IN = "sign-in"
SET_UP = "setup.completed"  # signs the owner in, too
SUCCESS = "success"
BASIC, API = "basic", "api"  # the roads of programs: HTTP Basic, and all else below /api
MODE_NONE = "mode none"  # the road of everybody where nobody signs in


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and by which road: `form`, `setup`, `mode none`, `command line`, a layer, `authapp`."""

    road: str
    user_id: str | None = None
    name: str = ""
    address: str = ""
    user_agent: str = ""


def record(
    db: Session, event: str, by: Actor, *, outcome: str = SUCCESS, target: User | None = None, **detail: Any
) -> None:
    """Add an entry to the transaction at hand; `detail` must hold nothing secret."""
    db.add(
        AuditEntry(
            at=clock.now(),
            event=event,
            outcome=outcome,
            road=by.road,
            actor_id=by.user_id,
            actor=by.name[:256],
            address=by.address[:64],
            target_id=target.id if target else None,
            target=target.username if target else "",
            detail=detail,
        )
    )


@dataclass(frozen=True, slots=True)
class LastSignIn:
    """A user's sign-in before this one, if there was one, and how many tries failed since."""

    at: datetime | None
    address: str
    failures: int


def last_sign_in(db: Session, user_id: str, before: datetime) -> LastSignIn:
    """Return a user's last sign-in before a moment (the beginning of the session at hand)."""
    mine = (AuditEntry.target_id == user_id, AuditEntry.at < before)
    # The wizard signs the owner in, too; the command line that finishes the setup does not.
    set_up = (AuditEntry.event == SET_UP) & (AuditEntry.actor_id == user_id)
    # Programs do so all the time; that is no sign-in to tell a person about.
    by_person = (AuditEntry.event == SIGN_IN) & (AuditEntry.outcome == SUCCESS)
    by_person &= AuditEntry.road.not_in((BASIC, API))
    signed_in = by_person | set_up
    last = db.scalar(select(AuditEntry).where(*mine, signed_in).order_by(AuditEntry.id.desc()).limit(1))
    failed = select(func.count()).where(*mine, AuditEntry.event == SIGN_IN, AuditEntry.outcome != SUCCESS)
    failures = db.scalar(failed.where(AuditEntry.id > last.id) if last else failed) or 0
    return LastSignIn(last.at if last else None, last.address if last else "", failures)


def facts(entry: AuditEntry) -> dict[str, Any]:
    """Return what programs are told of an entry."""
    return {
        "id": entry.id,
        "at": entry.at.isoformat(),
        "event": entry.event,
        "outcome": entry.outcome,
        "road": entry.road,
        "actor_id": entry.actor_id,
        "actor": entry.actor,
        "address": entry.address,
        "target_id": entry.target_id,
        "target": entry.target,
        "detail": entry.detail or {},
    }


def entries(
    db: Session,
    *,
    user_id: str = "",
    event: str = "",
    outcome: str = "",
    before: int | None = None,
    limit: int = 50,
) -> list[AuditEntry]:
    """Return what happened, newest first: all of it, or what has to do with a user, an event, an outcome."""

    def newest(*conditions: ColumnElement[bool]) -> Sequence[AuditEntry]:
        wanted = select(AuditEntry).where(*conditions).order_by(AuditEntry.id.desc()).limit(limit)
        if event:
            wanted = wanted.where(AuditEntry.event == event)
        if outcome:
            wanted = wanted.where(AuditEntry.outcome == outcome)
        return db.scalars(wanted.where(AuditEntry.id < before) if before is not None else wanted).all()

    if not user_id:
        return list(newest())
    # One index each; a single query for both would read the whole table.
    both = (AuditEntry.target_id, AuditEntry.actor_id)
    found = {entry.id: entry for column in both for entry in newest(column == user_id)}
    return [found[number] for number in sorted(found, reverse=True)[:limit]]


def history(db: Session, user_id: str, *, before: int | None = None, limit: int = 50) -> list[AuditEntry]:
    """Return what a user did and what was done to them, newest first; `before` is an entry's id to go on from."""
    return entries(db, user_id=user_id, before=before, limit=limit)
