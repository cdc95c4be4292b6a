"""Drafts know the run whose answers they began with."""

import sqlalchemy as sa
from alembic import op

revision = "golden_paths_0002"
down_revision = "golden_paths_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("golden_paths_drafts", sa.Column("rerun_of", sa.Text))


def downgrade() -> None:
    op.drop_column("golden_paths_drafts", "rerun_of")
