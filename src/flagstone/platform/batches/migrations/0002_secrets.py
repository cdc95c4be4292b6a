"""The names of the secrets of a batch, and whether their values are in the vault."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from flagstone.toolkit.db import JsonText

revision = "batches_0002"
down_revision = "batches_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("batches_batches", sa.Column("secrets", JsonText(), nullable=False, server_default="[]"))
    op.add_column("batches_batches", sa.Column("secrets_kept", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("batches_batches", "secrets_kept")
    op.drop_column("batches_batches", "secrets")
