"""Whose run it is in the catalog, to filter and order by."""

import sqlalchemy as sa
from alembic import op

revision = "runs_0006"
down_revision = "runs_0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs_runs", sa.Column("actor_ref", sa.Text, nullable=False, server_default=""))
    postgres = op.get_bind().dialect.name == "postgresql"
    known = "principal::json->>'entity_ref'" if postgres else "json_extract(principal, '$.entity_ref')"
    runs = sa.table("runs_runs", sa.column("actor_ref"))
    op.execute(runs.update().values(actor_ref=sa.func.coalesce(sa.text(known), "")))
    op.create_index("runs_runs_actor_ref", "runs_runs", ["actor_ref", "number"])


def downgrade() -> None:
    op.drop_index("runs_runs_actor_ref", "runs_runs")
    op.drop_column("runs_runs", "actor_ref")
