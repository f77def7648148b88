"""Creating users: one or many, with a typed password or a generated one that is shown once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from authapp import (
    audit,
    clock,
    names,
    passwords,
    permissions,
    revocation,
    settings,
    throttle,
    user_passwords,
    users,
)
from authapp.audit import Actor
from authapp.config.overlay import Effective
from authapp.database import Database
from authapp.errors import BadList, NotAllowed, Refused, UsernameTaken, WeakPassword
from authapp.models import Role, User

MOST_AT_ONCE = 500  # LangSmith's limit for a batch


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user to create. Without a password one is generated; `active` is `auth.new-user-is-active` unless given."""

    username: str
    full_name: str = ""
    password: str | None = field(default=None, repr=False)
    role: Role = Role.USER
    active: bool | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A user to create as a list names it: in which line, and why it cannot be, if so."""

    line: int
    user: NewUser
    refusal: Refused | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """A user who was created or whose password was reset.

    `initial_password` is there when it was generated; it dies at `dies_at`, which is not known before the user
    is active.
    """

    user: User
    initial_password: str | None = field(default=None, repr=False)
    dies_at: datetime | None = None


def checked(database: Database, effective: Effective, rows: Sequence[Row]) -> list[Row]:
    """Return rows in the form they will be stored, each with the rule it breaks, if any."""
    with database.reading() as db:
        found = [_clean(row) for row in rows]
        keys = ["" if row.refusal else names.fold(row.user.username) for row in found]
        taken = set(db.scalars(select(User.username_key).where(User.username_key.in_(keys))))
    seen: dict[str, int] = {}
    for place, (row, key) in enumerate(zip(found, keys, strict=True)):
        if row.refusal is None and key in taken:
            found[place] = replace(row, refusal=UsernameTaken())
        elif row.refusal is None and seen.setdefault(key, row.line) != row.line:
            found[place] = replace(row, refusal=BadList(f"The same user name stands in line {seen[key]}."))
        elif row.refusal is None:
            found[place] = replace(row, refusal=why_weak(effective, row.user))
    return found


def why_weak(effective: Effective, user: NewUser) -> WeakPassword | None:
    """Return what is wrong with the password typed for a new user, if one was typed."""
    if user.password is None:
        return None
    broken = user_passwords.broken_rules(effective, user.username, user.password)
    return WeakPassword(user_passwords.policy(effective).name, broken) if broken else None


def _clean(row: Row) -> Row:
    if row.refusal is not None:
        return row
    try:
        username = names.clean_username(row.user.username)
        full_name = names.clean_full_name(row.user.full_name)
    except Refused as error:
        return replace(row, refusal=error)
    return replace(row, user=replace(row.user, username=username, full_name=full_name))


def invite(database: Database, effective: Effective, wanted: Sequence[NewUser], by: Actor) -> list[Invitation]:
    """Create users, all or none.

    Raises NotAllowed, and for a single user BadUsername, BadFullName, UsernameTaken or WeakPassword; for several
    BadList, which names the row.
    """
    rows = [Row(line, user) for line, user in enumerate(wanted, 1)]
    return _invite(database, effective, rows, by, names_line=len(rows) > 1)


def invite_list(database: Database, effective: Effective, rows: Sequence[Row], by: Actor) -> list[Invitation]:
    """Create the users of a list, all or none; raises NotAllowed, and BadList, which names the line."""
    return _invite(database, effective, rows, by, names_line=True)


def _invite(
    database: Database, effective: Effective, rows: Sequence[Row], by: Actor, *, names_line: bool
) -> list[Invitation]:
    with database.reading() as db:
        permissions.require(db, by, permissions.INVITE)  # before the slow hashes
    good = _require_good(checked(database, effective, rows), names_line=names_line)
    initial = [None if row.user.password is not None else generate(effective, row.user.username) for row in good]
    chosen = [row.user.password or made or "" for row, made in zip(good, initial, strict=True)]
    # Threads, because hashing leaves the other processors free; not all places, because others sign in meanwhile.
    with ThreadPoolExecutor(passwords.SLOTS.size - 1) as threads:
        hashes = list(threads.map(passwords.hash_password, chosen))
    with database.writing() as db:
        settings.hold(db)
        permissions.require(db, by, permissions.INVITE)
        users_made = []
        for row, password_hash, made in zip(good, hashes, initial, strict=True):
            try:
                user = _create(db, effective, row.user, password_hash, by, generated=made is not None)
            except UsernameTaken as error:  # by somebody who was faster
                raise BadList(f"Line {row.line}: {error}", [(row.line, error)]) if names_line else error from None
            users_made.append(user)
    return [
        Invitation(user, made, user_passwords.initial_password_dies_at(effective, user))
        for user, made in zip(users_made, initial, strict=True)
    ]


def _require_good(rows: Sequence[Row], *, names_line: bool) -> Sequence[Row]:
    if not rows:
        raise BadList("The list is empty: write one user a line.")
    if len(rows) > MOST_AT_ONCE:
        raise BadList(f"At most {MOST_AT_ONCE} users at once; this list has {len(rows)}.")
    refused = [(row.line, row.refusal) for row in rows if row.refusal is not None]
    if refused:
        line, refusal = refused[0]
        raise BadList(f"Line {line}: {refusal}", refused) if names_line else refusal
    return rows


def _create(
    db: Session, effective: Effective, wanted: NewUser, password_hash: str, by: Actor, *, generated: bool
) -> User:
    active = effective.config.auth.new_user_is_active if wanted.active is None else wanted.active
    user = users.add(
        db,
        wanted.username,
        password_hash,
        full_name=wanted.full_name,
        role=wanted.role,
        is_active=active,
        initial_password_at=clock.now() if generated else None,
    )
    audit.record(db, "user.created", by, target=user, active=active, superuser=user.is_superuser, invited=generated)
    return user


def generate(effective: Effective, username: str) -> str:
    """Return a password that fits the policy in force, to be used once."""
    policy, context = user_passwords.policy(effective), user_passwords.context(effective, username)
    while policy.broken(password := passwords.generate(), context):
        pass  # by chance it held a word it must not be built from
    return password


def reset_password(database: Database, effective: Effective, user_id: str, by: Actor) -> Invitation:
    """Give a user a generated password, to be replaced at the next sign-in.

    Sessions and tokens end, a wait is lifted. Raises NotAllowed, also for oneself (who knows the password changes
    it), and Pinned.
    """
    if by.user_id == user_id:
        raise NotAllowed("Change your own password on your account page.")
    with database.reading() as db:
        permissions.require(db, by, permissions.RESET)
        user = users.get(db, user_id)
        users.require_owner_or_host(db, user, by)
        user_passwords.require_own_password_free(db, effective, user_id)
    password = generate(effective, user.username)
    password_hash = passwords.hash_password(password)
    with database.writing() as db:
        settings.hold(db)
        permissions.require(db, by, permissions.RESET)
        user = users.get(db, user_id)
        users.require_owner_or_host(db, user, by)
        user_passwords.require_own_password_free(db, effective, user_id)
        user_passwords.store_hash(db, user, password_hash, by)
        user.initial_password_at = clock.now()
        ended = revocation.end_all(db, user.id)
        throttle.lift(db, throttle.account_of(effective.secret_key, user.username_key))
        audit.record(db, "user.password-reset", by, target=user, sessions=ended.sessions, tokens=ended.tokens)
    return Invitation(user, password, user_passwords.initial_password_dies_at(effective, user))
