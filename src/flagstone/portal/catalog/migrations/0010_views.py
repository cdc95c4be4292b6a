"""Saved views of the list."""

import sqlalchemy as sa
from alembic import op

from flagstone.toolkit.db import UtcDateTime

revision = "catalog_0010"
down_revision = "catalog_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "catalog_views",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("owner_id", sa.Text, nullable=False),
        sa.Column("owner_name", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.Column("shared", sa.Boolean, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_index("catalog_views_owner", "catalog_views", ["owner_id", "name"], unique=True)
    op.create_index("catalog_views_shared", "catalog_views", ["shared", "name"])


def downgrade() -> None:
    op.drop_table("catalog_views")
