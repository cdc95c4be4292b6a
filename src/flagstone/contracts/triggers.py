"""Triggers: what starts runs by itself, by the clock or when something happened."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

from pydantic import Field

from flagstone.contracts.base import JSON, Wire
from flagstone.contracts.runs import RunRequest, RunView
from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page

TriggerKind = Literal["schedule", "event"]
MissedRuns = Literal["skip", "once", "all"]
"""What becomes of due times that passed while nobody was there: none, one run for all of them, or one run for each."""


class NewTrigger(Wire):
    """What making one takes. The request is kept as it is; it may hold no secrets.

    The inputs of an event trigger may hold expressions over ``event`` (``${{ event.data.branch }}``).
    """

    title: str = Field(min_length=1, max_length=200)
    kind: TriggerKind = "schedule"
    cron: str = Field(default="", max_length=200)
    """Five fields: minute, hour, day of the month, month, day of the week."""
    timezone: str = Field(default="UTC", max_length=100)
    jitter_seconds: int = Field(default=0, ge=0, le=86_400)
    """Each due time is put off by up to so much, always by the same for one trigger, so that not all start at once."""
    missed: MissedRuns = "once"
    event_type: str = Field(default="", max_length=200)
    conditions: dict[str, JSON] = Field(default_factory=dict)
    """Place in the event (``data.branch``) to what must stand there: a value, a text with ``*``, or a list of such."""
    request: RunRequest


class TriggerChange(Wire):
    """What is to be different of a trigger; None leaves it as it is. Its kind stays.

    Whoever changes one becomes the one it acts as: nobody can let the rights of another do something new.
    """

    title: str | None = Field(default=None, min_length=1, max_length=200)
    cron: str | None = Field(default=None, max_length=200)
    timezone: str | None = Field(default=None, max_length=100)
    jitter_seconds: int | None = Field(default=None, ge=0, le=86_400)
    missed: MissedRuns | None = None
    event_type: str | None = Field(default=None, max_length=200)
    conditions: dict[str, JSON] | None = None
    request: RunRequest | None = None
    """Another version of what it runs, or other inputs."""


class FiringView(Wire):
    """One time that it started something, or would have."""

    at: datetime
    event_type: str = ""
    """Of the event that it was started by; empty for a due time."""
    event_subject: str = ""
    run_id: str | None = None
    error: str = ""
    """Why nothing was started; empty when a run was."""


class TriggerView(Wire):
    """A trigger as people see it."""

    id: str
    title: str
    kind: TriggerKind
    cron: str = ""
    timezone: str = "UTC"
    jitter_seconds: int = 0
    missed: MissedRuns = "once"
    event_type: str = ""
    conditions: dict[str, JSON] = Field(default_factory=dict)
    workflow: str
    """Title of what it runs."""
    template_ref: str | None = None
    template_version: str = ""
    """Digest of the template that its runs execute: that of when it was made, or moved to a newer one."""
    inputs: dict[str, JSON] = Field(default_factory=dict)
    subjects: tuple[str, ...] = ()
    owner: str | None = None
    paused: bool = False
    actor: str
    actor_name: str
    """Who made it: its runs act as this person, with the role that they have then."""
    created_at: datetime
    upcoming: tuple[datetime, ...] = ()
    """The next due times; none while it is paused."""
    last_at: datetime | None = None
    last_run: str | None = None
    """Id of the run that it started last."""
    last_error: str = ""
    """Why the last start failed; empty when it did not."""
    firings: tuple[FiringView, ...] = ()
    """The newest first; only of a trigger that was asked for by its id."""
    may_change: bool = False
    """Whether the one who looks may pause, run and delete it."""


class TriggerDoor(Protocol):
    """The part of the door that is about triggers. Methods may raise Unavailable, Denied, NotFound, Invalid."""

    def list_triggers(
        self,
        actor: Principal,
        *,
        kind: TriggerKind | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[TriggerView]:
        """A page of triggers, newest first."""

    def get_trigger(self, trigger_id: str, actor: Principal) -> TriggerView:
        """One trigger."""

    def create_trigger(self, wanted: NewTrigger, actor: Principal) -> TriggerView:
        """Make one that acts as this person. Raises Invalid for a bad time, time zone or request."""

    def change_trigger(self, trigger_id: str, change: TriggerChange, actor: Principal) -> TriggerView:
        """Change when it starts or what it runs; from then on it acts as this person. Raises Invalid."""

    def pause_trigger(self, trigger_id: str, actor: Principal, *, paused: bool) -> TriggerView:
        """Pause it, or let it go on: what was due meanwhile is not made up for."""

    def run_trigger(self, trigger_id: str, actor: Principal) -> RunView:
        """Start a run of it now, as the one who asks. Raises Invalid for one that needs an event."""

    def delete_trigger(self, trigger_id: str, actor: Principal) -> TriggerView:
        """Delete it; its runs stay."""
