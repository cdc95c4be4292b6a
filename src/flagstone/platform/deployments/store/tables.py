"""The tables of deployments."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text, UniqueConstraint

from flagstone.toolkit.db import JsonText, UtcDateTime

metadata = MetaData()

releases = Table(
    "deployments_releases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("repository", Text, nullable=False),
    Column("commit_id", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("workload_name", Text, nullable=False),
    Column("workload", JsonText, nullable=False),
    Column("digest", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", Text, nullable=False),
    UniqueConstraint("repository", "commit_id", "workload_name", name="uq_deployments_releases_commit"),
    UniqueConstraint("repository", "workload_name", "number", name="uq_deployments_releases_number"),
)

deployments = Table(
    "deployments_deployments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("entity_ref", Text, nullable=False, index=True),
    Column("environment", Text, nullable=False, index=True),
    Column("runtime", Text, nullable=False),
    Column("workload", Text, nullable=False),
    Column("repository", Text, nullable=False),
    Column("owner", Text, nullable=True, index=True),
    Column("desired", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("current_release_id", Text, nullable=True),
    Column("previous_release_id", Text, nullable=True),
    Column("deployed_at", UtcDateTime, nullable=True),
    Column("url", Text, nullable=True),
    Column("restarts", Integer, nullable=False),
    Column("pid", Integer, nullable=True),
    Column("next_run_at", UtcDateTime, nullable=True),
    Column("last_log", JsonText, nullable=False),
    Column("last_run_id", Text, nullable=True),
    Column("holder", Text, nullable=True),
    Column("holder_name", Text, nullable=False),
    Column("holder_until", BigInteger, nullable=True),
    Column("fence", Integer, nullable=False),
    UniqueConstraint("entity_ref", "environment", name="uq_deployments_deployments_place"),
    Index("ix_deployments_deployments_order", "workload", "environment", "id"),
)

history = Table(
    "deployments_history",
    metadata,
    Column("id", Text, primary_key=True),
    Column("deployment_id", Text, nullable=False),
    Column("entity_ref", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("release_id", Text, nullable=True),
    Column("version", Text, nullable=False),
    Column("run_id", Text, nullable=True),
    Column("step_key", Text, nullable=False, index=True),
    Column("actor", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime, nullable=True),
    Column("detail", JsonText, nullable=False),
    Index("ix_deployments_history_deployment", "deployment_id", "id"),
)
