"""Starting the runs of triggers, each due time and each event once.

The idempotency key of a run names the trigger and the due time (or the event): whatever is killed in between, and
however many processes look at the same moment, there is one run. Only then is the trigger moved on.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from flagstone.contracts.events import Event
from flagstone.contracts.runs import RunView
from flagstone.foundation.identity import Makers
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Conflict, Denied, FlagstoneError, Invalid, NotFound
from flagstone.platform.runs import RunService
from flagstone.platform.triggers.model import Fired, Trigger
from flagstone.platform.triggers.store import TriggerStore
from flagstone.platform.workflows import WorkflowService
from flagstone.toolkit.templating import render_value

log = logging.getLogger("flagstone.triggers")

GRACE = timedelta(minutes=5)
"""A due time that is not older than this was not missed, only late."""
_AT_ONCE = 100
_TITLE = 500
"""Characters of the title of a run."""
_REFUSED = (Denied, Invalid, Conflict, NotFound)


class Firing:
    """Looks what is due, listens to events, and asks ``workflows`` for runs on behalf of the makers."""

    def __init__(
        self,
        store: TriggerStore,
        workflows: WorkflowService,
        runs: RunService,
        makers: Makers,
        *,
        now: Now = utc_now,
    ) -> None:
        self._store = store
        self._workflows = workflows
        self._runs = runs
        self._makers = makers
        self._now = now

    def knows(self, actor: Principal) -> bool:
        """Whether somebody has an account on this server."""
        return self._makers.knows(actor)

    def tick(self) -> int:
        """Start what is due; returns how many triggers were moved on."""
        now = self._now()
        moved = 0
        for trigger in self._store.due(now, _AT_ONCE):
            try:
                moved += self._due(trigger, now)
            except FlagstoneError as error:
                log.warning("%s could not be started and is tried again: %s", trigger.title, error.message)
        return moved

    def _due(self, trigger: Trigger, now: datetime) -> bool:
        due = trigger.next_at
        if due is None:
            return False
        values: dict[str, Any] = {"next_at": trigger.due_after(due if trigger.missed == "all" else now)}
        if now - due <= GRACE or trigger.missed != "skip":
            values |= self._outcome(trigger, f"trigger:{trigger.id}:{due.isoformat()}")
        return self._store.advance(trigger.id, due, values)

    def concerned(self, events: Sequence[Event]) -> list[Event]:
        """The events of types that somebody waits for."""
        types = self._store.waited_for()
        return [event for event in events if event.type in types]

    def heard(self, event: Event) -> None:
        """Start what waits for an event. Runs that an event started start no others: that could go on for ever."""
        fitting = [trigger for trigger in self._store.waiting_for(event.type) if trigger.fits(event)]
        if not fitting or self._of_an_event(event):
            return
        for trigger in fitting:
            self._store.change(trigger.id, self._outcome(trigger, f"trigger:{trigger.id}:{event.id}", event))

    def start(self, trigger: Trigger, actor: Principal, key: str, event: Event | None = None) -> RunView:
        """A run of a trigger. Raises what asking for it in person would, Invalid for inputs that cannot be rendered."""
        request = trigger.request
        changes: dict[str, Any] = {"trigger": trigger.kind, "triggered_by": trigger.id, "idempotency_key": key}
        if event is not None:
            seen = {"event": event.model_dump(mode="json")}
            inputs = render_value(dict(request.inputs), seen, lenient=False, field="inputs")
            changes["inputs"] = inputs if isinstance(inputs, Mapping) else {}
            title = str(render_value(request.workflow.title, seen, field="title"))
            changes["workflow"] = request.workflow.model_copy(update={"title": title[:_TITLE]})
        return self._workflows.submit(request.model_copy(update=changes), actor)

    def _outcome(self, trigger: Trigger, key: str, event: Event | None = None) -> dict[str, Any]:
        """What is written down of a start. Being refused is an outcome; being unable raises, to be tried again."""
        found: dict[str, Any] = {"last_at": self._now(), "last_error": ""}
        try:
            maker = self._makers.today(trigger.principal, known_here=trigger.known_here, via="trigger")
            found["last_run"] = self.start(trigger, maker, key, event).id
        except _REFUSED as error:
            found["last_error"] = " ".join(filter(None, [error.message, *map(str, error.problems)]))[:2000]
            log.warning("%s was not started: %s", trigger.title, error.message)
        kind, subject = (event.type, event.subject) if event else ("", "")
        run_id, why = found.get("last_run"), found["last_error"]
        self._store.fired(Fired(key, trigger.id, found["last_at"], kind, subject[:500], run_id, why))
        return found

    def _of_an_event(self, event: Event) -> bool:
        run_id = event.subject if event.type == "run.changed" else event.data.get("run")
        if not isinstance(run_id, str):
            return False
        try:
            return self._runs.asked_for(run_id)[0].trigger == "event"
        except NotFound:
            return False
