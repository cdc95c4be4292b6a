"""Requests for approval."""

import sqlalchemy as sa
from alembic import op

from flagstone.toolkit.db import JsonText, UtcDateTime

revision = "approvals_0001"
down_revision = None
branch_labels = ("approvals",)
depends_on = None


def _request() -> sa.Column:
    return sa.Column(
        "approval_id", sa.Text, sa.ForeignKey("approvals_requests.id", ondelete="CASCADE"), primary_key=True
    )


def upgrade() -> None:
    op.create_table(
        "approvals_requests",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("run_id", sa.Text, nullable=False),
        sa.Column("run_number", sa.Integer, nullable=False),
        sa.Column("run_title", sa.Text, nullable=False),
        sa.Column("step_id", sa.Text, nullable=False),
        sa.Column("rule", JsonText, nullable=False),
        sa.Column("plan_digest", sa.Text, nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("subjects", JsonText, nullable=False),
        sa.Column("requested_by", sa.Text, nullable=False),
        sa.Column("requested_by_ref", sa.Text),
        sa.Column("requested_by_name", sa.Text, nullable=False),
        sa.Column("touched", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("decided_at", UtcDateTime),
    )
    op.create_index("approvals_requests_state", "approvals_requests", ["state", "id"])
    op.create_index("approvals_requests_run", "approvals_requests", ["run_id", "step_id"])
    op.create_index("approvals_requests_by", "approvals_requests", ["requested_by", "id"])
    op.create_table("approvals_asked", sa.Column("ref", sa.Text, primary_key=True), _request())
    op.create_table(
        "approvals_decisions",
        _request(),
        sa.Column("seat", sa.Text, primary_key=True),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("actor_ref", sa.Text),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("on_behalf_of", sa.Text, nullable=False),
    )
    op.create_index("approvals_decisions_actor", "approvals_decisions", ["approval_id", "actor"], unique=True)
    op.create_table(
        "approvals_delegations",
        _request(),
        sa.Column("seat", sa.Text, primary_key=True),
        sa.Column("to", sa.Text, primary_key=True),
        sa.Column("by_name", sa.Text, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "approvals_plans",
        sa.Column("digest", sa.Text, primary_key=True),
        sa.Column("plan", JsonText, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_index("approvals_plans_created", "approvals_plans", ["created_at"])


def downgrade() -> None:
    for table in ("plans", "delegations", "decisions", "asked", "requests"):
        op.drop_table(f"approvals_{table}")
