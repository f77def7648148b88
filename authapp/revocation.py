"""Every way in that needs no password, ended at once: sessions, JWTs and API tokens."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from authapp import issued_tokens, sessions
from authapp.models import TokenKind


@dataclass(frozen=True, slots=True)
class Ended:
    """How many sessions, and how many tokens."""

    sessions: int
    tokens: int


def end_all(db: Session, user_id: str, *, keep: str | None = None, api_tokens: bool = True) -> Ended:
    """End what lets a user in without the password, except the session whose id is `keep`.

    Without `api_tokens` those stay: they were made to outlive a password.
    """
    kind = None if api_tokens else TokenKind.JWT
    return Ended(sessions.end_all(db, user_id, keep=keep), issued_tokens.end_all(db, user_id, kind=kind))


def end_everybodys(db: Session, *, api_tokens: bool) -> Ended:
    """End everybody's sessions and JWTs, and with `api_tokens` those too."""
    kind = None if api_tokens else TokenKind.JWT
    return Ended(sessions.end_everybodys(db), issued_tokens.end_all(db, None, kind=kind))
