"""Hosted repositories."""

import sqlalchemy as sa
from alembic import op

from flagstone.toolkit.db import JsonText, UtcDateTime

revision = "repositories_0001"
down_revision = None
branch_labels = ("repositories",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "repositories_repositories",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("default_branch", sa.Text, nullable=False),
        sa.Column("branches", JsonText, nullable=False),
        sa.Column("created_commit", sa.Text),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("step_key", sa.Text, unique=True),
    )
    op.create_index("ix_repositories_repositories_owner", "repositories_repositories", ["owner"])


def downgrade() -> None:
    op.drop_table("repositories_repositories")
