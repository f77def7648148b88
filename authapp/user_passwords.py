"""Users' passwords: the policy they are judged by, where their hashes belong, and changing one's own."""

from datetime import datetime

from sqlalchemy.orm import Session

from authapp import audit, passwords, revocation, sessions, settings, users
from authapp.audit import Actor
from authapp.config.overlay import Effective
from authapp.database import Database
from authapp.errors import Pinned, SamePassword, WrongPassword
from authapp.models import User
from authapp.passwords import Policy
from authapp.settings import Credentials


def policy(effective: Effective) -> Policy:
    """Return the password policy in force."""
    return passwords.POLICIES[effective.config.password.policy]


def context(effective: Effective, username: str) -> tuple[str, ...]:
    """Return the words a password must not be built from, the user name first."""
    return (username, effective.config.organization.name)


def broken_rules(effective: Effective, username: str, password: str) -> list[str]:
    """Return the texts of the policy's rules that a password breaks."""
    return policy(effective).broken(password, context(effective, username))


def new_hash(effective: Effective, username: str, password: str) -> str:
    """Return the hash of a new password; raises WeakPassword. Slow, so never inside a transaction."""
    policy(effective).require(password, context(effective, username))
    return passwords.hash_password(password)


def store_hash(db: Session, user: User, password_hash: str, by: Actor, *, rehashed: bool = False) -> None:
    """Write a user's hash to where it belongs; `rehashed`: the password is the same."""
    if users.is_owner(db, user.id):
        credentials = Credentials(user.username, password_hash)
        settings.store_credentials(db, credentials, by=by.user_id, rehashed=rehashed)
    else:
        user.password_hash = password_hash


def require_own_password_free(db: Session, effective: Effective, user_id: str) -> None:
    """Raise Pinned when a user is the owner and file or environment supply the password."""
    if (key := effective.pinned_password) and users.is_owner(db, user_id):
        raise Pinned(key, effective.place_of.get(key))


def set_password(
    database: Database,
    effective: Effective,
    user_id: str,
    password: str,
    by: Actor,
    *,
    keep: str | None = None,
    instead_of: str | None = None,
) -> str | None:
    """Give a user a password of their own choice; return the new token of the session `keep`.

    All other sessions and the JWTs end; API tokens live on, because programs use them in place of the password.
    `instead_of` is the hash the current password was checked against. Raises WeakPassword, SamePassword, Pinned,
    and WrongPassword when somebody else was faster, such as the config file.
    """
    with database.reading() as db:
        username = users.get(db, user_id).username
        require_own_password_free(db, effective, user_id)
    password_hash = new_hash(effective, username, password)
    if instead_of is not None and passwords.verify(instead_of, password):
        raise SamePassword
    with database.writing() as db:
        settings.hold(db)
        user = users.get(db, user_id)
        require_own_password_free(db, effective, user_id)
        if instead_of is not None and users.password_hash_of(db, user) != instead_of:
            raise WrongPassword
        store_hash(db, user, password_hash, by)
        user.initial_password_at = None
        revocation.end_all(db, user.id, keep=keep, api_tokens=False)
        audit.record(db, "user.password-changed", by, target=user)
        return sessions.prove(db, keep) if keep is not None else None


def initial_password_dies_at(effective: Effective, user: User) -> datetime | None:
    """Return when a user's initial password stops working, or None where there is none that could be used."""
    made = user.initial_password_at if user.is_active else None
    return made + effective.config.password.initial_lifetime if made else None
