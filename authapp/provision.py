"""Bring the database into line with the effective config: nothing, or all of it, in one transaction."""

from dataclasses import replace
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from authapp import adoption, audit, clock, modes, revocation, settings, tokens, users
from authapp.audit import Actor
from authapp.config.checks import mode_lock
from authapp.config.live import Adopt, NotNow, Reading
from authapp.config.options import MODE, SECRET_KEY
from authapp.config.overlay import Effective
from authapp.database import Database, DatabaseError, require_schema
from authapp.errors import Busy, ConfigError, NotAllowed, Pinned, Problem, SchemaOutdated
from authapp.models import DEFAULT_ID, Organization, Role, User, Workspace, new_id
from authapp.nodes import NOWHERE, Here
from authapp.revocation import Ended
from authapp.settings import Installation

AUTHAPP = Actor("authapp")


def prepare(database: Database, mode: str = modes.BASIC) -> Installation:
    """Make what every installation has: its id, a secret key, the organization, the workspace, the owner's row.

    `mode` is that of a new installation; one that is there already keeps its own.
    """
    try:
        return _prepare(database, mode)
    except IntegrityError:  # another node was first
        return _prepare(database, mode)


def _prepare(database: Database, mode: str) -> Installation:
    with database.reading() as db:
        ready = settings.installation(db)
        if ready and settings.stored_secret_key(db) and _owner_row_stands(db, ready):
            return ready
    with database.writing() as db:
        now = clock.now()
        installation = settings.hold(db)
        if installation is None:
            installation = Installation(id=new_id(), auth_mode=mode, created_at=now.isoformat())
            settings.found_installation(db, installation)
            db.merge(Organization(id=DEFAULT_ID, name="Default", created_at=now))
            db.flush()  # the workspace refers to it
            db.merge(Workspace(id=DEFAULT_ID, organization_id=DEFAULT_ID, name="Default", created_at=now))
            audit.record(db, "installation.created", AUTHAPP)
        if settings.stored_secret_key(db) is None:
            settings.store(db, SECRET_KEY, tokens.generate())
        if installation.auth_mode == modes.NONE:
            return modes.ensure_default_user(db, installation)
        return _ensure_owner_row(db, installation)


def _owner_row_stands(db: Session, installation: Installation) -> bool:
    if installation.auth_mode == modes.BASIC and settings.credentials(db) is None:
        return True
    return installation.owner_id is not None and db.get(User, installation.owner_id) is not None


def _ensure_owner_row(db: Session, installation: Installation) -> Installation:
    """Make a missing row of the owner again, with the id it had."""
    credentials = settings.credentials(db)
    if credentials is None or _owner_row_stands(db, installation):
        return installation
    owner = users.find(db, credentials.username) or users.add(
        db, credentials.username, None, user_id=installation.owner_id, is_active=True, role=Role.ADMIN
    )
    owner.is_active, owner.role, owner.password_hash = True, Role.ADMIN, None
    installation = replace(installation, owner_id=owner.id)
    settings.store_installation(db, installation)
    audit.record(db, "owner.restored", AUTHAPP, target=owner)
    return installation


def load_rows(database: Database) -> dict[str, Any]:
    """Return the rows of the Settings table; raises NotNow when the database or its schema cannot be used."""
    try:
        require_schema(database)
        with database.reading() as db:
            return settings.load_all(db)
    except (DatabaseError, SchemaOutdated) as error:
        raise NotNow from error


def adopter(database: Database, here: Here = NOWHERE, *, starts: bool = True, signs: bool = True) -> Adopt:
    """Return what LiveConfig calls with each file it read; `here`, `starts` and `signs` as in `adopt`."""

    def adopt_or_wait(reading: Reading) -> tuple[Problem, ...]:
        try:
            return adopt(database, reading, here, starts=starts, signs=signs)
        except (DatabaseError, Busy) as error:
            raise NotNow from error

    return adopt_or_wait


def adopt(
    database: Database, reading: Reading, here: Here = NOWHERE, *, starts: bool = True, signs: bool = True
) -> tuple[Problem, ...]:
    """Bring the database into line: the mode, the owner's credentials, the secret key.

    Only a process that starts leaves mode none: one that runs goes on as it was started, and answers nobody once
    the mode is another. Without `starts` it is a worker, and waits until its parent has done what a start changes.
    `here`: where it runs. `signs`: it is a server, whose secret key counts; a command may be run where the
    server's environment is not.

    Returns the credentials that were given and do not count. Raises ConfigError when the mode is locked or the
    credentials break a rule; then nothing was written. Raises NotNow before the installation was prepared.
    """
    with database.reading() as db:
        installation = settings.installation(db)
    if installation is None:
        raise NotNow
    wanted = reading.effective.config.auth.mode
    if installation.auth_mode != wanted and not reading.first:
        return ()
    if problem := mode_lock(installation.auth_mode, wanted):
        raise ConfigError([replace(problem, place=reading.effective.place_of.get(MODE))])
    if installation.auth_mode != wanted and not starts:
        raise NotNow
    problems: tuple[Problem, ...] = ()
    if wanted == modes.BASIC:
        from_none = installation.auth_mode == modes.NONE
        problems = adoption.adopt(database, reading, here=here, from_none=from_none, starts=starts)
    if signs:
        _remember_secret_key(database, reading.effective)
    return problems


def rotate_secret_key(database: Database, effective: Effective, by: Actor) -> Ended:
    """Make a new secret key and end every session and JWT; returns how many. Raises Pinned, NotAllowed."""
    if effective.pinned(SECRET_KEY):
        raise Pinned(SECRET_KEY, effective.place_of.get(SECRET_KEY))
    key = tokens.generate()
    with database.writing() as db:
        installation = settings.hold(db)
        if installation is None:
            raise NotNow
        if installation.secret_key_fingerprint not in (None, tokens.fingerprint(effective.secret_key)):
            raise NotAllowed(
                "The server's secret key is not the stored one, so a new stored one would change nothing: it comes "
                "from an environment that is not here. Change it there, or give this command its --env-file."
            )
        settings.store(db, SECRET_KEY, key, by=by.user_id)
        settings.store_installation(db, replace(installation, secret_key_fingerprint=tokens.fingerprint(key)))
        ended = revocation.end_everybodys(db, api_tokens=False)
        audit.record(db, "secret-key.rotated", by, sessions=ended.sessions, tokens=ended.tokens)
    return ended


def _remember_secret_key(database: Database, effective: Effective) -> None:
    """End every session and JWT when the secret key is another one than last time."""
    fingerprint = tokens.fingerprint(effective.secret_key)
    with database.reading() as db:
        installation = settings.installation(db)
    if installation is None or installation.secret_key_fingerprint == fingerprint:
        return
    with database.writing() as db:
        installation = settings.hold(db)
        if installation is None or installation.secret_key_fingerprint == fingerprint:
            return
        if installation.secret_key_fingerprint is not None:
            revocation.end_everybodys(db, api_tokens=False)
            audit.record(db, "secret-key.changed", AUTHAPP)
        settings.store_installation(db, replace(installation, secret_key_fingerprint=fingerprint))
