"""Create the tables of runs."""

import sqlalchemy as sa
from alembic import op

from flagstone.toolkit.db import JsonText, UtcDateTime

revision = "runs_0001"
down_revision = None
branch_labels = ("runs",)
depends_on = None


def _of_run(*, primary_key: bool) -> sa.Column:
    reference = sa.ForeignKey("runs_runs.id", ondelete="CASCADE")
    return sa.Column("run_id", sa.Text, reference, primary_key=primary_key, nullable=False)


def upgrade() -> None:
    op.create_table(
        "runs_runs",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False, unique=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("workflow_name", sa.Text, nullable=False),
        sa.Column("template_ref", sa.Text),
        sa.Column("workflow", JsonText, nullable=False),
        sa.Column("inputs", JsonText, nullable=False),
        sa.Column("secrets", JsonText, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("actor_name", sa.Text, nullable=False),
        sa.Column("principal", JsonText, nullable=False),
        sa.Column("owner", sa.Text),
        sa.Column("error", JsonText),
        sa.Column("output", JsonText, nullable=False),
        sa.Column("steps_total", sa.Integer, nullable=False),
        sa.Column("steps_done", sa.Integer, nullable=False),
        sa.Column("dispatch", sa.Integer, nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("idempotency_key", sa.Text),
        sa.Column("request_digest", sa.Text, nullable=False),
        sa.Column("tidied", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("ended_at", UtcDateTime),
        sa.UniqueConstraint("actor", "idempotency_key", name="runs_runs_actor_key"),
    )
    op.create_index("runs_runs_state", "runs_runs", ["state", "number"])
    op.create_index("runs_runs_actor", "runs_runs", ["actor", "number"])
    op.create_index("runs_runs_template", "runs_runs", ["template_ref", "number"])
    op.create_index("runs_runs_tidied", "runs_runs", ["tidied", "ended_at"])
    op.create_table(
        "runs_counters",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.Integer, nullable=False),
    )
    op.create_table(
        "runs_subjects",
        _of_run(primary_key=True),
        sa.Column("subject", sa.Text, primary_key=True),
        sa.Column("number", sa.Integer, nullable=False),
    )
    op.create_index("runs_subjects_subject", "runs_subjects", ["subject", "number"])
    op.create_table(
        "runs_steps",
        _of_run(primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("turn_key", sa.Text),
        sa.Column("turn_value", JsonText),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("deaths", sa.Integer, nullable=False),
        sa.Column("scope", sa.Integer, nullable=False),
        sa.Column("inputs", JsonText, nullable=False),
        sa.Column("outputs", JsonText, nullable=False),
        sa.Column("error", JsonText),
        sa.Column("started_at", UtcDateTime),
        sa.Column("ended_at", UtcDateTime),
    )
    op.create_table(
        "runs_intents",
        sa.Column("step_key", sa.Text, primary_key=True),
        _of_run(primary_key=False),
        sa.Column("step_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("digest", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("outputs", JsonText, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
    )
    op.create_index("runs_intents_step", "runs_intents", ["run_id", "step_id"])
    op.create_table(
        "runs_events",
        _of_run(primary_key=True),
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("stream", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("data", JsonText),
    )


def downgrade() -> None:
    for table in ("events", "intents", "steps", "subjects", "counters", "runs"):
        op.drop_table(f"runs_{table}")
