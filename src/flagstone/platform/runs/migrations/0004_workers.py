"""Workers and who of them has a run; steps that wait for another attempt; steps found by their action."""

import sqlalchemy as sa
from alembic import op

from flagstone.toolkit.db import UtcDateTime

revision = "runs_0004"
down_revision = "runs_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "runs_workers",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("process", sa.Integer, nullable=False),
        sa.Column("concurrency", sa.Integer, nullable=False),
        sa.Column("lease_seconds", sa.Float, nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
    )
    op.add_column("runs_runs", sa.Column("worker", sa.Text, nullable=False, server_default=""))
    op.add_column("runs_runs", sa.Column("place", sa.Text, nullable=False, server_default=""))
    op.create_index("runs_runs_worker", "runs_runs", ["worker", "state"])
    op.add_column("runs_waits", sa.Column("reason", sa.Text, nullable=False, server_default=""))
    op.create_index("runs_steps_action", "runs_steps", ["action", "run_id"])


def downgrade() -> None:
    op.drop_index("runs_steps_action", "runs_steps")
    op.drop_column("runs_waits", "reason")
    op.drop_index("runs_runs_worker", "runs_runs")
    op.drop_column("runs_runs", "place")
    op.drop_column("runs_runs", "worker")
    op.drop_table("runs_workers")
