"""What happened, in an append-only table."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from authapp import clock
from authapp.models import AuditEntry, User


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, and by which road: `form`, `setup`, `command line`, `config file`, `authapp`."""

    road: str
    user_id: str | None = None
    name: str = ""
    address: str = ""
    user_agent: str = ""


def record(
    db: Session, event: str, by: Actor, *, outcome: str = "success", target: User | None = None, **detail: Any
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
