"""Create the deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from flagstone.toolkit.db import JsonText, UtcDateTime

revision = "notifications_0001"
down_revision = None
branch_labels = ("notifications",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notifications_deliveries",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("recipient", sa.Text, nullable=False),
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("body", JsonText, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("next_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("read_at", UtcDateTime),
    )
    op.create_index("notifications_deliveries_key", "notifications_deliveries", ["key"], unique=True)
    op.create_index("notifications_deliveries_due", "notifications_deliveries", ["state", "next_at"])
    op.create_index("notifications_deliveries_recipient", "notifications_deliveries", ["kind", "recipient", "id"])
    op.create_index("notifications_deliveries_created", "notifications_deliveries", ["created_at"])


def downgrade() -> None:
    op.drop_table("notifications_deliveries")
