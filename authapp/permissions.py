"""Who may do what: the one table that every road asks, and that the documentation is made from."""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from authapp import settings
from authapp.audit import MODE_NONE, Actor
from authapp.errors import NotAllowed
from authapp.models import Role, User

EVERYBODY = frozenset(Role)
SUPERUSERS = frozenset({Role.ADMIN})
NOBODY_TO_MANAGE = "In mode none nobody signs in: there are no users, passwords, tokens or sessions to look after."


@dataclass(frozen=True, slots=True)
class Permission:
    """One thing that can be done; `words` complete the sentence `… may`."""

    words: str
    roles: frozenset[Role]


OWN_ACCOUNT = Permission("see and change their own account: full name, password, sessions", EVERYBODY)
OWN_TOKENS = Permission("make API tokens for their own account, and revoke them", EVERYBODY)
SEE_ORGANIZATION = Permission("see the organization and its workspace", EVERYBODY)
SEE_USERS = Permission("see all users, their sessions and their history", SUPERUSERS)
INVITE = Permission("create and invite users", SUPERUSERS)
EDIT = Permission("change a user's names", SUPERUSERS)
ACTIVATE = Permission("activate and deactivate users", SUPERUSERS)
SET_ROLE = Permission("make superusers, or take that back", SUPERUSERS)
RESET = Permission("reset passwords, and let users try again who are locked", SUPERUSERS)
END_SESSIONS = Permission("end other people's sessions", SUPERUSERS)
END_TOKENS = Permission("see and revoke other people's tokens", SUPERUSERS)
DELETE = Permission("delete users", SUPERUSERS)
SEE_AUDIT = Permission("see and export what happened", SUPERUSERS)
SEE_METRICS = Permission("see the metrics, where they are switched on", SUPERUSERS)
SETTINGS = Permission("change settings, such as the organization's name", SUPERUSERS)

PERMISSIONS = (
    OWN_ACCOUNT,
    OWN_TOKENS,
    SEE_ORGANIZATION,
    SEE_USERS,
    INVITE,
    EDIT,
    ACTIVATE,
    SET_ROLE,
    RESET,
    END_SESSIONS,
    END_TOKENS,
    DELETE,
    SEE_AUDIT,
    SEE_METRICS,
    SETTINGS,
)

IN_MODE_NONE = (SEE_ORGANIZATION, SEE_AUDIT, SEE_METRICS, SETTINGS)


def allows(role: str, permission: Permission) -> bool:
    """Tell whether a role includes a permission; a role nobody knows includes none."""
    return role in permission.roles


def require(db: Session, by: Actor, permission: Permission) -> None:
    """Raise NotAllowed unless whoever acts is active and has the role for it now.

    Roads without a user (command line, config file) are the host's own, which may do everything; but in mode none
    there are no people to do it to.
    """
    installation = settings.installation(db)
    is_mode_none = installation is not None and installation.auth_mode == "none"
    if is_mode_none and permission not in IN_MODE_NONE:
        raise NotAllowed(NOBODY_TO_MANAGE)
    if by.road == MODE_NONE and not is_mode_none:  # whoever came in before the mode was changed
        raise NotAllowed("People sign in here by now; open the page again.")
    if by.user_id is None:
        return
    user = db.get(User, by.user_id, populate_existing=True)
    if user is None or not user.is_active or not allows(user.role, permission):
        who = "an active user" if permission.roles == EVERYBODY else "a superuser"
        raise NotAllowed(f"Only {who} may {permission.words}.")


def table() -> str:
    """Return the permissions as a table in Markdown."""
    rows = ["| | superuser | user |", "|---|:-:|:-:|"]
    for permission in PERMISSIONS:
        marks = ["yes" if allows(role, permission) else "no" for role in (Role.ADMIN, Role.USER)]
        rows.append(f"| {permission.words} | {' | '.join(marks)} |")
    return "\n".join(rows) + "\n"
