"""The Settings table as a mapping, and the rows authapp itself keeps in it."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from authapp import clock
from authapp.config import options
from authapp.config.options import CREDENTIALS, SECRET_KEY
from authapp.database import lock_changes
from authapp.models import Setting

INSTALLATION = options.INSTALLATION
SETUP_TOKEN = "setup.token"  # noqa: S105 - the name of a row
REPLACED = "credentials.replaced"
MOST_REPLACED = 8


@dataclass(frozen=True, slots=True)
class Credentials:
    """The owner's credentials as stored under `server.basic-auth`."""

    username: str
    password_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Installation:
    """What this installation remembers of itself; times are ISO 8601 in UTC."""

    id: str
    auth_mode: str
    created_at: str
    owner_id: str | None = None
    secret_key_fingerprint: str | None = None
    setup_completed_at: str | None = None


def load_all(db: Session) -> dict[str, Any]:
    """Return every row: `key -> value`."""
    return {row.key: row.value for row in db.scalars(select(Setting))}


def load(db: Session, key: str) -> Any:
    """Return one row's value, or None."""
    return db.scalar(select(Setting.value).where(Setting.key == key))


def store(db: Session, key: str, value: Any, *, by: str | None = None, at: datetime | None = None) -> None:
    """Write one row; `by` is a user's id."""
    row = db.get(Setting, key) or Setting(key=key)
    row.value, row.updated_at, row.updated_by = value, at or clock.now(), by
    db.add(row)


def remove(db: Session, key: str) -> None:
    """Delete one row, if it is there."""
    db.execute(delete(Setting).where(Setting.key == key))


def hold(db: Session) -> Installation | None:
    """Return the installation and hold it to the end of the transaction, against other changes and sign-ins.

    Whoever changes users or credentials does so before anything else, so that on PostgreSQL too such changes come
    one after the other. (On SQLite there is only one writer anyway.)
    """
    lock_changes(db.connection())
    row = db.scalar(select(Setting).where(Setting.key == INSTALLATION).with_for_update())
    return Installation(**row.value) if row else None


def share(db: Session) -> None:
    """Hold the installation against changes to the end of the transaction, together with whoever else shares it.

    Whoever signs in does so before anything else: sign-ins do not wait for each other, and each sees all of a
    change or nothing. Whoever shares must not `hold` later in the same transaction.

    On PostgreSQL it is an advisory lock, because those are given in the order they were asked for: a sign-in that
    comes after a change waits behind it, ten seconds at most. With `FOR SHARE` of a row it would go past, and
    while there are always some sign-ins the change would never have its turn.
    """
    lock_changes(db.connection(), shared=True)


def installation(db: Session) -> Installation | None:
    """Return the installation, or None before it is provisioned."""
    value = load(db, INSTALLATION)
    return Installation(**value) if value else None


def found_installation(db: Session, value: Installation) -> None:
    """Write it for the first time; raises IntegrityError when another node was faster."""
    db.add(Setting(key=INSTALLATION, value=asdict(value), updated_at=clock.now()))
    db.flush()


def store_installation(db: Session, value: Installation) -> None:
    """Write what this installation remembers of itself."""
    store(db, INSTALLATION, asdict(value))


def credentials(db: Session) -> Credentials | None:
    """Return the owner's credentials, or None while there are none."""
    return owner(db)[1]


def owner(db: Session) -> tuple[str | None, Credentials | None]:
    """Return the owner's id and credentials, or None while there are none, in one statement."""
    wanted = select(Setting.key, Setting.value).where(Setting.key.in_((INSTALLATION, CREDENTIALS)))
    rows: dict[str, Any] = {row.key: row.value for row in db.execute(wanted)}
    installed, value = rows.get(INSTALLATION) or {}, rows.get(CREDENTIALS)
    found = Credentials(value["username"], value["password_hash"]) if value else None
    return installed.get("owner_id"), found


def store_credentials(db: Session, value: Credentials, *, by: str | None = None, rehashed: bool = False) -> None:
    """Write the owner's credentials, and remember those they replace.

    `rehashed`: they replace none, it is a better hash of the same password; the worse one has to go.
    """
    before = credentials(db)
    if before not in (None, value) and not rehashed:
        kept = [pair for pair in replaced_credentials(db) if pair != before]
        store(db, REPLACED, [asdict(pair) for pair in (before, *kept)][:MOST_REPLACED])
    store(db, CREDENTIALS, asdict(value), by=by)


def replaced_credentials(db: Session) -> list[Credentials]:
    """Return the credentials that others replaced, the last ones first; no screen and no command shows them."""
    return [Credentials(**pair) for pair in load(db, REPLACED) or []]


def remove_credentials(db: Session) -> None:
    """Delete the owner's credentials, and those they replaced."""
    remove(db, CREDENTIALS)
    remove(db, REPLACED)


def stored_secret_key(db: Session) -> str | None:
    """Return the generated secret key."""
    value = load(db, SECRET_KEY)
    return value if isinstance(value, str) else None
