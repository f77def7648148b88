"""The tables."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column

from authapp.base import Base, UtcDateTime

# LangSmith's id for the one organization and its one workspace; a moved-in installation keeps it.
DEFAULT_ID = "00000000-0000-0000-0000-000000000000"


class Role(StrEnum):
    """What a user may do. `admin` is LangSmith's Organization Admin, Langinfra's superuser."""

    ADMIN = "admin"
    USER = "user"


def new_id() -> str:
    """Return a random UUID as text with dashes."""
    return str(uuid4())


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

    `username_key` is what names are compared by. `initial_password_at` is set while the user has an initial
    password: when it was made or the user was activated, whichever is later. `recovered_at` is set when file or
    environment gave the owner new credentials, until the owner has looked at who else is a superuser.
    """

    __tablename__ = "users"
    # One index for each way the list of users is sorted or filtered, so that a page of it costs the same
    # however many there are.
    __table_args__ = (
        Index("ix_users_role", "role", "username_key"),
        Index("ix_users_is_active", "is_active", "username_key"),
        Index("ix_users_created_at", "created_at", "id"),
        Index("ix_users_last_login_at", "last_login_at", "id"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    username: Mapped[str] = mapped_column(String(256))
    username_key: Mapped[str] = mapped_column(String(1024), unique=True)
    full_name: Mapped[str] = mapped_column(String(200), default="", server_default="")
    password_hash: Mapped[str | None] = mapped_column(String(512))
    role: Mapped[str] = mapped_column(String(16), default=Role.USER, server_default=Role.USER.value)
    is_active: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    signed_up: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    created_at: Mapped[datetime]
    last_login_at: Mapped[datetime | None]
    initial_password_at: Mapped[datetime | None]
    recovered_at: Mapped[datetime | None]

    @property
    def is_superuser(self) -> bool:
        """Whether the user may open the admin pages."""
        return self.role == Role.ADMIN

    @property
    def waits_for_activation(self) -> bool:
        """Whether the user signed up, and nobody has let them in so far."""
        return self.signed_up and not self.is_active and self.last_login_at is None

    @property
    def must_change_password(self) -> bool:
        """Whether the user has an initial password, which has to be replaced before anything else."""
        return self.initial_password_at is not None


class NamePart(Base):
    """What a user is found by: the folded user name or full name, from the beginning of a word on."""

    __tablename__ = "name_parts"

    # Compared by code points on both databases: a range of an index is what begins with a text.
    part: Mapped[str] = mapped_column(
        String(64).with_variant(String(64, collation="C"), "postgresql"), primary_key=True
    )
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)


class KnownName(Base):
    """A user name that somebody bears or once bore, in the form names are compared by."""

    __tablename__ = "known_names"

    username_key: Mapped[str] = mapped_column(String(1024), primary_key=True)
    known_since: Mapped[datetime]


class SignedIn(Base):
    """A session: one signed-in browser. The cookie holds the token, the row only its SHA-256.

    `proved_at`: when the password was typed last.
    """

    __tablename__ = "sessions"
    __table_args__ = (Index("ix_sessions_created_at", "created_at", "id"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    token_sha256: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    proved_at: Mapped[datetime]
    remember: Mapped[bool] = mapped_column(Boolean, default=False)
    address: Mapped[str] = mapped_column(String(64), default="")
    user_agent: Mapped[str] = mapped_column(String(256), default="")


class Scope(StrEnum):
    """What an API token may do at most; what its user may not, it may not either."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class TokenKind(StrEnum):
    """What a row of tokens is of."""

    API = "api"
    JWT = "jwt"


class Token(Base):
    """An API token or a JWT: the row holds the SHA-256 of the token, or of the JWT's `jti`.

    `scope` is an API token's; a JWT may do whatever its user may. `expires_at` is None for a token that does not
    expire. `last_used_at` is at most a minute old.
    """

    __tablename__ = "tokens"
    __table_args__ = (
        Index("ix_tokens_user_id", "user_id", "kind", "created_at", "id"),
        Index("ix_tokens_created_at", "created_at", "id"),
        Index("ix_tokens_expires_at", "kind", "expires_at"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(8))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100), default="")
    scope: Mapped[str | None] = mapped_column(String(8))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    last_used_from: Mapped[str] = mapped_column(String(64), default="")


class Tries(Base):
    """A counter of the throttle, which begins again at `expires_at`.

    The key is `kind/` and a keyed hash, because people type passwords into the field for the user name; `account`
    is another one. What a superuser has to see of a lock stands beside it: the network, and the user if the name
    was somebody's.
    """

    __tablename__ = "tries"

    key: Mapped[str] = mapped_column(String(80), primary_key=True)
    account: Mapped[str | None] = mapped_column(String(64), index=True)
    network: Mapped[str | None] = mapped_column(String(64))
    user_id: Mapped[str | None] = mapped_column(String(36))
    count: Mapped[int] = mapped_column(Integer, default=0)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class AuditEntry(Base):
    """One thing that happened. Rows are added, never changed; no secret is ever part of one.

    `block_id` is the block it was sealed in; None until then.
    """

    __tablename__ = "audit"
    # One index for each way the table is filtered, so that a page of it costs the same however long it is.
    __table_args__ = (
        Index("ix_audit_target_id", "target_id", "id"),
        Index("ix_audit_actor_id", "actor_id", "id"),
        Index("ix_audit_block_id", "block_id", "id"),
        Index("ix_audit_event", "event", "id"),
        Index("ix_audit_outcome", "outcome", "id"),
        Index("ix_audit_address", "address", "id"),
        Index("ix_audit_road", "road", "id"),
    )

    # SQLite counts up only what is declared INTEGER.
    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    event: Mapped[str] = mapped_column(String(64))
    outcome: Mapped[str] = mapped_column(String(32))
    road: Mapped[str] = mapped_column(String(32))
    actor_id: Mapped[str | None] = mapped_column(String(36))
    actor: Mapped[str] = mapped_column(String(256), default="")
    address: Mapped[str] = mapped_column(String(64), default="")
    target_id: Mapped[str | None] = mapped_column(String(36))
    target: Mapped[str] = mapped_column(String(256), default="")
    detail: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    block_id: Mapped[int | None] = mapped_column(BigInteger)


class AuditBlock(Base):
    """Audit entries that were sealed together. `seals` holds the id and the MAC of each, `mac` covers the block."""

    __tablename__ = "audit_blocks"

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False
    )
    first_id: Mapped[int] = mapped_column(BigInteger)
    last_id: Mapped[int] = mapped_column(BigInteger)
    count: Mapped[int]
    sealed_at: Mapped[datetime]
    seals: Mapped[list[Any]] = mapped_column(JSON)
    previous_mac: Mapped[str] = mapped_column(String(64), unique=True)  # so that no block has two successors
    mac: Mapped[str] = mapped_column(String(64))


class Refusal(Base):
    """How many sign-ins from a network were refused in a minute without being looked at."""

    __tablename__ = "refusals"

    minute: Mapped[datetime] = mapped_column(primary_key=True)
    network: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int]


class Node(Base):
    """One `authapp run`. `given`: option -> keyed hash of what file or environment say, never the value.

    `hashed_under`: the fingerprint of the key; hashes made under another one cannot be compared. `agreement`: which
    parts of the credentials it was given, and whether they are the stored ones.
    """

    __tablename__ = "nodes"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int] = mapped_column(Integer)
    version: Mapped[str] = mapped_column(String(64))
    started_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    hashed_under: Mapped[str] = mapped_column(String(16))
    given: Mapped[dict[str, Any]] = mapped_column(JSON)
    config_file: Mapped[str | None] = mapped_column(Text)
    agreement: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
