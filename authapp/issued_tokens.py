"""API tokens and JWTs: rows that hold only hashes, so that each can be listed, revoked, and lost at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session

from authapp import audit, clock, names, paging, permissions, settings, tokens
from authapp.audit import Actor
from authapp.base import delete_free
from authapp.config.overlay import Effective
from authapp.config.sections import SessionOptions
from authapp.database import Database
from authapp.errors import (
    BadToken,
    NotAllowed,
    PasswordChangeRequired,
    TokenNotFound,
    TooManyTokens,
    UserNotFound,
)
from authapp.models import Scope, Token, TokenKind, User
from authapp.paging import Cursor

USED_INTERVAL = timedelta(minutes=1)  # how exact last-used is; every write costs a commit
LONGEST_NAME = 100
LONGEST_LIFETIME = timedelta(days=3650)
MOST_OF_ONE_USER = 100


@dataclass(frozen=True, slots=True)
class Issued:
    """A token that was just made: its row, and the token itself, this once."""

    row: Token
    token: str = field(repr=False)


# -- API tokens -----------------------------------------------------------------------------------------------


def create(
    database: Database,
    user_id: str,
    name: str,
    by: Actor,
    *,
    scope: Scope = Scope.READ,
    expires_at: datetime | None = None,
) -> Issued:
    """Make an API token for a user, oneself or from the command line anybody; it may be good for ever.

    Raises BadToken, TooManyTokens, NotAllowed, UserNotFound, and PasswordChangeRequired for oneself.
    """
    clean_name, now = _clean_name(name), clock.now()
    if expires_at is not None and not now < expires_at <= now + LONGEST_LIFETIME:
        days = LONGEST_LIFETIME.days
        raise BadToken(f"A token expires in the future, within {days} days, or never.", "expires_at")
    token = tokens.generate_api_token()
    with database.writing() as db:
        settings.hold(db)
        if by.user_id not in (None, user_id):
            raise NotAllowed("API tokens are made by whom they belong to.")
        permissions.require(db, by, permissions.OWN_TOKENS)
        user = _user(db, user_id)
        if by.user_id is not None and user.must_change_password:
            raise PasswordChangeRequired  # a reset that is just over has ended what this request came in by
        mine = select(func.count()).where(Token.user_id == user_id, Token.kind == TokenKind.API)
        if (db.scalar(mine) or 0) >= MOST_OF_ONE_USER:
            raise TooManyTokens(MOST_OF_ONE_USER)
        row = Token(
            kind=TokenKind.API,
            sha256=tokens.digest(token),
            user_id=user_id,
            name=clean_name,
            scope=scope,
            created_at=now,
            expires_at=expires_at,
        )
        db.add(row)
        audit.record(db, "token.created", by, target=user, name=clean_name, scope=str(scope))
    return Issued(row, token)


def _user(db: Session, user_id: str) -> User:
    user = db.get(User, user_id) if names.is_storable(user_id) else None
    if user is None:
        raise UserNotFound
    return user


def _clean_name(name: str) -> str:
    clean = name.strip()
    if not clean:
        raise BadToken("Give the token a name, such as what will use it.", "name")
    if len(clean) > LONGEST_NAME:
        raise BadToken(f"A token's name has at most {LONGEST_NAME} characters.", "name")
    if names.has_control(clean) or not names.is_storable(clean):
        raise BadToken("A token's name must not contain invisible or control characters.", "name")
    return clean


def find(db: Session, text: str) -> tuple[Token, User] | None:
    """Return an API token's row and its user; None when it is none, or over, or the user may not sign in."""
    if not tokens.is_api_token(text):
        return None
    return _good(db, TokenKind.API, tokens.digest(text))


# -- JWTs -----------------------------------------------------------------------------------------------------


def issue_jwt(db: Session, effective: Effective, user: User) -> Issued:
    """Make a JWT for a user, in the transaction at hand; it is good as long as a sign-in, idle or not."""
    now, jti = clock.now(), tokens.generate()
    expires_at = now + effective.config.session.lifetime
    row = Token(
        kind=TokenKind.JWT, sha256=tokens.digest(jti), user_id=user.id, created_at=now, expires_at=expires_at
    )
    _forget_over(db)
    db.add(row)
    db.flush()
    claims = tokens.Claims(user.id, jti, audience(db), now, expires_at)
    return Issued(row, tokens.sign_jwt(effective.secret_key, claims))


def find_jwt(db: Session, effective: Effective, text: str) -> tuple[Token, User] | None:
    """Return a JWT's row and its user; None when it is none of ours, or over, or the user may not sign in."""
    claimed = tokens.read_jwt(effective.secret_key, audience(db), text)
    found = _good(db, TokenKind.JWT, tokens.digest(claimed[1])) if claimed else None
    if claimed is None or found is None:
        return None
    row, user = found
    # `session.lifetime` may be shorter by now than when the JWT was made.
    is_over = clock.now() >= row.created_at + effective.config.session.lifetime
    return None if is_over or user.id != claimed[0] else found


def audience(db: Session) -> str:
    """Return the `aud` of this installation's JWTs."""
    installation = settings.installation(db)
    return f"authapp:{installation.id if installation else ''}"


# -- both -----------------------------------------------------------------------------------------------------


def _good(db: Session, kind: TokenKind, sha256: str) -> tuple[Token, User] | None:
    found = db.execute(
        select(Token, User)
        .join(User, User.id == Token.user_id)
        .where(Token.sha256 == sha256, Token.kind == kind, User.is_active)
    ).first()
    if found is None or is_over(found[0]):
        return None
    return found[0], found[1]


def is_over(row: Token) -> bool:
    """Tell whether a token has expired."""
    return row.expires_at is not None and clock.now() >= row.expires_at


def is_worth_touching(row: Token) -> bool:
    """Tell whether last-used is old enough to be written again."""
    return row.last_used_at is None or clock.now() - row.last_used_at >= USED_INTERVAL


def touch(db: Session, token_id: str, address: str) -> None:
    """Write that a token was used now, and from where; one that is being revoked stays revoked."""
    used = {"last_used_at": clock.now(), "last_used_from": address[:64]}
    db.execute(update(Token).where(Token.id == token_id).values(used))


def _listed(options: SessionOptions) -> ColumnElement[bool]:
    """Return the condition that a token is worth showing: JWTs that are over are gone, API tokens say so."""
    now = clock.now()
    good_jwt = (Token.expires_at > now) & (Token.created_at > now - options.lifetime)
    return or_(Token.kind == TokenKind.API, good_jwt)


def of_user(
    db: Session, options: SessionOptions, user_id: str, *, after: Cursor | None = None, limit: int | None = None
) -> Sequence[Token]:
    """Return a user's API tokens and the JWTs that are not over, the newest first."""
    wanted = select(Token).where(Token.user_id == user_id, _listed(options))
    return db.scalars(paging.newest_first(wanted, Token, after, limit)).all()


def everybodys(
    db: Session, options: SessionOptions, *, after: Cursor | None = None, limit: int | None = None
) -> list[tuple[Token, User]]:
    """Return everybody's API tokens and the JWTs that are not over, each with its user, the newest first."""
    wanted = select(Token, User).join(User, User.id == Token.user_id).where(_listed(options))
    rows = db.execute(paging.newest_first(wanted, Token, after, limit)).all()
    return [(token, user) for token, user in rows]


def opens() -> ColumnElement[bool]:
    """Return the condition, over tokens and their users, for API tokens that open something this moment."""
    alive = or_(Token.expires_at.is_(None), Token.expires_at > clock.now())
    return and_(Token.kind == TokenKind.API, User.is_active, alive)


def live_api_tokens(db: Session) -> list[tuple[Token, User]]:
    """Return the API tokens that open something this moment, each with its user, by user name."""
    wanted = select(Token, User).join(User, User.id == Token.user_id).where(opens())
    rows = db.execute(wanted.order_by(User.username_key, Token.created_at, Token.id)).all()
    return [(token, user) for token, user in rows]


def get(db: Session, token_id: str, by: Actor, *, of: str | None = None) -> tuple[Token, User]:
    """Return a token and whose it is: one's own, or as a superuser anybody's; `of`: only this user's.

    Raises TokenNotFound, also for a token that is none of one's business.
    """
    row = db.get(Token, token_id) if names.is_storable(token_id) else None
    if row is None or of not in (None, row.user_id):
        raise TokenNotFound
    try:
        permissions.require(db, by, _permission(by, row.user_id))
    except NotAllowed:
        raise TokenNotFound from None
    return row, db.get_one(User, row.user_id)


def revoke(database: Database, token_id: str, by: Actor, *, of: str | None = None) -> tuple[Token, User]:
    """Revoke a token; return it and whose it was. Raises as `get`."""
    with database.writing() as db:
        settings.hold(db)
        row, user = get(db, token_id, by, of=of)
        db.delete(row)
        audit.record(db, "token.revoked", by, target=user, kind=row.kind, name=row.name)
    return row, user


def revoke_all(database: Database, user_id: str, by: Actor, *, keep: str | None = None) -> int:
    """Revoke a user's tokens, JWTs too, except the one whose id is `keep`; return how many that were.

    Raises NotAllowed, UserNotFound.
    """
    with database.writing() as db:
        settings.hold(db)
        permissions.require(db, by, _permission(by, user_id))
        user = _user(db, user_id)
        _forget_over(db)
        ended = end_all(db, user_id, keep=keep)
        if ended:
            audit.record(db, "token.all-revoked", by, target=user, tokens=ended)
    return ended


def revoke_everybodys(database: Database, by: Actor) -> int:
    """Revoke every token there is, JWTs too; return how many that were. Raises NotAllowed."""
    with database.writing() as db:
        settings.hold(db)
        permissions.require(db, by, permissions.END_TOKENS)
        _forget_over(db)
        ended = end_all(db, None)
        audit.record(db, "token.everybodys-revoked", by, tokens=ended)
    return ended


def _forget_over(db: Session) -> None:
    """Delete the rows of JWTs that are over: nobody is shown those, and they need not be revoked."""
    delete_free(db, Token.id, Token.kind == TokenKind.JWT, Token.expires_at <= clock.now())


def end_all(db: Session, user_id: str | None, *, keep: str | None = None, kind: TokenKind | None = None) -> int:
    """End the tokens of a user, or with None of everybody, in the transaction at hand; return how many."""
    doomed = delete(Token)
    if user_id is not None:
        doomed = doomed.where(Token.user_id == user_id)
    if keep is not None:
        doomed = doomed.where(Token.id != keep)
    if kind is not None:
        doomed = doomed.where(Token.kind == kind)
    return len(db.scalars(doomed.returning(Token.id)).all())


def facts(token: Token, username: str) -> dict[str, Any]:
    """Return what programs are told of a token; the token itself is not known any more."""
    moments = {name: getattr(token, name) for name in ("created_at", "expires_at", "last_used_at")}
    return {
        "id": token.id,
        "kind": token.kind,
        "name": token.name,
        "scope": token.scope,
        "user_id": token.user_id,
        "username": username,
        **{name: moment.isoformat() if moment else None for name, moment in moments.items()},
        "last_used_from": token.last_used_from,
    }


def _permission(by: Actor, user_id: str) -> permissions.Permission:
    return permissions.OWN_TOKENS if by.user_id == user_id else permissions.END_TOKENS
