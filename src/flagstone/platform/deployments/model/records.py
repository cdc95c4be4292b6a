"""Releases, deployments and their history as values."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from flagstone.contracts.deployments import DeploymentState, DeploymentView, ReleaseView

Desired = Literal["running", "stopped"]
Operation = Literal["deploy", "rollback", "start", "stop", "remove"]
Outcome = Literal["running", "succeeded", "failed", "cancelled", "interrupted"]


@dataclass(frozen=True, slots=True)
class Release:
    """An immutable version of a workload: one commit of one repository."""

    id: str
    repository: str
    commit: str
    message: str
    workload_name: str
    workload: Mapping[str, Any]
    """The Score document in canonical form, placeholders as written."""
    digest: str
    number: int
    """Counts from 1 per repository and workload; people see ``r<number>``."""
    created_at: datetime
    created_by: str

    @property
    def version(self) -> str:
        """Short name for people: ``r3``."""
        return f"r{self.number}"

    def view(self) -> ReleaseView:
        """As seen through the door."""
        return ReleaseView(
            id=self.id,
            version=self.version,
            repository=self.repository,
            commit=self.commit,
            message=self.message,
            created_at=self.created_at,
            created_by=self.created_by,
        )


@dataclass(frozen=True, slots=True)
class Deployment:
    """One workload in one environment: what is wanted, and what was last seen of it."""

    id: str
    entity_ref: str
    environment: str
    runtime: str
    workload: str
    repository: str
    owner: str | None
    desired: Desired
    state: DeploymentState
    message: str
    since: datetime
    created_at: datetime
    current_release_id: str | None = None
    previous_release_id: str | None = None
    deployed_at: datetime | None = None
    url: str | None = None
    restarts: int = 0
    pid: int | None = None
    next_run_at: datetime | None = None
    last_log: tuple[str, ...] = ()
    last_run_id: str | None = None
    holder: str | None = None
    """Who holds the rollout lock: the key of the step; None when nobody does."""
    holder_name: str = ""
    """The holder in words, for the message to whoever comes second."""
    fence: int = 0
    """Grows with every holder: a write of one that has lost its lock is refused."""

    def view(self, release: Release | None) -> DeploymentView:
        """As seen through the door."""
        return DeploymentView(
            id=self.id,
            entity_ref=self.entity_ref,
            workload=self.workload,
            environment=self.environment,
            runtime=self.runtime,
            state=self.state,
            message=self.message,
            url=self.url,
            release=release.view() if release else None,
            since=self.since,
            deployed_at=self.deployed_at,
            desired=self.desired,
            restarts=self.restarts,
            pid=self.pid,
            next_run_at=self.next_run_at,
            owner=self.owner,
            last_run_id=self.last_run_id,
            last_log=self.last_log,
        )


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One thing that was done to a deployment."""

    id: str
    deployment_id: str
    entity_ref: str
    environment: str
    operation: Operation
    release_id: str | None
    version: str
    """Short name of the release, ``r3``; kept here because it stays readable when the deployment is gone."""
    run_id: str | None
    step_key: str
    actor: str
    actor_name: str
    outcome: Outcome
    message: str
    started_at: datetime
    ended_at: datetime | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return None if self.ended_at is None else (self.ended_at - self.started_at).total_seconds()


def deployment_id(entity_ref: str, environment: str) -> str:
    """The id of a deployment: the same for an entity in an environment for ever, safe in file names and URLs."""
    name = entity_ref.rpartition("/")[2].lower()
    label = "".join(char if char.isascii() and char.isalnum() else "-" for char in name).strip("-")[:32].strip("-")
    digest = hashlib.sha256(f"{entity_ref.lower()}\0{environment}".encode()).hexdigest()[:10]
    return f"{label or 'deployment'}-{environment[:20].strip('-')}-{digest}"
