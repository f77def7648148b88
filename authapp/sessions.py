"""Signed-in browsers: a random token in the cookie, its SHA-256 in a row."""

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from authapp import clock, tokens
from authapp.audit import Actor
from authapp.config.options import SessionOptions
from authapp.models import SignedIn, User

SEEN_INTERVAL = timedelta(minutes=1)  # how exact last-seen is; every write costs a commit


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
            remember=remember,
            address=by.address[:64],
            user_agent=by.user_agent[:256],
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
    if now >= session.created_at + lifetime:
        return True
    return not session.remember and now >= session.last_seen_at + options.idle_timeout


def is_worth_touching(session: SignedIn) -> bool:
    """Tell whether last-seen is old enough to be written again."""
    return clock.now() - session.last_seen_at >= SEEN_INTERVAL


def touch(db: Session, session_id: str) -> None:
    """Write that a session was seen now."""
    if session := db.get(SignedIn, session_id):
        session.last_seen_at = clock.now()


def end(db: Session, token: str) -> User | None:
    """End the session of a token; return whose it was."""
    session = db.scalar(select(SignedIn).where(SignedIn.token_sha256 == tokens.digest(token)))
    if session is None:
        return None
    user = db.get(User, session.user_id)
    db.delete(session)
    return user


def end_all(db: Session, user_id: str, *, keep: str | None = None) -> None:
    """End a user's sessions, except the one whose id is `keep`."""
    doomed = delete(SignedIn).where(SignedIn.user_id == user_id)
    db.execute(doomed.where(SignedIn.id != keep) if keep else doomed)


def end_everybodys(db: Session) -> None:
    """End every session there is."""
    db.execute(delete(SignedIn))


def forget_old(db: Session, options: SessionOptions) -> None:
    """Delete the rows of sessions that are over for good."""
    longest = max(options.lifetime, options.remember_lifetime)
    db.execute(delete(SignedIn).where(SignedIn.created_at < clock.now() - longest))
