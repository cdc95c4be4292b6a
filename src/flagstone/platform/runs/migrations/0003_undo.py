"""What of a run was taken back."""

import sqlalchemy as sa
from alembic import op

revision = "runs_0003"
down_revision = "runs_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs_steps", sa.Column("undone", sa.Integer, nullable=False, server_default="0"))
    op.add_column("runs_runs", sa.Column("undo", sa.Integer, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("runs_runs", "undo")
    op.drop_column("runs_steps", "undone")
