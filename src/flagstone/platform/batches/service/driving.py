"""Driving batches: starting what there is room for, noticing what ended, stopping when too many fail.

Level-triggered: every look compares what the database says with what should be, so that an event may be lost and a
process may be killed at any instant. Several processes may look at once: which items are started is decided under the
row of the batch, and the key of each run makes a start that is repeated harmless.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial

from pydantic import SecretStr

from flagstone.contracts.batches import BATCH_ENDED, BatchCounts
from flagstone.contracts.events import Event
from flagstone.contracts.runs import ENDED, RunView
from flagstone.foundation.audit import AuditLog
from flagstone.foundation.events import EventLog
from flagstone.foundation.identity import Makers
from flagstone.kernel.actor import system
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Conflict, FlagstoneError, Temporary, Unavailable
from flagstone.platform.batches.model import ACTIVE, FINAL, Batch, Item, state_of_run
from flagstone.platform.batches.permissions import CHANGE
from flagstone.platform.batches.service.secrets import BatchSecrets, needed
from flagstone.platform.batches.store import BatchStore
from flagstone.platform.runs import RunService
from flagstone.platform.workflows import WorkflowService

log = logging.getLogger("flagstone.batches")

LEFT_AFTER = timedelta(seconds=15)
"""An item that was taken so long ago and has no run was left by a process that died; it is started again."""
_LATER = (Temporary, Unavailable)
_MANY = 500
_LONGEST = 2_000
_GONE = "Its run is not there any more."


class Driver:
    """Moves batches on."""

    def __init__(
        self,
        store: BatchStore,
        workflows: WorkflowService,
        runs: RunService,
        makers: Makers,
        secrets: BatchSecrets,
        *,
        events: EventLog,
        audit: AuditLog,
        now: Now = utc_now,
    ) -> None:
        self._store = store
        self._workflows = workflows
        self._runs = runs
        self._makers = makers
        self._secrets = secrets
        self._events = events
        self._audit = audit
        self._now = now

    def sweep(self) -> int:
        """Drive every batch that is alive; returns how many runs were started. One that fails holds up no other."""
        started = 0
        for batch_id in self._store.alive():
            try:
                started += self.drive(batch_id)
            except Exception:
                log.exception("batch %s could not be driven and is tried again", batch_id)
        return started

    def concerned(self, events: Sequence[Event]) -> list[Event]:
        """The events of runs of batches, and of entities that were taken out of the catalog."""
        changed = {event.subject for event in events if event.type == "run.changed"}
        ours = {item.run_id for item in self._store.of_runs(changed)}
        return [event for event in events if event.type == "catalog.location.withdrawn" or event.subject in ours]

    def heard(self, event: Event) -> None:
        """Something happened to a run, or an entity was taken out of the catalog."""
        if event.type == "run.changed":
            for item in self._store.of_runs([event.subject]):
                self._mirror([item])
                self.drive(item.batch_id)
        elif event.type == "catalog.location.withdrawn" and isinstance(event.data.get("entity_ref"), str):
            ref = str(event.data["entity_ref"]).lower()
            for batch_id in self._store.skip_subject(ref, "It was unregistered meanwhile.", self._now()):
                self.drive(batch_id)

    def tidy(self) -> None:
        """Drop secrets that nothing needs any more: of a batch that failed long ago, and what a killed process left."""
        now = self._now()
        for batch_id in self._store.failed_before(self._secrets.kept_since(now)):
            with self._store.db.write():
                batch = self._store.lock(batch_id)
                # Somebody may have retried it in the meantime.
                if batch is not None and batch.state == "failed":
                    self._store.change(batch_id, secrets_kept=0)
                    self._store.db.after_commit(partial(self._secrets.drop, batch_id))
        for batch_id in self._secrets.left(now):
            with self._store.db.write():
                # Under the row, so that those that a retry is being given are not taken away.
                batch = self._store.lock(batch_id)
                if batch is None or not batch.secrets_kept:
                    self._secrets.drop(batch_id)

    def drive(self, batch_id: str) -> int:
        """Bring one batch up to date; returns how many runs were started."""
        self._mirror(self._store.members(batch_id, ACTIVE, -1, _MANY))
        batch, taken = self._turn(batch_id)
        if batch is None:
            return 0
        if batch.state == "cancelling":
            self._end(batch)
            self._turn(batch_id)
            return 0
        secrets = self._secrets.read(batch) if taken else {}
        started = sum(self._start(batch, item, secrets) for item in taken)
        if len(taken) > started:
            # What could not be started at all may have been one failure too many, or have made room.
            self._turn(batch_id, take=False)
        return started

    def _mirror(self, members: list[Item]) -> None:
        """Copy the states of runs to their items."""
        with_run = [item for item in members if item.run_id and item.state != "starting"]
        states = self._runs.states([str(item.run_id) for item in with_run]) if with_run else {}
        for item in with_run:
            state, error = states.get(str(item.run_id), ("failed", _GONE))
            wanted = state_of_run(state)
            if wanted != item.state:
                ended = self._now() if wanted in ENDED else None
                self._store.move(item, (item.state,), state=wanted, error=error[:_LONGEST], ended_at=ended)

    def _turn(self, batch_id: str, *, take: bool = True) -> tuple[Batch | None, list[Item]]:
        """Settle the state of a batch and take what it may start, while no other process does."""
        now = self._now()
        with self._store.db.write():
            batch = self._store.lock(batch_id)
            if batch is None:
                return None, []
            counts = self._store.counts([batch_id])[batch_id]
            batch = self._settle(batch, counts)
            if not take or batch.state in ("cancelling", *BATCH_ENDED):
                return batch, []
            places = batch.at_once - counts.active if batch.state == "running" else 0
            return batch, self._store.claim(batch_id, places, now, now - LEFT_AFTER)

    def _settle(self, batch: Batch, counts: BatchCounts) -> Batch:
        state = batch.following(counts)
        if state == batch.state:
            return batch
        reason = f"{counts.failed} of {counts.total} failed." if state == "stopped" else ""
        ended = self._now() if state in BATCH_ENDED else None
        self._store.change(batch.id, state=state, reason=reason, ended_at=ended)
        if state in FINAL and batch.secrets_kept:
            self._store.change(batch.id, secrets_kept=0)
            self._store.db.after_commit(partial(self._secrets.drop, batch.id))
        self._audit.record(system("batches"), CHANGE, f"batch:{batch.id}", detail={"state": state})
        announce(self._events, batch, state, counts)
        found = self._store.get(batch.id)
        assert found is not None
        return found

    def _start(self, batch: Batch, item: Item, secrets: Mapping[str, SecretStr]) -> bool:
        try:
            run = self._run_of(batch, item, secrets)
        except _LATER as error:
            log.warning("%s of batch %s could not be started and is tried again: %s", item.subject, batch.id, error)
            return False
        except FlagstoneError as error:
            told = " ".join(filter(None, [error.message, *map(str, error.problems)]))
            self._store.move(item, ("starting",), state="failed", error=told[:_LONGEST], ended_at=self._now())
            log.warning("%s of batch %s was not started: %s", item.subject, batch.id, error.message)
            return False
        ended = self._now() if run.state in ENDED else None
        state = state_of_run(run.state)
        return self._store.move(item, ("starting",), state=state, run_id=run.id, run_number=run.number, ended_at=ended)

    def _run_of(self, batch: Batch, item: Item, secrets: Mapping[str, SecretStr]) -> RunView:
        """Its one run: started, or going on where it failed."""
        lost = [name for name in batch.secrets if name not in secrets]
        if lost:
            raise needed(batch, lost)
        maker = self._makers.today(batch.principal, known_here=batch.known_here, via="batch")
        if item.run_id is None:
            return self._workflows.submit(item.request(batch, secrets), maker)
        try:
            return self._runs.retry(item.run_id, maker, secrets=secrets)
        except Conflict as error:
            if error.code != "runs.not_retryable":
                raise
            # Somebody, or this process before it was killed, was faster.
            return self._runs.get(item.run_id, maker)

    def _end(self, batch: Batch) -> None:
        """Cancel what is going on. What was taken and not started yet never is."""
        for item in self._store.members(batch.id, ACTIVE, -1, _MANY):
            run_id = item.run_id or self._unwritten(batch, item)
            if run_id is not None:
                # Who cancelled the batch was asked then; its maker's token may have no right to cancel runs.
                self._runs.cancel(run_id, system("batches"))
        self._mirror(self._store.members(batch.id, ACTIVE, -1, _MANY))

    def _unwritten(self, batch: Batch, item: Item) -> str | None:
        """The run of an item that a process started and died before it wrote that down; without one it is skipped."""
        known = self._runs.known(self._workflows.check(item.request(batch), complete=False), batch.principal)
        if known is not None:
            self._store.move(item, ("starting",), state="running", run_id=known.id, run_number=known.number)
            return known.id
        if item.claimed_at is None or item.claimed_at <= self._now() - LEFT_AFTER:
            self._store.move(item, ("starting",), state="skipped", ended_at=self._now())
        return None


def announce(events: EventLog, batch: Batch, state: str, counts: BatchCounts, by: str = "") -> None:
    """Tell of the new state of a batch, in the current transaction; ``by`` is who made it so."""
    data = {
        "state": state,
        "title": batch.title,
        "template_ref": batch.workflow.template_ref,
        "total": counts.total,
        "succeeded": counts.succeeded,
        "failed": counts.failed,
        "by": by,
    }
    events.publish("batch.changed", batch.id, data, actor=batch.principal.id)
