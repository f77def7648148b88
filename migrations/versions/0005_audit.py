"""Sealed blocks of audit entries, and counters of refused sign-ins."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables, and to each audit entry the block it is sealed in."""
    op.create_table(
        "audit_blocks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False, autoincrement=False),
        sa.Column("first_id", sa.BigInteger(), nullable=False),
        sa.Column("last_id", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("sealed_at", MOMENT, nullable=False),
        sa.Column("seals", sa.JSON(), nullable=False),
        sa.Column("previous_mac", sa.String(64), nullable=False),
        sa.Column("mac", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_blocks"),
        sa.UniqueConstraint("previous_mac", name="uq_audit_blocks_previous_mac"),
    )
    op.create_table(
        "refusals",
        sa.Column("minute", MOMENT, nullable=False),
        sa.Column("network", sa.String(64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("minute", "network", name="pk_refusals"),
    )
    op.add_column("audit", sa.Column("block_id", sa.BigInteger()))
    op.create_index("ix_audit_block_id", "audit", ["block_id", "id"])


def downgrade() -> None:
    """Take them away again."""
    op.drop_index("ix_audit_block_id", "audit")
    with op.batch_alter_table("audit") as audit:
        audit.drop_column("block_id")
    op.drop_table("refusals")
    op.drop_table("audit_blocks")
