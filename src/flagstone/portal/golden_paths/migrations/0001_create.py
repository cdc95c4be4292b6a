"""Drafts of golden paths."""

import sqlalchemy as sa
from alembic import op

revision = "golden_paths_0001"
down_revision = None
branch_labels = ("golden_paths",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "golden_paths_drafts",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
        sa.Column("template_ref", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("answers", sa.Text, nullable=False),
        sa.Column("secrets", sa.Text, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("run_id", sa.Text),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("golden_paths_drafts_user", "golden_paths_drafts", ["user_id", "updated_at"])
    op.create_index("golden_paths_drafts_updated", "golden_paths_drafts", ["updated_at"])


def downgrade() -> None:
    op.drop_table("golden_paths_drafts")
