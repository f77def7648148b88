"""Who has to wait after too many wrong passwords, for superusers to see and to lift."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from authapp import audit, permissions, settings, throttle, users
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


@dataclass(frozen=True, slots=True)
class Unlocked:
    """Who may try again: the user, whether they had to wait, and the networks of which all had to."""

    user: User
    was_locked: bool
    networks: tuple[str, ...] = ()


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
        audit.record(db, audit.UNLOCKED, by, target=user, count=lock.kind, network=lock.network)
    return True


def unlock(
    database: Database, effective: Effective, user_id: str, by: Actor, *, networks: bool = False
) -> Unlocked:
    """Let a user try again who was made to wait. Raises NotAllowed, UserNotFound.

    `networks`: and everybody in the networks that have to wait as a whole, because nobody knows from which one the
    user will come; `MOST` of them are written down and returned.
    """
    with database.writing() as db:
        settings.hold(db)
        permissions.require(db, by, permissions.RESET)
        user = users.get(db, user_id)
        account = throttle.account_of(effective.secret_key, user.username_key)
        was_locked = bool(throttle.locked(db, effective.config.throttle, [account]))
        waiting = throttle.locks(db, effective.config.throttle, MOST, kind=throttle.NETWORK) if networks else []
        if throttle.lift(db, account, networks=networks) and was_locked:
            audit.record(db, audit.UNLOCKED, by, target=user)
        for lock in waiting:
            audit.record(db, audit.UNLOCKED, by, count=lock.kind, network=lock.network)
    return Unlocked(user, was_locked, tuple(sorted(lock.network or "" for lock in waiting)))


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
