"""An index for each way the audit table is filtered."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

COLUMNS = ("event", "outcome", "address", "road")


def upgrade() -> None:
    """Add the indexes; the one for events goes on in the order of the list."""
    op.drop_index("ix_audit_event", "audit")
    for column in COLUMNS:
        op.create_index(f"ix_audit_{column}", "audit", [column, "id"])


def downgrade() -> None:
    """Take them away again."""
    for column in COLUMNS:
        op.drop_index(f"ix_audit_{column}", "audit")
    op.create_index("ix_audit_event", "audit", ["event"])
