"""Where runs are kept: SQL over the tables of this slice, nothing else. Rules about runs belong to the service."""

from __future__ import annotations

from flagstone.platform.runs.store.events import EventStore, NewEvent
from flagstone.platform.runs.store.runs import RunStore
from flagstone.platform.runs.store.steps import StepStore
from flagstone.platform.runs.store.tables import metadata
from flagstone.platform.runs.store.waits import WaitStore
from flagstone.platform.runs.store.workers import WorkerStore, database_now

__all__ = ["EventStore", "NewEvent", "RunStore", "StepStore", "WaitStore", "WorkerStore", "database_now", "metadata"]
