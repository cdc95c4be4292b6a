"""Change requests."""

import sqlalchemy as sa
from alembic import op

from flagstone.toolkit.db import UtcDateTime

revision = "repositories_0002"
down_revision = "repositories_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "repositories_changes",
        sa.Column("repository", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("branch", sa.Text, nullable=False),
        sa.Column("base", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("author_name", sa.Text, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("base_commit", sa.Text),
        sa.Column("merge_commit", sa.Text),
        sa.Column("ended_by", sa.Text, nullable=False),
        sa.Column("ended_by_name", sa.Text, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("step_key", sa.Text, unique=True),
    )
    op.create_index("ix_repositories_changes_state", "repositories_changes", ["repository", "state", "number"])


def downgrade() -> None:
    op.drop_table("repositories_changes")
