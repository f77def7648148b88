"""Counters of the throttle that expire: per account and network, per account, per network, and who is known."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the table anew; what was counted lately is counted again from nothing."""
    op.drop_table("tries")
    op.create_table(
        "tries",
        sa.Column("key", sa.String(80), nullable=False),
        sa.Column("account", sa.String(64)),
        sa.Column("network", sa.String(64)),
        sa.Column("user_id", sa.String(36)),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_tries"),
    )
    op.create_index("ix_tries_account", "tries", ["account"])
    op.create_index("ix_tries_expires_at", "tries", ["expires_at"])


def downgrade() -> None:
    """Go back to one count per account and network."""
    op.drop_table("tries")
    op.create_table(
        "tries",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("account", sa.String(64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("window_started_at", MOMENT, nullable=False),
        sa.Column("locked_until", MOMENT),
        sa.PrimaryKeyConstraint("key", name="pk_tries"),
    )
    op.create_index("ix_tries_account", "tries", ["account"])
    op.create_index("ix_tries_window_started_at", "tries", ["window_started_at"])
