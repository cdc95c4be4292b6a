"""Environments, releases and deployments as seen through the door."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from flagstone.contracts.base import Wire

DeploymentState = Literal[
    "deploying", "starting", "healthy", "degraded", "crashed", "failed", "stopped", "scheduled", "removing", "unknown"
]


class EnvironmentView(Wire):
    """Where workloads live."""

    name: str
    type: str
    title: str
    description: str = ""
    runtime: str
    deployments: int = 0


class ReleaseView(Wire):
    """An immutable version of a workload."""

    id: str
    version: str
    """Short name for people: ``r3``."""
    repository: str
    commit: str
    message: str = ""
    created_at: datetime
    created_by: str = ""


class DeploymentView(Wire):
    """One workload in one environment."""

    id: str
    entity_ref: str
    workload: str
    environment: str
    runtime: str
    state: DeploymentState
    message: str = ""
    """Why it is in this state, in words."""
    url: str | None = None
    release: ReleaseView | None = None
    since: datetime
    """Since when it is in this state."""
    deployed_at: datetime | None = None
    desired: Literal["running", "stopped"] = "running"
    restarts: int = 0
    pid: int | None = None
    next_run_at: datetime | None = None
    """For a scheduled workload."""
    owner: str | None = None
    last_run_id: str | None = None
    last_log: tuple[str, ...] = ()
    """The last lines before a failure."""


class LogLine(Wire):
    """One line of a workload's log; ``seq`` is the cursor of a follower."""

    seq: int
    at: datetime | None = None
    text: str
    stream: Literal["out", "err", "runtime"] = "out"
