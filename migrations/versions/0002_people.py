"""People: full names, initial passwords, sign-up, what users are found by, and when a password was proved."""

import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
PART = sa.String(64).with_variant(sa.String(64, collation="C"), "postgresql")
INDEXES = (
    ("ix_users_role", "users", ["role", "username_key"]),
    ("ix_users_is_active", "users", ["is_active", "username_key"]),
    ("ix_users_created_at", "users", ["created_at", "id"]),
    ("ix_users_last_login_at", "users", ["last_login_at", "id"]),
    ("ix_name_parts_user_id", "name_parts", ["user_id"]),
    ("ix_sessions_created_at", "sessions", ["created_at", "id"]),
    ("ix_audit_target_id", "audit", ["target_id", "id"]),
    ("ix_audit_actor_id", "audit", ["actor_id", "id"]),
)


def upgrade() -> None:
    """Add the columns, tables and indexes, and fill them for the users there are."""
    _widen_users()
    _widen_sessions()
    _make_names()
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns)
    _fill_names()


def _widen_users() -> None:
    with op.batch_alter_table("users") as users:
        users.add_column(sa.Column("full_name", sa.String(200), nullable=False, server_default=""))
        users.add_column(sa.Column("signed_up", sa.Boolean(), nullable=False, server_default=sa.false()))
        users.add_column(sa.Column("initial_password_at", MOMENT))
        users.alter_column("role", existing_type=sa.String(16), existing_nullable=False, server_default="user")
        users.alter_column(
            "is_active", existing_type=sa.Boolean(), existing_nullable=False, server_default=sa.false()
        )


def _widen_sessions() -> None:
    op.add_column("sessions", sa.Column("proved_at", MOMENT))
    op.execute("UPDATE sessions SET proved_at = created_at")
    with op.batch_alter_table("sessions") as sessions:
        sessions.alter_column("proved_at", existing_type=MOMENT, nullable=False)


def _make_names() -> None:
    op.create_table(
        "name_parts",
        sa.Column("part", PART, nullable=False),
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.PrimaryKeyConstraint("part", "user_id", name="pk_name_parts"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_name_parts_user_id_users", ondelete="CASCADE"),
    )
    op.create_table(
        "known_names",
        sa.Column("username_key", sa.String(1024), nullable=False),
        sa.Column("known_since", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("username_key", name="pk_known_names"),
    )


def _fill_names() -> None:
    op.execute("INSERT INTO known_names (username_key, known_since) SELECT username_key, created_at FROM users")
    connection = op.get_bind()
    users = connection.execute(sa.text("SELECT id, username FROM users")).all()
    rows = [{"part": part, "user_id": user_id} for user_id, username in users for part in sorted(_parts(username))]
    table = sa.table("name_parts", sa.column("part", sa.String), sa.column("user_id", sa.String))
    if rows:
        connection.execute(table.insert(), rows)


def _parts(name: str) -> set[str]:
    """Return what authapp.names.parts returned when this migration was written: it must not change with that."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    beginnings = re.finditer(r"(?<=[\W_])[^\W_]|(?<=\d)[^\W\d]|(?<=[^\W\d])\d", text)
    starts = [0, *(match.start() for match in beginnings)]
    return {text[start : start + 64] for start in starts[:20]}


def downgrade() -> None:
    """Take all of it away again."""
    for name, table, _ in reversed(INDEXES):
        op.drop_index(name, table)
    op.drop_table("known_names")
    op.drop_table("name_parts")
    with op.batch_alter_table("sessions") as sessions:
        sessions.drop_column("proved_at")
    with op.batch_alter_table("users") as users:
        users.drop_column("initial_password_at")
        users.drop_column("signed_up")
        users.drop_column("full_name")
        users.alter_column("is_active", existing_type=sa.Boolean(), existing_nullable=False, server_default=None)
        users.alter_column("role", existing_type=sa.String(16), existing_nullable=False, server_default=None)
