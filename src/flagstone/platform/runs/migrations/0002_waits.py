"""Waiting steps, what started a run, and what was undone."""

import sqlalchemy as sa
from alembic import op

from flagstone.toolkit.db import JsonText, UtcDateTime

revision = "runs_0002"
down_revision = "runs_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "runs_waits",
        sa.Column("run_id", sa.Text, sa.ForeignKey("runs_runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("step_id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("until", UtcDateTime),
        sa.Column("answer_schema", JsonText),
        sa.Column("asked", JsonText, nullable=False),
        sa.Column("approval_id", sa.Text, nullable=False),
        sa.Column("data", JsonText, nullable=False),
        sa.Column("answer", JsonText),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_index("runs_waits_due", "runs_waits", ["state", "until"])
    op.add_column("runs_runs", sa.Column("trigger", sa.Text, nullable=False, server_default="manual"))
    op.add_column("runs_runs", sa.Column("triggered_by", sa.Text, nullable=False, server_default=""))
    op.add_column("runs_runs", sa.Column("rerun_of", sa.Text))


def downgrade() -> None:
    op.drop_column("runs_runs", "rerun_of")
    op.drop_column("runs_runs", "triggered_by")
    op.drop_column("runs_runs", "trigger")
    op.drop_index("runs_waits_due", "runs_waits")
    op.drop_table("runs_waits")
