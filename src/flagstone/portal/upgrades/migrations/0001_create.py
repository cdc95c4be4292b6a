"""What golden paths made, and the versions of templates."""

import sqlalchemy as sa
from alembic import op

revision = "upgrades_0001"
down_revision = None
branch_labels = ("upgrades",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "upgrades_components",
        sa.Column("entity_ref", sa.Text, primary_key=True),
        sa.Column("template_ref", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("inputs", sa.Text, nullable=False),
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("commit", sa.Text, nullable=False),
        sa.Column("run_number", sa.Integer, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("pending", sa.Text),
    )
    op.create_index("upgrades_components_template", "upgrades_components", ["template_ref", "entity_ref"])
    op.create_index("upgrades_components_repository", "upgrades_components", ["repository"])
    op.create_table(
        "upgrades_versions",
        sa.Column("template_ref", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, primary_key=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("upgrades_versions")
    op.drop_table("upgrades_components")
