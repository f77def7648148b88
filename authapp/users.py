"""People: their names, who is active, who is a superuser. The last superuser cannot be lost."""

import unicodedata
from collections.abc import Sequence

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from authapp import audit, clock, passwords, sessions, settings
from authapp.audit import Actor
from authapp.config.overlay import Effective
from authapp.database import Database
from authapp.errors import (
    BadUsername,
    LastSuperuser,
    NotAllowed,
    Pinned,
    UsernameTaken,
    UserNotFound,
    WrongPassword,
)
from authapp.models import Role, User, new_id
from authapp.passwords import Policy
from authapp.settings import Credentials

LONGEST_NAME = 256

# -- names ----------------------------------------------------------------------------------------------------


def clean_username(text: str) -> str:
    """Return a user name in the form it is stored (NFKC); raises BadUsername with the rule it breaks."""
    name = unicodedata.normalize("NFKC", text)
    if not name:
        raise BadUsername("A user name must not be empty.")
    if len(name) > LONGEST_NAME:
        raise BadUsername(f"A user name has at most {LONGEST_NAME} characters.")
    if name != name.strip():
        raise BadUsername("A user name must not begin or end with a space.")
    if ":" in name:
        raise BadUsername("A user name must not contain a colon (:).")
    if any(unicodedata.category(character)[0] == "C" for character in name):
        raise BadUsername("A user name must not contain invisible or control characters.")
    return name


def fold(username: str) -> str:
    """Return what user names are compared by: `Zoë`, `ZOË` and their decomposed forms are one name."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", username).casefold())


# -- looking up -----------------------------------------------------------------------------------------------


def find(db: Session, username: str) -> User | None:
    """Return the user who bears a name, however it is written."""
    return db.scalar(select(User).where(User.username_key == fold(username)))


def get(db: Session, user_id: str) -> User:
    """Return a user; raises UserNotFound."""
    if user := db.get(User, user_id):
        return user
    raise UserNotFound


def everybody(db: Session) -> Sequence[User]:
    """Return all users, by name."""
    return db.scalars(select(User).order_by(User.username_key)).all()


def other_superusers(db: Session, user_id: str) -> Sequence[User]:
    """Return the active superusers beside one user."""
    return db.scalars(_active_superusers().where(User.id != user_id).order_by(User.username_key)).all()


def _active_superusers() -> Select[User]:
    return select(User).where(User.role == Role.ADMIN, User.is_active)


def password_hash_of(db: Session, user: User) -> str | None:
    """Return a user's hash; the owner's is in the Settings table and nowhere else."""
    installation = settings.installation(db)
    if installation and user.id == installation.owner_id:
        credentials = settings.credentials(db)
        return credentials.password_hash if credentials else None
    return user.password_hash


def is_owner(db: Session, user_id: str) -> bool:
    """Tell whether a user is the owner."""
    installation = settings.installation(db)
    return installation is not None and installation.owner_id == user_id


# -- passwords ------------------------------------------------------------------------------------------------


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


def store_hash(db: Session, user: User, password_hash: str, by: Actor) -> None:
    """Write a user's hash to where it belongs."""
    if is_owner(db, user.id):
        settings.store_credentials(db, Credentials(user.username, password_hash), by=by.user_id)
    else:
        user.password_hash = password_hash


def require_own_password_free(db: Session, effective: Effective, user_id: str) -> None:
    """Raise Pinned when a user is the owner and file or environment supply the password."""
    if (key := effective.pinned_password) and is_owner(db, user_id):
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
) -> None:
    """Give a user a new password and end all sessions but `keep`.

    `instead_of` is the hash the current password was checked against. Raises WeakPassword, Pinned, and
    WrongPassword when somebody else was faster, such as the config file.
    """
    with database.reading() as db:
        username = get(db, user_id).username
        require_own_password_free(db, effective, user_id)
    password_hash = new_hash(effective, username, password)
    with database.writing() as db:
        settings.hold(db)
        user = get(db, user_id)
        require_own_password_free(db, effective, user_id)
        if instead_of is not None and password_hash_of(db, user) != instead_of:
            raise WrongPassword
        store_hash(db, user, password_hash, by)
        sessions.end_all(db, user.id, keep=keep)
        audit.record(db, "user.password-changed", by, target=user)


# -- creating and changing ------------------------------------------------------------------------------------


def create(
    database: Database,
    effective: Effective,
    username: str,
    password: str,
    by: Actor,
    *,
    active: bool | None = None,
    superuser: bool = False,
) -> User:
    """Create a user; `active` is `auth.new-user-is-active` unless it is given.

    Raises BadUsername, UsernameTaken, WeakPassword, NotAllowed.
    """
    name = clean_username(username)
    with database.reading() as db:
        require_superuser(db, by)
        if find(db, name):
            raise UsernameTaken  # before the slow hash
    password_hash = new_hash(effective, name, password)
    is_active = effective.config.auth.new_user_is_active if active is None else active
    with database.writing() as db:
        settings.hold(db)
        require_superuser(db, by)
        user = add(db, name, password_hash, active=is_active, superuser=superuser)
        audit.record(db, "user.created", by, target=user, active=is_active, superuser=superuser)
    return user


def add(
    db: Session,
    username: str,
    password_hash: str | None,
    *,
    active: bool,
    superuser: bool,
    user_id: str | None = None,
) -> User:
    """Add a user's row to the transaction at hand, with a new id unless one is given; raises UsernameTaken."""
    user = User(
        id=user_id or new_id(),
        username=username,
        username_key=fold(username),
        password_hash=password_hash,
        role=Role.ADMIN if superuser else Role.USER,
        is_active=active,
        created_at=clock.now(),
    )
    try:
        with db.begin_nested():
            db.add(user)
    except IntegrityError:
        raise UsernameTaken from None
    return user


def require_superuser(db: Session, by: Actor) -> None:
    """Raise NotAllowed unless whoever acts still is an active superuser; roads without a user are the host's."""
    if by.user_id is None:
        return
    user = db.get(User, by.user_id, populate_existing=True)
    if user is None or not user.is_active or not user.is_superuser:
        raise NotAllowed("Only a superuser may do this.")


def set_active(database: Database, user_id: str, by: Actor, *, active: bool) -> User:
    """Activate or deactivate a user; deactivating ends the sessions. Raises LastSuperuser."""
    with database.writing() as db:
        settings.hold(db)
        require_superuser(db, by)
        user = get(db, user_id)
        if user.is_active == active:
            return user
        if not active:
            _require_expendable(db, user, "deactivated")
            sessions.end_all(db, user.id)
        user.is_active = active
        audit.record(db, "user.activated" if active else "user.deactivated", by, target=user)
    return user


def set_superuser(database: Database, user_id: str, by: Actor, *, superuser: bool) -> User:
    """Make a user a superuser, or take that back. Raises LastSuperuser."""
    with database.writing() as db:
        settings.hold(db)
        require_superuser(db, by)
        user = get(db, user_id)
        if user.is_superuser == superuser:
            return user
        if not superuser:
            _require_expendable(db, user, "demoted")
        user.role = Role.ADMIN if superuser else Role.USER
        audit.record(db, "user.promoted" if superuser else "user.demoted", by, target=user)
    return user


def _require_expendable(db: Session, user: User, what: str) -> None:
    if is_owner(db, user.id):
        raise LastSuperuser(f"{user.username} is the owner, who cannot be {what}.")
    others = db.scalar(select(func.count()).select_from(_active_superusers().where(User.id != user.id).subquery()))
    if user.is_superuser and user.is_active and not others:
        raise LastSuperuser(f"{user.username} is the last active superuser, who cannot be {what}.")
