"""HTTP Basic (RFC 7617): reading the header, and not paying for the same password at every request."""

import base64
import hmac
import secrets
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cachetools import TTLCache
from sqlalchemy.orm import Session

from authapp import clock, logins, names, throttle, tokens, users
from authapp.audit import Actor
from authapp.config.overlay import Effective
from authapp.database import Database
from authapp.errors import BadCredentials, Busy
from authapp.logins import Identity
from authapp.models import User

MOST_REMEMBERED = 1024
REMEMBERED_FOR = 600  # seconds; not for safety, which every request sees to, but to hold nothing for ever
TURNS = 64
QUEUE = 20  # strangers that may wait for a turn; each holds a thread, and a program may begin with so many requests


@dataclass(frozen=True, slots=True)
class Sent:
    """A user name and password as a header carried them."""

    username: str
    password: str = field(repr=False)


def parse(header: str) -> Sent:
    """Return what an `Authorization: Basic` header carries; raises BadCredentials for anything else.

    One scheme, one space or more, base64 with its padding, UTF-8, split at the first colon; a header sent twice
    arrives as one with a comma in it, which is no base64.
    """
    scheme, _, encoded = header.partition(" ")
    try:
        text = base64.b64decode(encoded.strip(" "), validate=True).decode()
    except ValueError:
        raise BadCredentials from None
    username, colon, password = text.partition(":")
    if scheme.lower() != "basic" or not colon or any(unicodedata.category(sign) == "Cc" for sign in text):
        raise BadCredentials
    return Sent(username, password)


@dataclass(frozen=True, slots=True)
class _Known:
    """Whose password was right, and for which hash."""

    user_id: str
    password_hash: str = field(repr=False)


class Remembered:
    """What this process verified lately, under hashes whose key nobody else has and which dies with it."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._key = secrets.token_bytes(32)
        self._known: TTLCache[bytes, _Known] = TTLCache(MOST_REMEMBERED, REMEMBERED_FOR, timer)
        self._lock = threading.Lock()
        self._turns = tuple(threading.Lock() for _ in range(TURNS))
        self._strangers_waiting = 0

    def key_of(self, sent: Sent) -> bytes:
        """Return what credentials are remembered under; a user name holds no colon, so it is theirs alone."""
        return hmac.digest(self._key, f"{sent.username}:{sent.password}".encode(), tokens.HASH)

    def get(self, key: bytes) -> _Known | None:
        """Return what is known of credentials."""
        with self._lock:
            return self._known.get(key)

    def put(self, key: bytes, known: _Known | None) -> None:
        """Remember credentials, or forget them."""
        with self._lock:
            if known is None:
                self._known.pop(key, None)
            else:
                self._known[key] = known

    @contextmanager
    def turn(self, key: bytes, *, known: bool = True) -> Iterator[None]:
        """Let requests with the same credentials through one after the other: one pays, the others need not.

        Otherwise a program that begins with twenty requests at once would count as twenty tries. Raises Busy for
        strangers when too many of them wait: a flood of one wrong password would take every thread of the server.
        """
        turn = self._turns[key[0] % TURNS]
        if not turn.acquire(blocking=False):
            with self._waiting(known=known):
                turn.acquire()
        try:
            yield
        finally:
            turn.release()

    @contextmanager
    def _waiting(self, *, known: bool) -> Iterator[None]:
        with self._lock:
            if not known and self._strangers_waiting >= QUEUE:
                raise Busy
            self._strangers_waiting += not known
        try:
            yield
        finally:
            with self._lock:
                self._strangers_waiting -= not known


def identify(database: Database, effective: Effective, remembered: Remembered, sent: Sent, by: Actor) -> Identity:
    """Return who sent credentials; raises LoginFailed, Busy, and NotAllowed in mode none.

    What was verified lately is compared with the user's state of this moment: the name, the hash, active, and an
    initial password's time. Memory answers no sooner than the throttle does, wherever a password was verified: or
    it would tell a right one, however many were tried before.
    """
    key = remembered.key_of(sent)
    if identity := _from_memory(database, effective, remembered, key, sent, by):
        return identity
    known = logins.is_known(database, effective, sent.username, by.address)
    with remembered.turn(key, known=known):
        if identity := _from_memory(database, effective, remembered, key, sent, by):
            return identity
        entered, password_hash = logins.enter(database, effective, sent.username, sent.password, by, _whose)
        remembered.put(key, _Known(entered.user_id, password_hash))
    return entered


def _from_memory(
    database: Database, effective: Effective, remembered: Remembered, key: bytes, sent: Sent, by: Actor
) -> Identity | None:
    known = remembered.get(key)
    if known is None:
        return None
    with database.reading() as db:
        user = db.get(User, known.user_id)
        where = logins.bucket_of(effective, sent.username, by.address, user)
        if throttle.has_to_wait(db, effective.config.throttle, where):
            return None
        if user is not None and _still_holds(db, effective, known, sent, user):
            return _identity(user)
    remembered.put(key, None)
    return None


def _still_holds(db: Session, effective: Effective, known: _Known, sent: Sent, user: User) -> bool:
    same = names.fold(sent.username) == user.username_key and (
        users.password_hash_of(db, user) == known.password_hash
    )
    return same and user.is_active and not logins.is_expired(effective, user)


def _whose(db: Session, user: User, by: Actor) -> Identity:
    del db, by
    return _identity(user)


def _identity(user: User) -> Identity:
    """Return the identity of a user whose password came along, and so is proved this moment."""
    return Identity(
        user.id,
        user.username,
        user.role,
        "basic",
        proved_at=clock.now(),
        must_change_password=user.must_change_password,
    )
