"""How long the log of a run is, over all its executions."""

import sqlalchemy as sa
from alembic import op

revision = "runs_0005"
down_revision = "runs_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs_runs", sa.Column("log_bytes", sa.BigInteger, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("runs_runs", "log_bytes")
