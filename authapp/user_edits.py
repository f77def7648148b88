"""Several changes of one user in one transaction: all of them, or after a refusal none."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from authapp import permissions, user_names, users
from authapp.audit import Actor
from authapp.config.overlay import Effective
from authapp.database import Database
from authapp.models import Role, User
from authapp.permissions import Permission
from authapp.users import Change


@dataclass(frozen=True, slots=True)
class Edit:
    """What is to change of a user; what is None stays."""

    username: str | None = None
    full_name: str | None = None
    role: Role | None = None
    active: bool | None = None


def apply(database: Database, effective: Effective, user_id: str, edit: Edit, by: Actor) -> User:
    """Change a user. Raises as `user_names.edit`, `users.set_active` and `users.set_superuser` do."""
    steps: list[tuple[Permission, Change]] = []
    if edit.username is not None or edit.full_name is not None:
        steps.append((permissions.EDIT, user_names.naming(effective, edit.username, edit.full_name)))
    if edit.role is not None:
        steps.append((permissions.SET_ROLE, users.superuser_or_not(superuser=edit.role == Role.ADMIN)))
    if edit.active is not None:
        steps.append((permissions.ACTIVATE, users.active_or_not(active=edit.active)))

    def write(db: Session, user: User, by: Actor) -> None:
        # Asked before anything is done: superusers may take their own role away with this.
        for permission, _ in steps:
            permissions.require(db, by, permission)
        for _, change in steps:
            change(db, user, by)

    return users.change(database, [user_id], write, permissions.EDIT, by)[0]
