"""Create the outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from flagstone.toolkit.db import JsonText, UtcDateTime

revision = "events_0001"
down_revision = None
branch_labels = ("events",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "events_outbox",
        sa.Column("cursor", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("id", sa.Text, nullable=False, unique=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("data", JsonText, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_outbox_at", "events_outbox", ["at"])
    op.create_table(
        "events_readers",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("cursor", sa.BigInteger, nullable=False),
        sa.Column("foreign_source", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("retry_at", UtcDateTime),
        sa.Column("updated_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "events_parked",
        sa.Column("reader", sa.Text, primary_key=True),
        sa.Column("event_id", sa.Text, primary_key=True),
        sa.Column("event", JsonText, nullable=False),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("parked_at", UtcDateTime, nullable=False),
    )


def downgrade() -> None:
    for table in ("events_parked", "events_readers", "events_outbox"):
        op.drop_table(table)
