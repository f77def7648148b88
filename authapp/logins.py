"""The one road for every user name and password: throttle, find, verify, active, rehash, audit."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from sqlalchemy.orm import Session

from authapp import (
    audit,
    clock,
    issued_tokens,
    names,
    passwords,
    sessions,
    settings,
    throttle,
    tokens,
    user_passwords,
    users,
)
from authapp.audit import Actor
from authapp.config.overlay import Effective
from authapp.database import Database
from authapp.errors import LoginFailed, NotAllowed, PasswordChangeRequired, WrongPassword
from authapp.issued_tokens import Issued
from authapp.logs import log
from authapp.models import User
from authapp.permissions import NOBODY_TO_MANAGE
from authapp.throttle import Bucket, Taken

Via = Literal["session", "form", "setup", "none", "basic", "jwt", "token"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a request turned out to be, and how it proved it.

    `session_id` is there for a browser, `token_id` for a JWT and an API token, whose `scope` says what it may do.
    """

    user_id: str
    username: str
    role: str
    via: Via
    session_id: str | None = None
    proved_at: datetime | None = None
    token_id: str | None = None
    scope: str | None = None
    must_change_password: bool = False


@dataclass(frozen=True, slots=True)
class Confirmed:
    """A password that was right: the hash it belongs to, and the new token of the session it was proved in."""

    password_hash: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class _Try:
    """One try: where it counts, who is meant (if anybody), and whether the password was right.

    `looked_at` is as in `_Named`. `new_hash` is there when the hash is of an older kind and should be replaced.
    """

    bucket: Bucket
    looked_at: str | None
    taken: Taken
    password: str = field(repr=False)
    password_hash: str | None
    right: bool
    new_hash: str | None


@dataclass(frozen=True, slots=True)
class _Named:
    """What is known of a user name before its password is looked at.

    `looked_at` is the id of the user whose rows are read: for a name that nobody bears the owner's, or a refusal
    would come sooner.
    """

    bucket: Bucket
    looked_at: str | None
    known: bool
    password_hash: str | None
    owners_hash: str | None


def bucket_of(effective: Effective, username: str, address: str, user: User | None = None) -> Bucket:
    """Return where tries for a user name from an address are counted; `user` is who bears it."""
    return throttle.bucket(effective.secret_key, names.fold(username), address, user.id if user else None)


def is_known(database: Database, effective: Effective, username: str, address: str) -> bool:
    """Tell whether whoever bears a name signed in lately from the network of an address."""
    with database.reading() as db:
        stored = settings.credentials(db)
        user, _ = users.find_typed(db, username, stored.username if stored else "")
        return throttle.is_known(db, bucket_of(effective, username, address, user))


def sign_in(
    database: Database, effective: Effective, username: str, password: str, by: Actor, *, remember: bool = False
) -> str:
    """Check a user name and password and begin a session; returns its token. Raises LoginFailed, NotAllowed."""

    def begin(db: Session, user: User, who: Actor) -> str:
        if user.recovered_at and not users.has_to_look(db, user):
            user.recovered_at = None  # there is nobody to look at
        sessions.forget_old(db, effective.config.session)
        return sessions.start(db, user, who, remember=remember)

    return enter(database, effective, username, password, by, begin)[0]


def get_jwt(database: Database, effective: Effective, username: str, password: str, by: Actor) -> Issued:
    """Check a user name and password and make a JWT. Raises LoginFailed, NotAllowed, PasswordChangeRequired."""

    def issue(db: Session, user: User, who: Actor) -> Issued | None:
        del who
        return None if user.must_change_password else issued_tokens.issue_jwt(db, effective, user)

    issued, _ = enter(database, effective, username, password, by, issue)
    if issued is None:
        raise PasswordChangeRequired  # the sign-in itself is written down
    return issued


def enter(
    database: Database,
    effective: Effective,
    username: str,
    password: str,
    by: Actor,
    then: Callable[[Session, User, Actor], T],
) -> tuple[T, str]:
    """Check a user name and password, and if they are right do something in the transaction that says so.

    Returns what `then` returned, and the hash that the password belongs to now. Raises LoginFailed, NotAllowed.
    """
    if effective.config.auth.mode == "none":
        raise NotAllowed(NOBODY_TO_MANAGE)
    attempt = _try(database, effective, username, password, by)
    with database.writing() as db:
        outcome = _settle(db, effective, attempt, username, by)
        if isinstance(outcome, User):
            who = Actor(by.road, outcome.id, outcome.username, by.address, by.user_agent)
            outcome.last_login_at = clock.now()
            done = then(db, outcome, who)
            audit.record(db, audit.SIGN_IN, who, target=outcome)
            return done, users.password_hash_of(db, outcome) or ""
    raise outcome


def confirm(
    database: Database,
    effective: Effective,
    username: str,
    password: str,
    by: Actor,
    *,
    session_id: str | None = None,
) -> Confirmed:
    """Check the current password of somebody who is signed in.

    With a session's id it is written there that the password was proved. Raises WrongPassword, or LoginFailed to
    wait.
    """
    attempt = _try(database, effective, username, password, by)
    with database.writing() as db:
        outcome = _settle(db, effective, attempt, username, by, signed_in=True)
        # Between the look at the session and this one, the name may have become another user's.
        if isinstance(outcome, User) and by.user_id in (None, outcome.id) and attempt.password_hash is not None:
            token = None
            if session_id is not None:
                token = sessions.prove(db, session_id)
                audit.record(db, "password.proved", by, target=outcome)
            return Confirmed(attempt.new_hash or attempt.password_hash, token)
    raise WrongPassword


def _try(database: Database, effective: Effective, username: str, password: str, by: Actor) -> _Try:
    """Count the try, find the hash, and verify outside of any transaction: that is the slow part."""
    named = _look_up(database, effective, username, by)
    with passwords.SLOTS.take(known=named.known):
        with database.writing() as db:
            taken = throttle.take(db, effective.config.throttle, named.bucket)
        _require_a_try(database, taken.wait, by)
        right = passwords.verify(named.password_hash, password)
        if named.owners_hash and passwords.needs_rehash(named.owners_hash):
            # The owner's hash takes another time than everybody else's; so let each try take both.
            other = None if named.password_hash == named.owners_hash else named.owners_hash
            passwords.verify(other, password)
        old = right and named.password_hash is not None and passwords.needs_rehash(named.password_hash)
        new_hash = passwords.hash_password(password) if old else None
    return _Try(named.bucket, named.looked_at, taken, password, named.password_hash, right, new_hash)


def _look_up(database: Database, effective: Effective, username: str, by: Actor) -> _Named:
    """Find whose name it is; whoever has to wait is refused here, so that a flood writes and hashes nothing."""
    with database.reading() as db:
        stored = settings.credentials(db)
        user, looked_at = users.find_typed(db, username, stored.username if stored else "")
        where = bucket_of(effective, username, by.address, user)
        wait = throttle.has_to_wait(db, effective.config.throttle, where)
        password_hash = users.password_hash_of(db, looked_at) if looked_at else None
        known = throttle.is_known(db, where)
        named = _Named(
            where,
            looked_at.id if looked_at else None,
            known,
            password_hash if user else None,
            stored.password_hash if stored else None,
        )
    _require_a_try(database, wait, by)
    return named


def _require_a_try(database: Database, wait: timedelta | None, by: Actor) -> None:
    if wait is not None:
        # Written down once a minute: a flood must not fill the audit table.
        database.refused.count(throttle.network_of(by.address))
        _log_failure(by, "locked")
        raise LoginFailed("locked", retry_after=max(wait, timedelta(seconds=1)))


def _settle(
    db: Session, effective: Effective, attempt: _Try, username: str, by: Actor, *, signed_in: bool = False
) -> User | LoginFailed:
    """Write down how a try ended; returns the user, or the refusal to raise after the commit.

    Somebody `signed_in` has used the initial password in time, and may still replace it.
    """
    settings.share(db)
    looked_at = db.get(User, attempt.looked_at) if attempt.looked_at else None
    stored = users.password_hash_of(db, looked_at) if looked_at else None
    user = looked_at if attempt.bucket.user_id else None
    if user is None or not attempt.right or not _is_unchanged(attempt, stored):
        return _refuse(db, effective, attempt, username, by, "wrong", user)
    if not user.is_active:  # the try counts: whoever may sign up makes users without a throttle otherwise
        return _refuse(db, effective, attempt, username, by, "inactive", user)
    if not signed_in and is_expired(effective, user):
        return _refuse(db, effective, attempt, username, by, "expired", user)
    throttle.succeed(db, attempt.bucket, attempt.taken)
    _rehash(db, effective, user, attempt, by)
    return user


def _is_unchanged(attempt: _Try, stored: str | None) -> bool:
    """Tell whether the password is still the one it was when its verifying began."""
    if stored == attempt.password_hash:
        return True
    # Another sign-in may have replaced the same old hash. Only here a transaction waits for a hash, once in a life.
    return attempt.new_hash is not None and passwords.verify(stored, attempt.password)


def is_expired(effective: Effective, user: User) -> bool:
    """Tell whether a user's initial password has waited too long to be used."""
    lifetime = effective.config.password.initial_lifetime
    dies_at = user_passwords.initial_password_dies_at(effective, user)
    return dies_at is not None and not clock.is_near(dies_at - lifetime, lifetime)


def _refuse(
    db: Session, effective: Effective, attempt: _Try, username: str, by: Actor, reason: str, user: User | None
) -> LoginFailed:
    unknown = _unknown(effective, username)  # for everybody: it takes time
    target = user or unknown
    audit.record(db, audit.SIGN_IN, by, outcome=reason, target=target)
    for count in attempt.taken.used_up:
        audit.record(db, "sign-in.locked", by, outcome="locked", target=target, count=count)
    _log_failure(by, reason)
    return LoginFailed(reason)


def _unknown(effective: Effective, username: str) -> str:
    """Return how a name nobody bears is written down: people type passwords there."""
    key = tokens.derive_key(effective.secret_key, "authapp/unknown-name/v1")
    return f"unknown {tokens.keyed_hash(key, names.fold(username))[:16]}"


def _rehash(db: Session, effective: Effective, user: User, attempt: _Try, by: Actor) -> None:
    """Replace a hash of an older kind; the one a file pins stays as it is written there."""
    if attempt.new_hash and not (effective.pinned_password and users.is_owner(db, user.id)):
        user_passwords.store_hash(db, user, attempt.new_hash, by, rehashed=True)


def _log_failure(by: Actor, reason: str) -> None:
    # The address comes first, before anything a client chose: fail2ban reads this line.
    log.warning("sign-in failed", address=by.address, road=by.road, reason=reason, authentication_failed=True)
