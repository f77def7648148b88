"""The mode of an installation: recorded, and changed only from none to basic, or on purpose back.

In mode `none` everybody is the default user: a superuser without a password, who becomes the owner when people
begin to sign in. Nothing that was made before counts then, except what that user owns.
"""

from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from authapp import audit, revocation, settings, users
from authapp.audit import Actor
from authapp.config.options import OPTIONS
from authapp.database import Database
from authapp.errors import NotAllowed
from authapp.models import DEFAULT_ID, Role, SignedIn, Token, User
from authapp.settings import Installation

BASIC, NONE = "basic", "none"
DEFAULT_USERNAME = "default"


def ensure_default_user(db: Session, installation: Installation) -> Installation:
    """Make the default user of mode none, if there is none yet; the owner of before is the default user."""
    user = db.get(User, installation.owner_id) if installation.owner_id else None
    if user is None:
        user = users.find(db, DEFAULT_USERNAME) or users.add(
            db, DEFAULT_USERNAME, None, user_id=installation.owner_id, is_active=True, role=Role.ADMIN
        )
        installation = replace(installation, owner_id=user.id)
        settings.store_installation(db, installation)
    user.is_active, user.role, user.password_hash = True, Role.ADMIN, None
    return installation


def default_user(db: Session) -> User | None:
    """Return who everybody is in mode none."""
    installation = settings.installation(db)
    if installation is None or installation.auth_mode != NONE or installation.owner_id is None:
        return None
    return db.get(User, installation.owner_id)


# -- from none to basic ---------------------------------------------------------------------------------------


def leave_none(db: Session, installation: Installation, by: Actor, username: str | None = None) -> Installation:
    """Record mode basic, in the transaction at hand, and void every way in that could have been made before.

    The default user stays, with everything it owns; it has no password until it becomes the owner. Whoever else
    bears the `username` that the owner is to have is renamed.
    """
    revocation.end_everybodys(db, api_tokens=True)
    settings.remove_credentials(db)
    settings.remove(db, settings.SETUP_TOKEN)
    db.execute(update(User).values(password_hash=None, initial_password_at=None, recovered_at=None))
    db.execute(update(User).where(_others(installation)).values(role=Role.USER))
    db.expire_all()
    bearer = users.find(db, username) if username else None
    if bearer is not None and bearer.id != installation.owner_id:
        users.put_aside(db, bearer, by, why="from mode none")
    installation = replace(installation, auth_mode=BASIC, setup_completed_at=None)
    settings.store_installation(db, installation)
    audit.record(db, "mode.changed", by, before=NONE, after=BASIC)
    return installation


def _others(installation: Installation) -> ColumnElement[bool]:
    return User.id != (installation.owner_id or "")


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What leaving mode none would do: whom it makes the owner, what stays, and what counts no more.

    `renamed`: who has the name that the owner is to have.
    """

    user_id: str
    username: str
    workspace_id: str = DEFAULT_ID
    stored_options: tuple[str, ...] = ()
    other_users: tuple[str, ...] = ()
    demoted: tuple[str, ...] = ()
    renamed: str | None = None
    passwords: int = 0
    sessions: int = 0
    tokens: int = 0


def rehearse(database: Database, username: str | None = None) -> Rehearsal:
    """Return what leaving mode none would do, without doing it; the owner is to be called `username`.

    Raises NotAllowed in another mode.
    """
    with database.reading() as db:
        installation = settings.installation(db)
        owner = default_user(db)
        if installation is None or owner is None:
            raise NotAllowed("This installation is in mode basic already; nothing would change.")
        bearer = users.find(db, username) if username else None
        others = db.scalars(select(User).where(_others(installation)).order_by(User.username_key)).all()
        return Rehearsal(
            owner.id,
            owner.username,
            stored_options=tuple(sorted(key for key in settings.load_all(db) if _is_set_by_people(key))),
            other_users=tuple(user.username for user in others),
            demoted=tuple(user.username for user in others if user.is_superuser),
            renamed=bearer.username if bearer is not None and bearer.id != owner.id else None,
            passwords=sum(user.password_hash is not None for user in (owner, *others)),
            sessions=db.scalar(select(func.count()).select_from(SignedIn)) or 0,
            tokens=db.scalar(select(func.count()).select_from(Token)) or 0,
        )


def _is_set_by_people(key: str) -> bool:
    return key in OPTIONS and OPTIONS[key].settable


# -- from basic to none ---------------------------------------------------------------------------------------


def enter_none(database: Database, by: Actor) -> bool:
    """Record mode none: the owner is the default user, everybody is signed out. False when it was so already."""
    with database.writing() as db:
        installation = settings.hold(db)
        if installation is None or installation.auth_mode == NONE:
            return False
        revocation.end_everybodys(db, api_tokens=True)
        settings.remove_credentials(db)
        settings.remove(db, settings.SETUP_TOKEN)
        installation = replace(installation, auth_mode=NONE, setup_completed_at=None)
        settings.store_installation(db, installation)
        ensure_default_user(db, installation)
        audit.record(db, "mode.changed", by, before=BASIC, after=NONE)
    return True
