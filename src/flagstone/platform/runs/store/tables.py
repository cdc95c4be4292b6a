"""The tables of this slice. Their migration must create exactly these."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, MetaData, Table, Text, UniqueConstraint

from flagstone.toolkit.db import JsonText, UtcDateTime

metadata = MetaData()

runs = Table(
    "runs_runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("number", Integer, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("workflow_name", Text, nullable=False),
    Column("template_ref", Text),
    Column("workflow", JsonText, nullable=False),
    Column("inputs", JsonText, nullable=False),
    Column("secrets", JsonText, nullable=False),
    Column("state", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("actor_ref", Text, nullable=False, server_default=""),
    Column("principal", JsonText, nullable=False),
    Column("owner", Text),
    Column("error", JsonText),
    Column("output", JsonText, nullable=False),
    Column("steps_total", Integer, nullable=False),
    Column("steps_done", Integer, nullable=False),
    Column("dispatch", Integer, nullable=False),
    Column("fence", Integer, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("log_bytes", BigInteger, nullable=False, server_default="0"),
    Column("trigger", Text, nullable=False, server_default="manual"),
    Column("triggered_by", Text, nullable=False, server_default=""),
    Column("rerun_of", Text),
    Column("undo", Integer, nullable=False, server_default="0"),
    Column("worker", Text, nullable=False, server_default=""),
    Column("place", Text, nullable=False, server_default=""),
    Column("idempotency_key", Text),
    Column("request_digest", Text, nullable=False),
    Column("tidied", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    UniqueConstraint("actor", "idempotency_key", name="runs_runs_actor_key"),
    Index("runs_runs_state", "state", "number"),
    Index("runs_runs_actor", "actor", "number"),
    Index("runs_runs_actor_ref", "actor_ref", "number"),
    Index("runs_runs_template", "template_ref", "number"),
    Index("runs_runs_tidied", "tidied", "ended_at"),
    Index("runs_runs_worker", "worker", "state"),
)

counters = Table(
    "runs_counters",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Integer, nullable=False),
)

subjects = Table(
    "runs_subjects",
    metadata,
    Column("run_id", Text, ForeignKey("runs_runs.id", ondelete="CASCADE"), primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Index("runs_subjects_subject", "subject", "number"),
)

steps = Table(
    "runs_steps",
    metadata,
    Column("run_id", Text, ForeignKey("runs_runs.id", ondelete="CASCADE"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("position", Integer, nullable=False),
    Column("turn", Integer, nullable=False),
    Column("turn_key", Text),
    Column("turn_value", JsonText),
    Column("name", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("deaths", Integer, nullable=False),
    Column("scope", Integer, nullable=False),
    Column("inputs", JsonText, nullable=False),
    Column("outputs", JsonText, nullable=False),
    Column("error", JsonText),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("undone", Integer, nullable=False, server_default="0"),
    Index("runs_steps_action", "action", "run_id"),
)

intents = Table(
    "runs_intents",
    metadata,
    Column("step_key", Text, primary_key=True),
    Column("run_id", Text, ForeignKey("runs_runs.id", ondelete="CASCADE"), nullable=False),
    Column("step_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("outputs", JsonText, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Index("runs_intents_step", "run_id", "step_id"),
)

events = Table(
    "runs_events",
    metadata,
    Column("run_id", Text, ForeignKey("runs_runs.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("type", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("data", JsonText),
)

waits = Table(
    "runs_waits",
    metadata,
    Column("run_id", Text, ForeignKey("runs_runs.id", ondelete="CASCADE"), primary_key=True),
    Column("step_id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("until", UtcDateTime),
    Column("answer_schema", JsonText),
    Column("asked", JsonText, nullable=False),
    Column("approval_id", Text, nullable=False),
    Column("data", JsonText, nullable=False),
    Column("answer", JsonText),
    Column("reason", Text, nullable=False, server_default=""),
    Column("created_at", UtcDateTime, nullable=False),
    Index("runs_waits_due", "state", "until"),
)

workers = Table(
    "runs_workers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("session", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("process", Integer, nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("lease_seconds", Float, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
)
