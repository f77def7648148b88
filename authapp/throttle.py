"""How many wrong passwords before somebody has to wait.

Three counts, in rows that all processes and nodes share: per account and network, per account over all networks,
and per network over all accounts. Whoever signed in from a network within 30 days is known there, and has only the
first count, which strangers elsewhere cannot touch. A try is counted before its password is verified: parallel
requests cannot get one more. The rows hold keyed hashes, because people type passwords into the field for the user
name.
"""

import ipaddress
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select
from sqlalchemy.orm import Session

from authapp import clock, tokens
from authapp.base import delete_free, is_to_come
from authapp.config.sections import Throttle
from authapp.models import Tries

if TYPE_CHECKING:
    from authapp.counters import Counters, Limit

    Limits = list[tuple[Limit, str, dict[str, str | None]]]

TRIES, ACCOUNT, NETWORK, KNOWN = "tries", "account", "network", "known"
KINDS = (TRIES, ACCOUNT, NETWORK)  # of locks
ACCOUNT_WINDOW = timedelta(hours=1)
KNOWN_FOR = timedelta(days=30)
MOST_ROWS = 100_000  # counts; about 30 MB
MOST_KNOWN = 1_000_000  # users in networks; about 300 MB, and each took a sign-in that succeeded
TRIM_EVERY = 128  # tries: counting the rows costs as much as a few of them


@dataclass(frozen=True, slots=True)
class Bucket:
    """Where a try is counted: a name from a network, as keyed hashes.

    `key` is that of both, `known_key` that of the user and the network. `network` and `user_id` are what a
    superuser sees of a lock.
    """

    key: str
    account: str
    network_key: str
    known_key: str
    network: str
    user_id: str | None


@dataclass(frozen=True, slots=True)
class Taken:
    """A try: how long to wait instead, if there was none left.

    `known`: it counts only where strangers do not. `used_up`: the counts whose last try it was.
    """

    wait: timedelta | None
    known: bool = False
    used_up: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lock:
    """Somebody who has to wait: a name from a network, a name from everywhere, or a whole network."""

    key: str
    kind: str
    network: str | None
    user_id: str | None
    until: datetime


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


def bucket(secret_key: str, username_key: str, address: str, user_id: str | None = None) -> Bucket:
    """Return the bucket of a folded user name and an address; `user_id` is whose name it is."""
    key, account, network = _key(secret_key), account_of(secret_key, username_key), network_of(address)
    return Bucket(
        tokens.keyed_hash(key, f"{account} {network}"),
        account,
        tokens.keyed_hash(key, f"network {network}"),
        tokens.keyed_hash(key, f"user {user_id} {network}"),
        network,
        user_id,
    )


def _key(secret_key: str) -> bytes:
    return tokens.derive_key(secret_key, "authapp/throttle/v1")


def _counters(db: Session, longest: timedelta, **about: str | None) -> "Counters":
    # Its library takes longer to import than most commands take to run, and few of them count tries.
    from authapp.counters import About, Counters  # noqa: PLC0415 - see above

    return Counters(db, longest, About(**about))


def _limits(options: Throttle, where: Bucket, *, known: bool) -> "Limits":
    """Return the limits that count, with their keys and what their rows say.

    They are always in this order: two tries that waited for each other's rows would never end.
    """
    from authapp.counters import Limit  # noqa: PLC0415 - it imports the same library

    account, network, user_id = where.account, where.network, where.user_id
    shared = [
        (
            Limit(ACCOUNT, options.account_attempts, ACCOUNT_WINDOW),
            account,
            {"account": account, "user_id": user_id},
        ),
        (Limit(NETWORK, options.network_attempts, options.window), where.network_key, {"network": network}),
    ]
    own = Limit(TRIES, options.attempts, options.window)
    return [
        *(() if known else shared),
        (own, where.key, {"account": account, "network": network, "user_id": user_id}),
    ]


def is_known(db: Session, where: Bucket) -> bool:
    """Tell whether this user signed in from this network lately."""
    row = db.get(Tries, f"{KNOWN}/{where.known_key}", populate_existing=True)
    return row is not None and clock.now() < row.expires_at <= clock.now() + 2 * KNOWN_FOR


def has_to_wait(db: Session, options: Throttle, where: Bucket, *, alone: bool = False) -> timedelta | None:
    """Return how long there is no try left, or None; counts nothing. `alone` as in `take`."""
    return _left(db, options, _limits(options, where, known=alone or is_known(db, where)))


def _longest(options: Throttle) -> timedelta:
    return max(options.window, options.lock, ACCOUNT_WINDOW)


def _left(db: Session, options: Throttle, limits: "Limits") -> timedelta | None:
    counters = _counters(db, _longest(options))
    used_up = [(limit, key) for limit, key, _ in limits if counters.is_used_up(limit, key)]
    return max((counters.left(limit, key) for limit, key in used_up), default=None)


def take(db: Session, options: Throttle, where: Bucket, *, alone: bool = False) -> Taken:
    """Count a try, or say how long to wait when there is none left.

    `alone`: what is counted is no sign-in, so that it is nobody's account and nothing to block a network for.
    """
    known = alone or is_known(db, where)
    limits = _limits(options, where, known=known)
    if (wait := _left(db, options, limits)) is not None:
        return Taken(wait, known)
    used_up = []
    for limit, key, about in limits:
        counters = _counters(db, _longest(options), **about)
        if not counters.hit(limit, key):  # another try was faster
            return Taken(counters.left(limit, key), known)
        if counters.is_used_up(limit, key):
            used_up.append(limit.namespace)
            if limit.namespace == TRIES:
                counters.storage.keep(limit.key_for(key), clock.now() + options.lock)
    _forget_old(db)
    return Taken(None, known, tuple(used_up))


def _forget_old(db: Session) -> None:
    delete_free(db, Tries.key, Tries.expires_at <= clock.now())
    if secrets.randbelow(TRIM_EVERY) == 0:
        trim(db)


def trim(db: Session, most: int = MOST_ROWS, most_known: int = MOST_KNOWN) -> int:
    """Delete rows beyond so many; return how many.

    Of the counts the lowest go first, so that a flood of new names frees nobody who waits. Who is known where has
    rows of its own, of which the oldest go: many users must not push out the counts, nor a flood the users.
    """
    is_known = Tries.key.startswith(f"{KNOWN}/")
    known, rows = db.execute(select(func.count(case((is_known, 1))), func.count()).select_from(Tries)).one()
    gone = _trim(db, ~is_known, rows - known - most, Tries.count, Tries.expires_at)
    return gone + _trim(db, is_known, known - most_known, Tries.expires_at)


def _trim(db: Session, which: ColumnElement[bool], too_many: int, *order: Any) -> int:
    if too_many <= 0:
        return 0
    rows = select(Tries.key).where(which).order_by(*order).limit(too_many).with_for_update(skip_locked=True)
    first = rows.cte("first")  # as a subquery PostgreSQL may ask it again for each row, and delete more
    gone = delete(Tries).where(Tries.key.in_(select(first.c.key))).returning(Tries.key)
    return len(db.scalars(gone.execution_options(synchronize_session=False)).all())


def succeed(db: Session, where: Bucket, taken: Taken) -> None:
    """Write down that a sign-in succeeded: its own count is cleared, and the user is known in this network."""
    clear(db, where, taken)
    know(db, where)


def know(db: Session, where: Bucket) -> None:
    """Remember that this user was let in from this network."""
    storage, key = _counters(db, KNOWN_FOR, user_id=where.user_id).storage, f"{KNOWN}/{where.known_key}"
    storage.incr(key, round(KNOWN_FOR.total_seconds()))
    storage.keep(key, clock.now() + KNOWN_FOR)


def clear(db: Session, where: Bucket, taken: Taken) -> None:
    """Forget the tries of one account from one network, and take this one off the counts it shares with others."""
    storage = _counters(db, ACCOUNT_WINDOW).storage
    if not taken.known:
        storage.give_back(f"{ACCOUNT}/{where.account}")
        storage.give_back(f"{NETWORK}/{where.network_key}")
    storage.clear(f"{TRIES}/{where.key}")


# -- seeing and lifting locks ---------------------------------------------------------------------------------


def _is_used_up(options: Throttle) -> ColumnElement[bool]:
    """Return the condition for rows that make somebody wait."""
    most = ((TRIES, options.attempts), (ACCOUNT, options.account_attempts), (NETWORK, options.network_attempts))
    full = or_(*(and_(Tries.key.startswith(f"{kind}/"), Tries.count >= number) for kind, number in most))
    return and_(full, is_to_come(Tries.expires_at, _longest(options)))


def locked(db: Session, options: Throttle, accounts: Iterable[str]) -> set[str]:
    """Return which of these accounts have to wait now, from one network at least."""
    waiting = select(Tries.account).where(Tries.account.in_(tuple(accounts)), _is_used_up(options))
    return {account for account in db.scalars(waiting) if account is not None}


def locks(db: Session, options: Throttle, limit: int, *, kind: str = "") -> Sequence[Lock]:
    """Return who has to wait now, the longest first; of one kind alone, if one is given."""
    wanted = select(Tries).where(_is_used_up(options), *([Tries.key.startswith(f"{kind}/")] if kind else []))
    return [_lock(row) for row in db.scalars(wanted.order_by(Tries.expires_at.desc()).limit(limit))]


def lock(db: Session, options: Throttle, key: str) -> Lock | None:
    """Return the lock with a key, if it makes somebody wait now."""
    row = db.scalar(select(Tries).where(Tries.key == key, _is_used_up(options)))
    return _lock(row) if row else None


def _lock(row: Tries) -> Lock:
    return Lock(row.key, row.key.partition("/")[0], row.network, row.user_id, row.expires_at)


def count_locks(db: Session, options: Throttle) -> dict[str, int]:
    """Return how many have to wait now, of each kind."""
    kind = case(*((Tries.key.startswith(f"{one}/"), one) for one in KINDS)).label("kind")
    found = select(kind, func.count()).where(_is_used_up(options)).group_by("kind")
    return dict.fromkeys(KINDS, 0) | dict(db.execute(found).all())


def lift(db: Session, account: str, *, networks: bool = False) -> int:
    """Forget the tries of one account from everywhere; return how many rows there were.

    `networks`: also those of all networks, because nobody knows from which one its owner will come.
    """
    mine = Tries.account == account
    # Held in the order in which a try counts (`_limits`), or the two would wait for each other.
    db.scalars(select(Tries.key).where(mine).order_by(Tries.key).with_for_update()).all()
    lifted = db.scalars(delete(Tries).where(mine).returning(Tries.key)).all()
    if networks:
        delete_free(db, Tries.key, Tries.key.startswith(f"{NETWORK}/"))
    return len(lifted)


def lift_lock(db: Session, key: str) -> bool:
    """Forget one count; tell whether it was there."""
    wanted = delete(Tries).where(Tries.key == key, ~Tries.key.startswith(f"{KNOWN}/"))
    return bool(db.scalars(wanted.returning(Tries.key)).all())
