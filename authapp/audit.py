"""What happened, in an append-only table."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from authapp import clock
from authapp.models import AuditEntry, User

SIGN_IN = "sign-in"
SET_UP = "setup.completed"  # signs the owner in, too
EXPORTED = "audit.exported"
UNLOCKED = "sign-in.unlocked"
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
    db: Session,
    event: str,
    by: Actor,
    *,
    outcome: str = SUCCESS,
    target: User | str | None = None,
    **detail: Any,
) -> None:
    """Add an entry to the transaction at hand; `detail` must hold nothing secret.

    A `target` that is text is what stands for a name that nobody bears.
    """
    user = target if isinstance(target, User) else None
    db.add(
        AuditEntry(
            at=clock.now(),
            event=event,
            outcome=outcome,
            road=by.road,
            actor_id=by.user_id,
            actor=by.name[:256],
            address=by.address[:64],
            target_id=user.id if user else None,
            target=user.username if user else target or "",
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
