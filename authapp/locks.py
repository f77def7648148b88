"""Who has to wait after too many wrong passwords, for superusers to see and to lift."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from authapp import audit, permissions, settings, throttle
from authapp.audit import Actor
from authapp.config.overlay import Effective
from authapp.database import Database
from authapp.models import User
from authapp.throttle import Lock

MOST = 500  # in one list


@dataclass(frozen=True, slots=True)
class Seen:
    """A lock, and whose it is: None when nobody bears the name, or for a whole network."""

    lock: Lock
    user: User | None

    @property
    def id(self) -> str:
        """What the lock is called in addresses."""
        return self.lock.key.replace("/", "-")


def seen(db: Session, effective: Effective) -> Sequence[Seen]:
    """Return who has to wait now, the longest first; `MOST` of them."""
    found = throttle.locks(db, effective.config.throttle, MOST)
    ids = {lock.user_id for lock in found if lock.user_id is not None}
    users = {user.id: user for user in db.scalars(select(User).where(User.id.in_(ids)))}
    return [Seen(lock, users.get(lock.user_id or "")) for lock in found]


def lift(database: Database, effective: Effective, lock_id: str, by: Actor) -> bool:
    """Let whom a lock made wait try again; tell whether there was one. Raises NotAllowed."""
    with database.writing() as db:
        settings.hold(db)
        permissions.require(db, by, permissions.RESET)
        # By its key, not from the list, which may be shorter than they are many.
        lock = throttle.lock(db, effective.config.throttle, lock_id.replace("-", "/", 1))
        if lock is None or not throttle.lift_lock(db, lock.key):
            return False
        user = db.get(User, lock.user_id) if lock.user_id else None
        audit.record(db, "sign-in.unlocked", by, target=user, count=lock.kind, network=lock.network)
    return True


def facts(one: Seen) -> dict[str, Any]:
    """Return what programs are told of a lock."""
    return {
        "id": one.id,
        "kind": one.lock.kind,
        "network": one.lock.network,
        "user_id": one.user.id if one.user else None,
        "username": one.user.username if one.user else None,
        "until": one.lock.until.isoformat(),
    }
