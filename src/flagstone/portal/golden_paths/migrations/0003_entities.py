"""Drafts know the entity that they are about."""

import sqlalchemy as sa
from alembic import op

revision = "golden_paths_0003"
down_revision = "golden_paths_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("golden_paths_drafts", sa.Column("entity_ref", sa.Text))


def downgrade() -> None:
    op.drop_column("golden_paths_drafts", "entity_ref")
