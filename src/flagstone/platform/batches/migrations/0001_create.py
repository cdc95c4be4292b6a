"""Batches and their items."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from flagstone.toolkit.db import JsonText, UtcDateTime

revision = "batches_0001"
down_revision = None
branch_labels = ("batches",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "batches_batches",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("workflow", JsonText(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at_once", sa.Integer(), nullable=False),
        sa.Column("stop_after_failures", sa.Integer(), nullable=False),
        sa.Column("forgiven", sa.Integer(), nullable=False),
        sa.Column("principal", JsonText(), nullable=False),
        sa.Column("known_here", sa.Integer(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text()),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime()),
        sa.UniqueConstraint("actor", "idempotency_key", name="batches_batches_actor_key"),
    )
    op.create_index("batches_batches_state", "batches_batches", ["state", "id"])
    op.create_table(
        "batches_items",
        sa.Column("batch_id", sa.Text(), sa.ForeignKey("batches_batches.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("inputs", JsonText(), nullable=False),
        sa.Column("owner", sa.Text()),
        sa.Column("entities", JsonText(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text()),
        sa.Column("run_number", sa.Integer()),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("claimed_at", UtcDateTime()),
        sa.Column("ended_at", UtcDateTime()),
        sa.UniqueConstraint("batch_id", "subject", name="batches_items_subject_once"),
    )
    op.create_index("batches_items_state", "batches_items", ["state", "batch_id", "position"])
    op.create_index("batches_items_run", "batches_items", ["run_id"])
    op.create_index("batches_items_subject", "batches_items", ["subject", "state"])


def downgrade() -> None:
    op.drop_table("batches_items")
    op.drop_table("batches_batches")
