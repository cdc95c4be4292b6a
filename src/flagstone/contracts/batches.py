"""Batches: one workflow run once for each of many entities, with progress and a stop when runs fail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol

from pydantic import Field, SecretStr

from flagstone.contracts.base import JSON, Wire
from flagstone.contracts.runs import WorkflowDefinition
from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page

MAX_ITEMS = 1_000
"""Entities of one batch."""
MAX_AT_ONCE = 50
MAX_SECRETS = 50

BatchState = Literal["running", "paused", "stopped", "cancelling", "succeeded", "failed", "cancelled"]
"""``stopped``: so many runs failed that no more are started; a person decides. ``failed``: all ended, not all well."""
ItemState = Literal[
    "pending", "starting", "queued", "running", "waiting", "unknown", "succeeded", "failed", "cancelled", "skipped"
]
"""``pending``: not started yet; ``skipped``: it never will be; the others are those of its run."""
BatchVerb = Literal["pause", "continue", "cancel", "retry"]

BATCH_ENDED: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})


class NewBatchItem(Wire):
    """One entity and what its run is given."""

    subject: str = Field(min_length=1, max_length=300)
    """Its ref."""
    title: str = Field(default="", max_length=300)
    """Title of its run."""
    inputs: dict[str, JSON] = Field(default_factory=dict)
    owner: str | None = None
    entities: dict[str, JSON] = Field(default_factory=dict)
    """See ``WorkflowDefinition.entities``."""


class NewBatch(Wire):
    """What starting one takes."""

    title: str = Field(min_length=1, max_length=200)
    workflow: WorkflowDefinition
    items: tuple[NewBatchItem, ...] = Field(min_length=1, max_length=MAX_ITEMS)
    query: str = Field(default="", max_length=2000)
    """How the entities were found, for people: the query of the catalog's list."""
    at_once: int = Field(default=5, ge=1, le=MAX_AT_ONCE)
    """Runs that may be going at the same time."""
    stop_after_failures: int = Field(default=1, ge=0, le=MAX_ITEMS)
    """No more runs are started once so many failed; 0: never."""
    idempotency_key: str | None = Field(default=None, max_length=200)
    """The same key of the same actor gives the same batch."""
    secrets: dict[str, SecretStr] = Field(default_factory=dict, max_length=MAX_SECRETS)
    """Given to every run. They are in the vault until the batch has ended; nothing else of it holds their values."""


class BatchChange(Wire):
    """What may come along with a verb."""

    secrets: dict[str, SecretStr] = Field(default_factory=dict, max_length=MAX_SECRETS)
    """With ``retry``: in place of those that it had, or again after they were deleted."""


class BatchCounts(Wire):
    """How many entities there are in each state, counted by the database."""

    total: int = 0
    pending: int = 0
    queued: int = 0
    """Also those that are being started."""
    running: int = 0
    waiting: int = 0
    """For somebody: an approval, an answer, a word on an unknown outcome."""
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    skipped: int = 0

    @property
    def active(self) -> int:
        """Those that have begun and not ended."""
        return self.queued + self.running + self.waiting

    @property
    def ended(self) -> int:
        """Those for which nothing more happens by itself."""
        return self.succeeded + self.failed + self.cancelled + self.skipped


class BatchView(Wire):
    """A batch as people see it."""

    id: str
    title: str
    workflow: str
    """Title of what it runs."""
    template_ref: str | None = None
    query: str = ""
    state: BatchState
    reason: str = ""
    """Why it stopped."""
    at_once: int
    stop_after_failures: int
    counts: BatchCounts
    actor: str
    actor_name: str
    """Who started it: its runs act as this person, with the role that they have then."""
    created_at: datetime
    ended_at: datetime | None = None
    secrets: tuple[str, ...] = ()
    """Names of those that its runs are given."""
    secrets_kept: bool = False
    """Whether their values are still there; else a retry needs them again."""
    may_change: bool = False
    """Whether the one who looks may pause, continue, cancel and retry it."""


class BatchItemView(Wire):
    """One entity of a batch."""

    position: int
    subject: str
    title: str = ""
    state: ItemState
    run_id: str | None = None
    run_number: int | None = None
    error: str = ""
    """Why it was not started, or failed."""
    started_at: datetime | None = None
    ended_at: datetime | None = None


class BatchDoor(Protocol):
    """The part of the door that is about batches. Methods may raise Unavailable, Denied, NotFound, Invalid."""

    def list_batches(
        self,
        actor: Principal,
        *,
        state: tuple[BatchState, ...] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[BatchView]:
        """A page of batches, newest first."""

    def get_batch(self, batch_id: str, actor: Principal) -> BatchView:
        """One batch."""

    def batch_items(
        self,
        batch_id: str,
        actor: Principal,
        *,
        state: tuple[ItemState, ...] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[BatchItemView]:
        """A page of its entities, in their order."""

    def start_batch(self, wanted: NewBatch, actor: Principal) -> BatchView:
        """Start one that acts as this person. Raises Invalid with every entity whose inputs are wrong."""

    def change_batch(
        self, batch_id: str, verb: BatchVerb, actor: Principal, secrets: Mapping[str, SecretStr] | None = None
    ) -> BatchView:
        """Pause, continue or cancel it, or start the failed ones again, with other ``secrets`` if some are given.

        Raises Conflict when that cannot be now, Invalid (``batches.secrets_needed``) when its secrets are deleted and
        were not given again.
        """
