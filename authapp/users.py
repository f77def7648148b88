"""People: who is active, who is a superuser, who is called what. The last superuser cannot be lost."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Select, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from authapp import audit, clock, issued_tokens, names, permissions, revocation, settings
from authapp.audit import Actor
from authapp.database import Database
from authapp.errors import (
    BadUsername,
    LastSuperuser,
    NotAllowed,
    Unconfirmed,
    UsernameTaken,
    UserNotFound,
)
from authapp.models import KnownName, NamePart, Role, User, new_id

OWNERS_OWN = "Only the owner, the command line and the config file change the owner's name and password."

# -- looking up -----------------------------------------------------------------------------------------------


def find(db: Session, username: str) -> User | None:
    """Return the user who bears a name, however it is written."""
    return db.scalar(select(User).where(User.username_key == names.fold(username)))


def find_typed(db: Session, username: str, owner: str) -> tuple[User | None, User | None]:
    """Return who bears a name that a stranger typed, and whose rows are looked at: that user's, or the owner's.

    It is one statement, whether anybody bears the name or not.
    """
    try:
        key = names.fold(names.clean_username(username))
    except BadUsername:
        key = ""  # nobody's
    either = select(User).where(User.username_key.in_((key, names.fold(owner))))
    found = db.scalar(either.order_by((User.username_key == key).desc()).limit(1))
    return (found if found and found.username_key == key else None), found


def existing(db: Session, ids: Collection[str]) -> set[str]:
    """Return those of some ids that are users' still."""
    return set(db.scalars(select(User.id).where(User.id.in_(ids)))) if ids else set()


def get(db: Session, user_id: str) -> User:
    """Return a user; raises UserNotFound."""
    user = db.get(User, user_id) if names.is_storable(user_id) else None
    if user is None:
        raise UserNotFound
    return user


def somebody_waits(db: Session) -> bool:
    """Tell whether somebody signed up whom nobody has let in so far."""
    waiting = (User.is_active.is_(False), User.signed_up, User.last_login_at.is_(None))
    return db.scalar(select(User.id).where(*waiting).limit(1)) is not None


def other_superusers(db: Session, user_id: str) -> Sequence[User]:
    """Return the active superusers beside one user."""
    return db.scalars(_active_superusers().where(User.id != user_id).order_by(User.username_key)).all()


def has_to_look(db: Session, user: User) -> bool:
    """Tell whether an owner who is back in has to look who else gets in: other superusers, live API tokens."""
    if user.recovered_at is None:
        return False
    return bool(other_superusers(db, user.id) or issued_tokens.live_api_tokens(db))


def _active_superusers() -> Select[User]:
    return select(User).where(User.role == Role.ADMIN, User.is_active)


def password_hash_of(db: Session, user: User) -> str | None:
    """Return a user's hash; the owner's is in the Settings table and nowhere else."""
    owner_id, credentials = settings.owner(db)  # asked for everybody: it must not show in the time who the owner is
    if user.id == owner_id:
        return credentials.password_hash if credentials else None
    return user.password_hash


def is_owner(db: Session, user_id: str) -> bool:
    """Tell whether a user is the owner."""
    installation = settings.installation(db)
    return installation is not None and installation.owner_id == user_id


# -- rows -----------------------------------------------------------------------------------------------------


def add(
    db: Session, username: str, password_hash: str | None, *, user_id: str | None = None, **columns: Any
) -> User:
    """Add a user's row to the transaction at hand, with a new id unless one is given; raises UsernameTaken.

    `columns` are further columns of the row, such as `role` and `is_active`.
    """
    user = User(
        id=user_id or new_id(),
        username=username,
        username_key=names.fold(username),
        password_hash=password_hash,
        created_at=clock.now(),
        **{"full_name": "", **columns},
    )
    try:
        with db.begin_nested():
            db.add(user)
    except IntegrityError:
        raise UsernameTaken from None
    make_findable(db, user)
    return user


def call(db: Session, user: User, username: str) -> None:
    """Give a user another user name, in the transaction at hand; raises UsernameTaken."""
    bearer = find(db, username)
    if bearer is not None and bearer is not user:
        raise UsernameTaken
    user.username, user.username_key = username, names.fold(username)
    make_findable(db, user)


def make_findable(db: Session, user: User) -> None:
    """Write down what a user is found by, and that somebody bears this name: it is never a stranger's again."""
    db.execute(delete(NamePart).where(NamePart.user_id == user.id))
    parts = sorted(names.parts(user.username, user.full_name))
    db.execute(insert(NamePart), [{"part": part, "user_id": user.id} for part in parts])
    if db.get(KnownName, user.username_key) is None:
        db.add(KnownName(username_key=user.username_key, known_since=clock.now()))


def put_aside(db: Session, stranger: User, by: Actor, *, why: str = "signed up") -> None:
    """Rename and deactivate a user who has a name that the owner takes; `why` becomes part of the new name."""
    number = 1
    while find(db, aside := f"{stranger.username[:200]} ({why} {number})"):
        number += 1
    before = stranger.username
    call(db, stranger, aside)
    stranger.is_active = False
    revocation.end_all(db, stranger.id)
    audit.record(db, "user.put-aside", by, target=stranger, before=before)


def reviewed(database: Database, user_id: str, by: Actor) -> None:
    """Note that the owner has looked at who else is a superuser."""
    with database.writing() as db:
        user = get(db, user_id)
        user.recovered_at = None
        audit.record(db, "recovery.reviewed", by, target=user)


# -- changes --------------------------------------------------------------------------------------------------

Change = Callable[[Session, User, Actor], None]


def change(
    database: Database, user_ids: Sequence[str], what: Change, permission: permissions.Permission, by: Actor
) -> list[User]:
    """Change users in one transaction: all of them, or after a refusal none. Returns them."""
    with database.writing() as db:
        settings.hold(db)
        permissions.require(db, by, permission)
        changed = [get(db, user_id) for user_id in dict.fromkeys(user_ids)]
        for user in changed:
            what(db, user, by)
    return changed


def set_active(database: Database, user_id: str, by: Actor, *, active: bool, sure: bool = True) -> User:
    """Activate or deactivate a user; deactivating ends the sessions. Raises as `set_all_active`."""
    return set_all_active(database, [user_id], by, active=active, sure=sure)[0]


def set_all_active(
    database: Database, user_ids: Sequence[str], by: Actor, *, active: bool, sure: bool = True
) -> list[User]:
    """Activate or deactivate several users, all or none. Raises LastSuperuser.

    Unless they are `sure`, somebody who deactivates themselves is asked again: raises Unconfirmed.
    """
    return change(database, user_ids, active_or_not(active=active, sure=sure), permissions.ACTIVATE, by)


def active_or_not(*, active: bool, sure: bool = True) -> Change:
    """Return the change that activates or deactivates a user."""
    return _activate if active else partial(_deactivate, sure=sure)


def set_superuser(database: Database, user_id: str, by: Actor, *, superuser: bool, sure: bool = True) -> User:
    """Make a user a superuser, or take that back. Raises LastSuperuser.

    Unless they are `sure`, somebody who takes it from themselves is asked again: raises Unconfirmed.
    """
    what = superuser_or_not(superuser=superuser, sure=sure)
    return change(database, [user_id], what, permissions.SET_ROLE, by)[0]


def superuser_or_not(*, superuser: bool, sure: bool = True) -> Change:
    """Return the change that makes a user a superuser, or takes that back."""
    return _promote if superuser else partial(_demote, sure=sure)


def delete_all(database: Database, user_ids: Sequence[str], by: Actor) -> list[User]:
    """Delete users, all or none; sessions and tokens end. Raises LastSuperuser, and NotAllowed for oneself."""
    return change(database, user_ids, _delete, permissions.DELETE, by)


def require_owner_or_host(db: Session, user: User, by: Actor) -> None:
    """Raise NotAllowed when a superuser is after the owner's name or password."""
    if is_owner(db, user.id) and by.user_id not in (None, user.id):
        raise NotAllowed(OWNERS_OWN)


def _activate(db: Session, user: User, by: Actor) -> None:
    if user.is_active:
        return
    user.is_active = True
    if user.must_change_password:
        user.initial_password_at = clock.now()  # nobody could use it before
    audit.record(db, "user.activated", by, target=user)


def _deactivate(db: Session, user: User, by: Actor, *, sure: bool) -> None:
    if not user.is_active:
        return
    _require_expendable(db, user, "deactivated")
    if by.user_id == user.id and not sure:
        raise Unconfirmed(
            "Deactivate yourself? You are signed out at once, and only another superuser can let you in again.",
            "Yes, deactivate me",
        )
    revocation.end_all(db, user.id)
    user.is_active = False
    audit.record(db, "user.deactivated", by, target=user)


def _promote(db: Session, user: User, by: Actor) -> None:
    if user.is_superuser:
        return
    user.role = Role.ADMIN
    audit.record(db, "user.promoted", by, target=user)


def _demote(db: Session, user: User, by: Actor, *, sure: bool) -> None:
    if not user.is_superuser:
        return
    _require_expendable(db, user, "demoted")
    if by.user_id == user.id and not sure:
        raise Unconfirmed(
            "Take away your own superuser role? Only another superuser can give it back.", "Yes, take it away"
        )
    user.role = Role.USER
    audit.record(db, "user.demoted", by, target=user)


def _delete(db: Session, user: User, by: Actor) -> None:
    if by.user_id == user.id:
        can = "nobody can delete the owner" if is_owner(db, user.id) else "another superuser can"
        raise NotAllowed(f"You cannot delete yourself; {can}.")
    _require_expendable(db, user, "deleted")
    ended = revocation.end_all(db, user.id)
    audit.record(db, "user.deleted", by, target=user, sessions=ended.sessions, tokens=ended.tokens)
    db.delete(user)
    db.flush()


def _require_expendable(db: Session, user: User, what: str) -> None:
    if is_owner(db, user.id):
        raise LastSuperuser(f"{user.username} is the owner, who cannot be {what}.")
    another = db.scalar(_active_superusers().where(User.id != user.id).limit(1))
    if user.is_superuser and user.is_active and another is None:
        raise LastSuperuser(f"{user.username} is the last active superuser, who cannot be {what}.")
