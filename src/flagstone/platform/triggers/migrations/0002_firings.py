"""What triggers started, and what they could not start."""

import sqlalchemy as sa
from alembic import op

revision = "triggers_0002"
down_revision = "triggers_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "triggers_firings",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("trigger_id", sa.Text, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("event_type", sa.Text, nullable=False),
        sa.Column("event_subject", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_index("triggers_firings_trigger", "triggers_firings", ["trigger_id", "at"])


def downgrade() -> None:
    op.drop_table("triggers_firings")
