"""Schedules and event triggers."""

import sqlalchemy as sa
from alembic import op

revision = "triggers_0001"
down_revision = None
branch_labels = ("triggers",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "triggers_triggers",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("cron", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("jitter_seconds", sa.Integer, nullable=False),
        sa.Column("missed", sa.Text, nullable=False),
        sa.Column("event_type", sa.Text, nullable=False),
        sa.Column("conditions", sa.Text, nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("principal", sa.Text, nullable=False),
        sa.Column("known_here", sa.Integer, nullable=False),
        sa.Column("paused", sa.Integer, nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True)),
        sa.Column("last_at", sa.DateTime(timezone=True)),
        sa.Column("last_run", sa.Text),
        sa.Column("last_error", sa.Text, nullable=False),
    )
    op.create_index("triggers_triggers_next", "triggers_triggers", ["next_at"])
    op.create_index("triggers_triggers_event", "triggers_triggers", ["event_type"])
    op.create_index("triggers_triggers_kind", "triggers_triggers", ["kind", "id"])


def downgrade() -> None:
    op.drop_table("triggers_triggers")
