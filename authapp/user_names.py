"""Users' names: changing them, and who may."""

from sqlalchemy.orm import Session

from authapp import audit, names, permissions, settings, users
from authapp.audit import Actor
from authapp.config.options import USERNAME
from authapp.config.overlay import Effective
from authapp.database import Database
from authapp.errors import NotAllowed, Pinned
from authapp.models import User
from authapp.settings import Credentials
from authapp.users import Change


def edit(
    database: Database,
    effective: Effective,
    user_id: str,
    by: Actor,
    *,
    username: str | None = None,
    full_name: str | None = None,
) -> User:
    """Change a user's names; what is None stays. One's own full name may be changed by everybody.

    Raises BadUsername, BadFullName, UsernameTaken, NotAllowed, and Pinned for the name of an owner whom file or
    environment name.
    """
    own = by.user_id == user_id and username is None
    permission = permissions.OWN_ACCOUNT if own else permissions.EDIT
    return users.change(database, [user_id], naming(effective, username, full_name), permission, by)[0]


def naming(effective: Effective, username: str | None, full_name: str | None) -> Change:
    """Return the change that gives a user other names; raises BadUsername, BadFullName."""
    new_name = None if username is None else names.clean_username(username)
    new_full_name = None if full_name is None else names.clean_full_name(full_name)

    def write(db: Session, user: User, by: Actor) -> None:
        before = user.username
        if new_name in (None, user.username) and new_full_name in (None, user.full_name):
            return
        if new_full_name is not None:
            user.full_name = new_full_name
        if new_name is not None and new_name != user.username:
            _require_name_free(db, effective, user, by)
            users.call(db, user, new_name)
            _rename_credentials(db, user, by)
        else:
            users.make_findable(db, user)
        audit.record(db, "user.edited", by, target=user, before=before)

    return write


def why_name_is_fixed(db: Session, effective: Effective, user: User, by: Actor) -> str | None:
    """Return why somebody cannot change a user's user name, or None."""
    try:
        _require_name_free(db, effective, user, by)
    except (NotAllowed, Pinned) as error:
        return str(error)
    return None


def _require_name_free(db: Session, effective: Effective, user: User, by: Actor) -> None:
    if not users.is_owner(db, user.id):
        return
    users.require_owner_or_host(db, user, by)
    if effective.pinned(USERNAME):
        raise Pinned(USERNAME, effective.place_of.get(USERNAME))


def _rename_credentials(db: Session, user: User, by: Actor) -> None:
    stored = settings.credentials(db)
    if stored is not None and users.is_owner(db, user.id):
        settings.store_credentials(db, Credentials(user.username, stored.password_hash), by=by.user_id)
