"""Resources."""

import sqlalchemy as sa
from alembic import op

from flagstone.toolkit.db import JsonText, UtcDateTime

revision = "resources_0001"
down_revision = None
branch_labels = ("resources",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "resources_resources",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("resource_class", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("entity_ref", sa.Text),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("driver", sa.Text, nullable=False),
        sa.Column("config", JsonText, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("params", JsonText, nullable=False),
        sa.Column("outputs", JsonText, nullable=False),
        sa.Column("secret_names", JsonText, nullable=False),
        sa.Column("monthly_cost", sa.Text),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("made", sa.Boolean, nullable=False),
        sa.Column("made_key", sa.Text, nullable=False),
        sa.Column("removed_key", sa.Text, nullable=False),
        sa.Column("removed", JsonText, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("last_run_id", sa.Text),
        sa.Column("holder", sa.Text),
        sa.Column("holder_name", sa.Text, nullable=False),
        sa.Column("holder_until", sa.Integer),
        sa.Column("fence", sa.Integer, nullable=False),
    )
    table = "resources_resources"
    op.create_index("resources_resources_place", table, ["entity_ref", "environment", "type", "name"])
    op.create_index("resources_resources_environment", table, ["environment", "type", "name"])
    op.create_index("resources_resources_owner", table, ["owner", "type", "name"])
    op.create_index("resources_resources_definition", table, ["definition", "state"])


def downgrade() -> None:
    op.drop_table("resources_resources")
