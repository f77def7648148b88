"""Signed-in browsers: a random token in the cookie, its SHA-256 in a row."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from authapp import audit, clock, paging, permissions, settings, tokens
from authapp.audit import Actor
from authapp.base import delete_free
from authapp.config.sections import SessionOptions
from authapp.database import Database
from authapp.errors import NotAllowed, SessionNotFound, UserNotFound
from authapp.models import SignedIn, User
from authapp.names import is_storable
from authapp.paging import Cursor

SEEN_INTERVAL = timedelta(minutes=1)  # how exact last-seen is; every write costs a commit
PROOF_LIFETIME = timedelta(minutes=15)  # how long after typing the password sensitive changes need no new proof


def start(db: Session, user: User, by: Actor, *, remember: bool = False) -> str:
    """Begin a session and return its token."""
    token = tokens.generate()
    now = clock.now()
    db.add(
        SignedIn(
            token_sha256=tokens.digest(token),
            user_id=user.id,
            created_at=now,
            last_seen_at=now,
            proved_at=now,
            remember=remember,
            address=by.address[:64],
            user_agent=by.user_agent[:256].strip(),
        )
    )
    return token


def find(db: Session, options: SessionOptions, token: str) -> tuple[SignedIn, User] | None:
    """Return the session of a token and its user; None when it is over, or the user may not sign in."""
    row = db.execute(
        select(SignedIn, User)
        .join(User, User.id == SignedIn.user_id)
        .where(SignedIn.token_sha256 == tokens.digest(token))
    ).first()
    if row is None:
        return None
    session, user = row
    if not user.is_active or is_over(session, options, clock.now()):
        return None
    return session, user


def is_over(session: SignedIn, options: SessionOptions, now: datetime) -> bool:
    """Tell whether a session has lived too long, or was unused too long."""
    lifetime = options.remember_lifetime if session.remember else options.lifetime
    if not clock.is_near(session.created_at, lifetime, now):
        return True
    return not session.remember and not clock.is_near(session.last_seen_at, options.idle_timeout, now)


def is_worth_touching(session: SignedIn) -> bool:
    """Tell whether last-seen is old enough to be written again."""
    return not clock.is_near(session.last_seen_at, SEEN_INTERVAL)


def touch(db: Session, session_id: str) -> None:
    """Write that a session was seen now; one that is being ended stays ended."""
    db.execute(update(SignedIn).where(SignedIn.id == session_id).values(last_seen_at=clock.now()))


def end(db: Session, token: str) -> User | None:
    """End the session of a token; return whose it was."""
    session = db.scalar(select(SignedIn).where(SignedIn.token_sha256 == tokens.digest(token)))
    if session is None:
        return None
    user = db.get(User, session.user_id)
    db.delete(session)
    return user


def end_all(db: Session, user_id: str, *, keep: str | None = None) -> int:
    """End a user's sessions, except the one whose id is `keep`; return how many that were."""
    doomed = delete(SignedIn).where(SignedIn.user_id == user_id)
    ended = db.scalars((doomed.where(SignedIn.id != keep) if keep else doomed).returning(SignedIn.id)).all()
    return len(ended)


def end_everybodys(db: Session) -> int:
    """End every session there is; return how many that were."""
    return len(db.scalars(delete(SignedIn).returning(SignedIn.id)).all())


def forget_old(db: Session, options: SessionOptions) -> None:
    """Delete the rows of sessions that are over for good."""
    longest = max(options.lifetime, options.remember_lifetime)
    delete_free(db, SignedIn.id, SignedIn.created_at < clock.now() - longest)


# -- proof of the password ------------------------------------------------------------------------------------


def has_proof(proved_at: datetime) -> bool:
    """Tell whether the password was typed recently enough for a sensitive change."""
    return clock.is_near(proved_at, PROOF_LIFETIME)


def prove(db: Session, session_id: str) -> str | None:
    """Write that the password was typed again in a session; return its new token, or None when it is over.

    Whoever holds a copy of the cookie typed no password, and is signed out with the old token.
    """
    session = db.get(SignedIn, session_id, with_for_update=True)  # whoever signs out there does not wait
    if session is None:
        return None
    token = tokens.generate()
    session.token_sha256, session.proved_at = tokens.digest(token), clock.now()
    return token


# -- lists of sessions, and ending them from elsewhere --------------------------------------------------------


def _alive(options: SessionOptions, now: datetime) -> ColumnElement[bool]:
    """Return the condition that a session is not over: `is_over` in the database's words."""

    def is_near(moment: Any, length: timedelta) -> ColumnElement[bool]:
        return and_(moment > now - length, moment < now + length)

    remembered = and_(SignedIn.remember, is_near(SignedIn.created_at, options.remember_lifetime))
    others = and_(
        ~SignedIn.remember,
        is_near(SignedIn.created_at, options.lifetime),
        is_near(SignedIn.last_seen_at, options.idle_timeout),
    )
    return and_(User.is_active, or_(remembered, others))


def all_of(
    db: Session, options: SessionOptions, user_id: str, *, after: Cursor | None = None, limit: int | None = None
) -> Sequence[SignedIn]:
    """Return a user's sessions that are not over, the newest first."""
    wanted = select(SignedIn).join(User, User.id == SignedIn.user_id).where(SignedIn.user_id == user_id)
    alive = wanted.where(_alive(options, clock.now()))
    return db.scalars(paging.newest_first(alive, SignedIn, after, limit)).all()


def everybodys(
    db: Session, options: SessionOptions, *, after: Cursor | None = None, limit: int = 50
) -> list[tuple[SignedIn, User]]:
    """Return sessions that are not over, each with its user, the newest first."""
    wanted = select(SignedIn, User).join(User, User.id == SignedIn.user_id).where(_alive(options, clock.now()))
    rows = db.execute(paging.newest_first(wanted, SignedIn, after, limit)).all()
    return [(session, user) for session, user in rows]


def count(db: Session, options: SessionOptions) -> int:
    """Return how many sessions are not over."""
    alive = select(func.count()).select_from(SignedIn).join(User, User.id == SignedIn.user_id)
    return db.scalar(alive.where(_alive(options, clock.now()))) or 0


def get(db: Session, options: SessionOptions, session_id: str, *, of: str) -> SignedIn:
    """Return a session of a user that is not over; raises SessionNotFound."""
    row = db.get(SignedIn, session_id) if is_storable(session_id) else None
    if row is None or row.user_id != of or is_over(row, options, clock.now()):
        raise SessionNotFound
    return row


def facts(session: SignedIn, username: str) -> dict[str, Any]:
    """Return what programs are told of a session."""
    return {
        "id": session.id,
        "user_id": session.user_id,
        "username": username,
        "address": session.address,
        "user_agent": session.user_agent,
        "remember": session.remember,
        "created_at": session.created_at.isoformat(),
        "last_seen_at": session.last_seen_at.isoformat(),
    }


def began(db: Session, session_id: str | None) -> datetime | None:
    """Return when a session began."""
    return db.scalar(select(SignedIn.created_at).where(SignedIn.id == session_id))


def revoke(database: Database, session_id: str, by: Actor) -> User:
    """End one session, one's own or as a superuser anybody's; return whose it was.

    Raises SessionNotFound, also for a session that is none of one's business.
    """
    with database.writing() as db:
        settings.hold(db)
        session = db.get(SignedIn, session_id) if is_storable(session_id) else None
        if session is None:
            raise SessionNotFound
        try:
            permissions.require(db, by, _permission_to_end(by, session.user_id))
        except NotAllowed:
            raise SessionNotFound from None
        user = db.get_one(User, session.user_id)
        db.delete(session)
        audit.record(db, "session.ended", by, target=user, device=session.user_agent, from_address=session.address)
    return user


def revoke_all(
    database: Database, options: SessionOptions, user_id: str, by: Actor, *, keep: str | None = None
) -> int:
    """End a user's sessions, except the one whose id is `keep`; return how many that were.

    Raises NotAllowed, UserNotFound.
    """
    with database.writing() as db:
        settings.hold(db)
        permissions.require(db, by, _permission_to_end(by, user_id))
        user = db.get(User, user_id)
        if user is None:
            raise UserNotFound
        _forget_over(db, options)
        ended = end_all(db, user_id, keep=keep)
        if ended:
            audit.record(db, "session.all-ended", by, target=user, sessions=ended)
    return ended


def revoke_everybodys(database: Database, options: SessionOptions, by: Actor) -> int:
    """End every session there is; return how many that were. Raises NotAllowed."""
    with database.writing() as db:
        settings.hold(db)
        permissions.require(db, by, permissions.END_SESSIONS)
        _forget_over(db, options)
        ended = end_everybodys(db)
        audit.record(db, "session.everybodys-ended", by, sessions=ended)
    return ended


def _forget_over(db: Session, options: SessionOptions) -> None:
    """Delete the rows of sessions that are over: those need not be ended."""
    alive = select(SignedIn.id).join(User, User.id == SignedIn.user_id).where(_alive(options, clock.now()))
    db.execute(delete(SignedIn).where(SignedIn.id.not_in(alive)).execution_options(synchronize_session=False))


def _permission_to_end(by: Actor, user_id: str) -> permissions.Permission:
    return permissions.OWN_ACCOUNT if by.user_id == user_id else permissions.END_SESSIONS
