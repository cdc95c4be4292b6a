"""Create the audit log."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from flagstone.toolkit.db import JsonText, UtcDateTime

revision = "audit_0001"
down_revision = None
branch_labels = ("audit",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_rows",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor_id", sa.Text, nullable=False),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.Column("actor_kind", sa.Text, nullable=False),
        sa.Column("via", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("resource", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("detail", JsonText, nullable=False),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("prev_hash", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )
    op.create_index("ix_audit_rows_at", "audit_rows", ["at"])
    op.create_index("ix_audit_rows_actor", "audit_rows", ["actor_id", "seq"])
    op.create_index("ix_audit_rows_action", "audit_rows", ["action", "seq"])
    op.create_index("ix_audit_rows_resource", "audit_rows", ["resource", "seq"])
    op.create_index("ix_audit_rows_outcome", "audit_rows", ["outcome", "seq"])


def downgrade() -> None:
    op.drop_table("audit_rows")
