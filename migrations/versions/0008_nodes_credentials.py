"""Which config file a node reads, and whether the credentials it was given are those that count."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; a node that serves fills them with its next sign of life."""
    op.add_column("nodes", sa.Column("config_file", sa.Text(), nullable=True))
    op.add_column("nodes", sa.Column("agreement", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Take them away again."""
    with op.batch_alter_table("nodes") as table:
        table.drop_column("agreement")
        table.drop_column("config_file")
