"""How many wrong passwords before somebody has to wait.

Tries are counted per account and network, in rows that all processes share, before a password is verified:
parallel requests cannot get a try more. The rows hold keyed hashes, because people type passwords into the
field for the user name.
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from authapp import clock, tokens
from authapp.config.sections import Throttle
from authapp.models import Tries


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where tries are counted: `account` for a name alone, `key` for a name from one network."""

    key: str
    account: str


def network_of(address: str) -> str:
    """Return the network an address counts for: itself for IPv4, its /64 for IPv6."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def account_of(secret_key: str, username_key: str) -> str:
    """Return what a folded user name is called in the rows."""
    return tokens.keyed_hash(_key(secret_key), username_key)


def bucket(secret_key: str, username_key: str, address: str) -> Bucket:
    """Return the bucket of a folded user name and an address."""
    account = account_of(secret_key, username_key)
    return Bucket(tokens.keyed_hash(_key(secret_key), f"{account} {network_of(address)}"), account)


def _key(secret_key: str) -> bytes:
    return tokens.derive_key(secret_key, "authapp/throttle/v1")


def take(db: Session, options: Throttle, where: Bucket) -> timedelta | None:
    """Count a try; return how long to wait instead when there is none left."""
    now = clock.now()
    row = _row(db, where, now)
    if row.locked_until and row.locked_until > now:
        return row.locked_until - now
    if row.locked_until or row.window_started_at + options.window <= now:
        row.count, row.window_started_at, row.locked_until = 0, now, None
    row.count += 1
    if row.count >= options.attempts:
        row.locked_until = now + options.lock
    _forget_old(db, now - options.window - options.lock)
    return None


def _row(db: Session, where: Bucket, now: datetime) -> Tries:
    row = db.get(Tries, where.key, with_for_update=True)
    if row is not None:
        return row
    try:
        with db.begin_nested():
            row = Tries(key=where.key, account=where.account, count=0, window_started_at=now)
            db.add(row)
    except IntegrityError:  # another node was first
        return db.get_one(Tries, where.key, with_for_update=True)
    return row


def _forget_old(db: Session, before: datetime) -> None:
    # Rows that another transaction holds are left to the next time: two that wait for each other never end.
    old = select(Tries.key).where(Tries.window_started_at < before).with_for_update(skip_locked=True)
    db.execute(delete(Tries).where(Tries.key.in_(old)).execution_options(synchronize_session=False))


def is_locked(db: Session, where: Bucket) -> bool:
    """Tell whether the try just counted was the last one."""
    row = db.get(Tries, where.key)
    return row is not None and row.locked_until is not None


def has_to_wait(db: Session, where: Bucket) -> bool:
    """Tell whether there is no try left just now."""
    row = db.get(Tries, where.key)
    return row is not None and row.locked_until is not None and row.locked_until > clock.now()


def locked(db: Session, accounts: Iterable[str]) -> set[str]:
    """Return which of these accounts have to wait now, from one network at least."""
    waiting = select(Tries.account).where(Tries.account.in_(tuple(accounts)), Tries.locked_until > clock.now())
    return set(db.scalars(waiting))


def clear(db: Session, where: Bucket) -> None:
    """Forget the tries of one account from one network: the password was right."""
    db.execute(delete(Tries).where(Tries.key == where.key))


def lift(db: Session, account: str) -> int:
    """Forget the tries of one account from everywhere; return how many rows there were."""
    return len(db.scalars(delete(Tries).where(Tries.account == account).returning(Tries.key)).all())
