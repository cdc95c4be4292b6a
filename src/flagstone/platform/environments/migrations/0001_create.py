"""Environment types and environments."""

import sqlalchemy as sa
from alembic import op

revision = "environments_0001"
down_revision = None
branch_labels = ("environments",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "environments_types",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
    )
    op.create_table(
        "environments_environments",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("runtime", sa.Text, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
    )
    op.create_index("ix_environments_environments_type", "environments_environments", ["type"])


def downgrade() -> None:
    op.drop_table("environments_environments")
    op.drop_table("environments_types")
