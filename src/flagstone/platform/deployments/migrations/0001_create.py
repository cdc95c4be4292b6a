"""Releases, deployments and their history."""

import sqlalchemy as sa
from alembic import op

from flagstone.toolkit.db import JsonText, UtcDateTime

revision = "deployments_0001"
down_revision = None
branch_labels = ("deployments",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "deployments_releases",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("commit_id", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("workload_name", sa.Text, nullable=False),
        sa.Column("workload", JsonText, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", sa.Text, nullable=False),
        sa.UniqueConstraint("repository", "commit_id", "workload_name", name="uq_deployments_releases_commit"),
        sa.UniqueConstraint("repository", "workload_name", "number", name="uq_deployments_releases_number"),
    )
    op.create_table(
        "deployments_deployments",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("entity_ref", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("runtime", sa.Text, nullable=False),
        sa.Column("workload", sa.Text, nullable=False),
        sa.Column("repository", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=True),
        sa.Column("desired", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("current_release_id", sa.Text, nullable=True),
        sa.Column("previous_release_id", sa.Text, nullable=True),
        sa.Column("deployed_at", UtcDateTime, nullable=True),
        sa.Column("url", sa.Text, nullable=True),
        sa.Column("restarts", sa.Integer, nullable=False),
        sa.Column("pid", sa.Integer, nullable=True),
        sa.Column("next_run_at", UtcDateTime, nullable=True),
        sa.Column("last_log", JsonText, nullable=False),
        sa.Column("last_run_id", sa.Text, nullable=True),
        sa.Column("holder", sa.Text, nullable=True),
        sa.Column("holder_name", sa.Text, nullable=False),
        sa.Column("holder_until", sa.BigInteger, nullable=True),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.UniqueConstraint("entity_ref", "environment", name="uq_deployments_deployments_place"),
    )
    op.create_index("ix_deployments_deployments_entity_ref", "deployments_deployments", ["entity_ref"])
    op.create_index("ix_deployments_deployments_environment", "deployments_deployments", ["environment"])
    op.create_index("ix_deployments_deployments_owner", "deployments_deployments", ["owner"])
    op.create_index("ix_deployments_deployments_order", "deployments_deployments", ["workload", "environment", "id"])
    op.create_table(
        "deployments_history",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("deployment_id", sa.Text, nullable=False),
        sa.Column("entity_ref", sa.Text, nullable=False),
        sa.Column("environment", sa.Text, nullable=False),
        sa.Column("operation", sa.Text, nullable=False),
        sa.Column("release_id", sa.Text, nullable=True),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=True),
        sa.Column("step_key", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime, nullable=True),
        sa.Column("detail", JsonText, nullable=False),
    )
    op.create_index("ix_deployments_history_step_key", "deployments_history", ["step_key"])
    op.create_index("ix_deployments_history_deployment", "deployments_history", ["deployment_id", "id"])


def downgrade() -> None:
    op.drop_table("deployments_history")
    op.drop_table("deployments_deployments")
    op.drop_table("deployments_releases")
