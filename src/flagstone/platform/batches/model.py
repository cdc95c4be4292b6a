"""A batch, its items, and what becomes of it when they move on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from pydantic import SecretStr

from flagstone.contracts.batches import BatchCounts, BatchItemView, BatchState, ItemState
from flagstone.contracts.runs import RunRequest, WorkflowDefinition
from flagstone.kernel.actor import Principal

ACTIVE: tuple[ItemState, ...] = ("starting", "queued", "running", "waiting", "unknown")
"""States of an item that takes one of the places ``at_once``."""
FINAL: frozenset[str] = frozenset({"succeeded", "cancelled"})
"""States of a batch after which nothing of it can be started again."""


@dataclass(frozen=True, slots=True)
class Batch:
    """``forgiven``: failures that were there when somebody let it go on; ``known_here``: see ``Makers``."""

    id: str
    title: str
    workflow: WorkflowDefinition
    query: str
    state: BatchState
    reason: str
    at_once: int
    stop_after_failures: int
    forgiven: int
    principal: Principal
    known_here: bool
    created_at: datetime
    ended_at: datetime | None = None
    secrets: tuple[str, ...] = ()
    """Names of those that each run is given."""
    secrets_kept: bool = False
    """Whether their values shall be in the vault: those of any other batch are deleted when they are found there."""

    def following(self, counts: BatchCounts) -> BatchState:
        """The state that these counts lead to."""
        if self.state in ("cancelled", "succeeded"):
            return self.state
        if self.state == "cancelling":
            return self.state if counts.active else "cancelled"
        if not counts.pending and not counts.active:
            return "failed" if counts.failed or counts.cancelled else "succeeded"
        if self.state == "failed":
            # Somebody retried one of its runs by hand.
            return "running"
        if self.state == "running" and counts.pending and self.too_many(counts):
            return "stopped"
        return self.state

    def too_many(self, counts: BatchCounts) -> bool:
        """Whether enough runs failed to stop."""
        return bool(self.stop_after_failures) and counts.failed - self.forgiven >= self.stop_after_failures


@dataclass(frozen=True, slots=True)
class Item:
    """One entity. ``run_id`` stays when it is tried again: its run goes on where it failed."""

    batch_id: str
    position: int
    subject: str
    title: str
    inputs: Mapping[str, Any]
    owner: str | None
    entities: Mapping[str, Any]
    state: ItemState = "pending"
    run_id: str | None = None
    run_number: int | None = None
    error: str = ""
    claimed_at: datetime | None = None
    ended_at: datetime | None = None

    def request(self, batch: Batch, secrets: Mapping[str, SecretStr] | None = None) -> RunRequest:
        """Its run. The key makes it one run, however often it is asked for."""
        changes = {"title": self.title or batch.workflow.title, "entities": dict(self.entities)}
        return RunRequest(
            workflow=batch.workflow.model_copy(update=changes),
            inputs=dict(self.inputs),
            secrets=dict(secrets or {}),
            subjects=(self.subject,),
            owner=self.owner,
            trigger="batch",
            triggered_by=batch.id,
            idempotency_key=f"batch:{batch.id}:{self.position}",
        )

    def view(self) -> BatchItemView:
        """As people see it."""
        return BatchItemView(
            position=self.position,
            subject=self.subject,
            title=self.title,
            state=self.state,
            run_id=self.run_id,
            run_number=self.run_number,
            error=self.error,
            started_at=self.claimed_at,
            ended_at=self.ended_at,
        )


def state_of_run(state: str) -> ItemState:
    """The state of an item whose run is in a state."""
    return "running" if state == "cancelling" else cast("ItemState", state)


def counted(found: Mapping[str, int]) -> BatchCounts:
    """Counts of states as they are told."""
    number = found.get
    return BatchCounts(
        total=sum(found.values()),
        pending=number("pending", 0),
        queued=number("queued", 0) + number("starting", 0),
        running=number("running", 0),
        waiting=number("waiting", 0) + number("unknown", 0),
        succeeded=number("succeeded", 0),
        failed=number("failed", 0),
        cancelled=number("cancelled", 0),
        skipped=number("skipped", 0),
    )
