"""The tables."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Dialect,
    ForeignKey,
    Integer,
    MetaData,
    String,
    TypeDecorator,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# LangSmith's id for the one organization and its one workspace; a moved-in installation keeps it.
DEFAULT_ID = "00000000-0000-0000-0000-000000000000"


class Role(StrEnum):
    """What a user may do. `admin` is LangSmith's Organization Admin, Langinfra's superuser."""

    ADMIN = "admin"
    USER = "user"


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, with its time zone; SQLite keeps none, so it is put back on loading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give a loaded moment its time zone."""
        del dialect
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def new_id() -> str:
    """Return a random UUID as text with dashes."""
    return str(uuid4())


class Base(DeclarativeBase):
    """What all tables share: names for every constraint, so that a migration can drop what it names."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, dict[str, Any]: JSON}  # noqa: RUF012 - SQLAlchemy's own name


class Setting(Base):
    """A row of the Settings table: `key -> JSON`."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(String(250), primary_key=True)
    value: Mapped[Any] = mapped_column(JSON, nullable=False)
    updated_at: Mapped[datetime]
    updated_by: Mapped[str | None] = mapped_column(String(36))


class Organization(Base):
    """The one organization."""

    __tablename__ = "organizations"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime]


class Workspace(Base):
    """The organization's one workspace."""

    __tablename__ = "workspaces"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organizations.id"))
    name: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime]


class User(Base):
    """A person. The owner's row has no password hash: that one is in the Settings table.

    `username_key` is what names are compared by. `recovered_at` is set when file or environment gave the owner
    new credentials, until the owner has looked at who else is a superuser.
    """

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    username: Mapped[str] = mapped_column(String(256))
    username_key: Mapped[str] = mapped_column(String(1024), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(512))
    role: Mapped[str] = mapped_column(String(16), default=Role.USER)
    is_active: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime]
    last_login_at: Mapped[datetime | None]
    recovered_at: Mapped[datetime | None]

    @property
    def is_superuser(self) -> bool:
        """Whether the user may open the admin pages."""
        return self.role == Role.ADMIN


class SignedIn(Base):
    """A session: one signed-in browser. The cookie holds the token, the row only its SHA-256."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    remember: Mapped[bool] = mapped_column(Boolean, default=False)
    address: Mapped[str] = mapped_column(String(64), default="")
    user_agent: Mapped[str] = mapped_column(String(256), default="")


class Tries(Base):
    """Sign-in tries of one account from one network; the key is a keyed hash of both."""

    __tablename__ = "tries"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    account: Mapped[str] = mapped_column(String(64), index=True)
    count: Mapped[int] = mapped_column(Integer, default=0)
    window_started_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    locked_until: Mapped[datetime | None]


class AuditEntry(Base):
    """One thing that happened. Rows are added, never changed; no secret is ever part of one."""

    __tablename__ = "audit"

    # SQLite counts up only what is declared INTEGER.
    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    event: Mapped[str] = mapped_column(String(64), index=True)
    outcome: Mapped[str] = mapped_column(String(32))
    road: Mapped[str] = mapped_column(String(32))
    actor_id: Mapped[str | None] = mapped_column(String(36))
    actor: Mapped[str] = mapped_column(String(256), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    target_id: Mapped[str | None] = mapped_column(String(36))
    target: Mapped[str] = mapped_column(String(256), default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
