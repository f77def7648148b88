"""First run: may it happen, who may do it, and finishing it. It happens once, and one visitor wins."""

import hmac
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from authapp import (
    adoption,
    audit,
    clock,
    logins,
    names,
    paths,
    provision,
    sessions,
    settings,
    throttle,
    tokens,
    user_passwords,
    users,
)
from authapp.audit import Actor
from authapp.config.live import Snapshot
from authapp.config.overlay import GivenCredentials
from authapp.database import Database
from authapp.errors import BadSetupToken, NotAllowed, SetupClosed, UsernameTaken
from authapp.models import Role, User
from authapp.permissions import NOBODY_TO_MANAGE
from authapp.settings import Credentials, Installation

TOKEN_LIFETIME = timedelta(hours=24)
MOST_TOKENS = 8  # one for each node that was started
TOKEN_FILE = "setup-token"  # noqa: S105 - a file's name


def is_open(db: Session, snapshot: Snapshot) -> bool:
    """Tell whether the first run is still to come; every doubt closes it."""
    installation = settings.installation(db)
    return (
        installation is not None
        and installation.auth_mode == "basic"
        and installation.setup_completed_at is None
        and not snapshot.closed
        and not any(problem.closes for problem in snapshot.problems)
        and not (snapshot.given.username is not None and snapshot.given.has_secret)
        and settings.credentials(db) is None
        and not _has_superuser(db)
    )


def is_completed(db: Session) -> bool:
    """Tell whether the first run is recorded as completed, which is for good."""
    installation = settings.installation(db)
    return installation is not None and installation.setup_completed_at is not None


def _has_superuser(db: Session) -> bool:
    wanted = select(User.id).where(User.role == Role.ADMIN, User.is_active, User.password_hash.is_not(None))
    return db.scalar(wanted.limit(1)) is not None


# -- the setup token ------------------------------------------------------------------------------------------


def ensure_token(database: Database, snapshot: Snapshot, data: Path, *, fresh: bool = False) -> str | None:
    """Return the setup token to print, or None when setup is over.

    That is the one in the token file, if it is still good, else a new one; `fresh` voids all older ones.
    Raises OSError when the file cannot be written.
    """
    file = data / TOKEN_FILE
    with database.reading() as db:
        if not is_open(db, snapshot):
            return None
        if not fresh and (token := _read_token(file)) and _is_listed(db, token):
            return token
    token = tokens.generate()
    paths.write_secret_file(file, token + "\n")
    entry = {"sha256": tokens.digest(token), "created_at": clock.now().isoformat()}
    with database.writing() as db:
        settings.hold(db)
        if not is_open(db, snapshot):
            return None
        kept = [] if fresh else _listed(db)
        settings.store(db, settings.SETUP_TOKEN, [*kept, entry][-MOST_TOKENS:])
        audit.record(db, "setup-token.created", provision.AUTHAPP)
    return token


def _read_token(file: Path) -> str | None:
    try:
        return paths.read_small_file(file, 1024).decode("ascii").strip()
    except (OSError, ValueError):
        return None


def remove_token_file(data: Path) -> None:
    """Delete the token file; without its row in the Settings table it opens nothing anyway."""
    try:
        (data / TOKEN_FILE).unlink(missing_ok=True)
    except OSError:
        return


def _listed(db: Session) -> list[dict[str, Any]]:
    rows = settings.load(db, settings.SETUP_TOKEN) or []
    return [row for row in rows if clock.is_near(datetime.fromisoformat(row["created_at"]), TOKEN_LIFETIME)]


def _is_listed(db: Session, token: str) -> bool:
    wanted = tokens.digest(token)
    return any(hmac.compare_digest(row["sha256"], wanted) for row in _listed(db))


def is_token(database: Database, token: str) -> bool:
    """Tell whether a setup token opens the wizard now."""
    with database.reading() as db:
        return _is_listed(db, token)


# -- finishing ------------------------------------------------------------------------------------------------


def finish(
    database: Database, snapshot: Snapshot, token: str | None, username: str, password: str, by: Actor
) -> str:
    """Make the owner, close setup for good, and sign the owner in; returns the session's token.

    `token` is None where `setup.require-token` is off. Halves of the credentials that are pinned count instead
    of those typed. Raises BadSetupToken, BadUsername, WeakPassword, and SetupClosed for whoever comes second.
    """
    _require_token(database, snapshot, token)
    credentials = _credentials(snapshot, snapshot.given, username, password)
    with database.writing() as db:
        installation = _claim(db, snapshot, token)
        _require_free_name(db, installation, credentials.username)
        owner = adoption.found(db, installation, credentials, by)
        who = Actor(by.road, owner.id, owner.username, by.address, by.user_agent)
        owner.last_login_at = clock.now()
        session_token = sessions.start(db, owner, who)
        throttle.know(db, logins.bucket_of(snapshot.effective, owner.username, by.address, owner))
        # After the session began: it is not the sign-in before that one.
        audit.record(db, audit.SET_UP, who, target=owner)
        return session_token


def _require_token(database: Database, snapshot: Snapshot, token: str | None) -> None:
    """Refuse strangers before the slow hash."""
    with database.reading() as db:
        _require_open(db, snapshot, token)


def _credentials(snapshot: Snapshot, given: GivenCredentials, username: str, password: str) -> Credentials:
    name = names.clean_username(given.username if given.username is not None else username)
    if given.password_hash is not None:
        return Credentials(name, given.password_hash)
    chosen = given.password if given.password is not None else password
    return Credentials(name, user_passwords.new_hash(snapshot.effective, name, chosen))


def _claim(db: Session, snapshot: Snapshot, token: str | None) -> Installation:
    """Take the one setup there is: with the row held, look again whether it is still open."""
    installation = settings.hold(db)
    if installation is None:
        raise SetupClosed
    _require_open(db, snapshot, token)
    return installation


def _require_free_name(db: Session, installation: Installation, username: str) -> None:
    """Raise UsernameTaken when somebody has the name that the default user of mode none is to have as the owner."""
    bearer = users.find(db, username)
    if installation.owner_id is not None and bearer is not None and bearer.id != installation.owner_id:
        raise UsernameTaken


def _require_open(db: Session, snapshot: Snapshot, token: str | None) -> None:
    # The token is looked up first: a winner takes it away, and who comes second hears that setup is finished.
    is_listed = not snapshot.effective.config.setup.require_token or _is_listed(db, token or "")
    if not is_open(db, snapshot):
        raise SetupClosed
    if not is_listed:
        raise BadSetupToken


def found_by_command(
    database: Database, snapshot: Snapshot, username: str, password: str, by: Actor
) -> User | None:
    """Make the owner without a setup token, for whoever has a shell; None when there is an owner already.

    Raises BadUsername, UsernameTaken, WeakPassword.
    """
    with database.reading() as db:
        if settings.credentials(db):
            return None
    credentials = _credentials(snapshot, snapshot.given, username, password)
    with database.writing() as db:
        installation = settings.hold(db)
        if installation is None or settings.credentials(db):
            return None
        if installation.auth_mode != "basic":
            raise NotAllowed(NOBODY_TO_MANAGE)
        if (bearer := users.find(db, credentials.username)) and bearer.id != installation.owner_id:
            raise UsernameTaken
        owner = adoption.found(db, installation, credentials, by)
        audit.record(db, audit.SET_UP, by, target=owner)
    return owner
