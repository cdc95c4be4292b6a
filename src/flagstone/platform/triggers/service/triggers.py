"""Making, seeing, changing, pausing, running and deleting triggers."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

from flagstone.contracts.runs import RunView
from flagstone.contracts.triggers import FiringView, NewTrigger, TriggerChange, TriggerKind, TriggerView
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Invalid, NotFound, Problem
from flagstone.kernel.ids import new_id
from flagstone.kernel.paging import Page, clamp_limit, decode_cursor, encode_cursor
from flagstone.platform.triggers.model import Trigger, check_time
from flagstone.platform.triggers.permissions import CHANGE, CREATE, READ
from flagstone.platform.triggers.service.firing import Firing
from flagstone.platform.triggers.store import TriggerStore
from flagstone.platform.workflows import WorkflowService

_SHOWN = 5
_FIRINGS = 20
_CLEARED: dict[str, object] = {"plan_digest": None, "idempotency_key": None, "files": {}, "rerun_of": None}
"""What a request that is kept does not keep."""


class TriggerService:
    """Every method with an ``actor`` decides for it."""

    def __init__(
        self,
        store: TriggerStore,
        firing: Firing,
        workflows: WorkflowService,
        access: AccessService,
        audit: AuditLog,
        *,
        now: Now = utc_now,
    ) -> None:
        self._store = store
        self._firing = firing
        self._workflows = workflows
        self._access = access
        self._audit = audit
        self._now = now

    def list(
        self,
        actor: Principal,
        *,
        kind: TriggerKind | None = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[TriggerView]:
        """A page, newest first."""
        self._access.check(actor, READ)
        size = clamp_limit(limit)
        before = str(decode_cursor(cursor)[0]) if cursor else None
        found = self._store.page(kind, before, size + 1)
        following = encode_cursor(found[size - 1].id) if len(found) > size else None
        return Page(tuple(self._view(item, actor) for item in found[:size]), following)

    def get(self, trigger_id: str, actor: Principal) -> TriggerView:
        """One of them. Raises NotFound."""
        self._access.check(actor, READ)
        found = self._view(self._need(trigger_id), actor)
        firings = tuple(
            FiringView(
                at=item.at,
                event_type=item.event_type,
                event_subject=item.event_subject,
                run_id=item.run_id,
                error=item.error,
            )
            for item in self._store.firings(trigger_id, _FIRINGS)
        )
        return found.model_copy(update={"firings": firings})

    def create(self, wanted: NewTrigger, actor: Principal) -> TriggerView:
        """Make one that acts as this person.

        Raises Invalid for a bad time, event type or request, and for one with secrets: nothing would keep them.
        """
        self._access.check(actor, CREATE, owner=wanted.request.owner)
        if wanted.request.secrets:
            raise self._no_secrets()
        trigger = self._new(wanted, actor)
        self._check(trigger, actor)
        with self._store.db.write():
            self._store.add(trigger)
            detail = {"title": trigger.title, "kind": trigger.kind, "template": trigger.request.workflow.template_ref}
            self._audit.record(actor, CREATE, f"trigger:{trigger.id}", detail=detail)
        return self._view(trigger, actor)

    def change(self, trigger_id: str, wanted: TriggerChange, actor: Principal) -> TriggerView:
        """Change when it starts or what it runs: from then on it acts as this person. Raises what making does."""
        trigger = self._own(trigger_id, actor)
        given = {name: getattr(wanted, name) for name in wanted.model_fields_set if name != "request"}
        given = {name: value for name, value in given.items() if value is not None}
        if wanted.request is not None:
            if wanted.request.secrets:
                raise self._no_secrets()
            given["request"] = wanted.request.model_copy(update=_CLEARED)
        changed = replace(trigger, **given, principal=actor, known_here=self._firing.knows(actor))
        self._check(changed, actor)
        following = None if trigger.paused else changed.due_after(self._now())
        with self._store.db.write():
            self._store.replace(replace(changed, next_at=following))
            detail = {"changed": sorted(given), "acted_as": trigger.principal.id}
            self._audit.record(actor, CHANGE, f"trigger:{trigger.id}", detail=detail)
        return self.get(trigger.id, actor)

    def _check(self, trigger: Trigger, actor: Principal) -> None:
        self._access.check(actor, CREATE, owner=trigger.request.owner)
        if trigger.kind == "schedule":
            check_time(trigger.cron, trigger.timezone)
            # What is wrong with the answers is told now, not at night.
            self._workflows.check(trigger.request)
            self._workflows.plan(trigger.request, actor)
        elif not trigger.event_type:
            problem = Problem("an event trigger needs the type of the event", field="event_type")
            raise Invalid("triggers.no_event_type", "The trigger waits for nothing.", problems=[problem])

    @staticmethod
    def _no_secrets() -> Invalid:
        return Invalid(
            "triggers.no_secrets",
            "A run that starts by itself cannot be given secrets.",
            hint="Let the template use one that an administrator put into the vault.",
        )

    def _new(self, wanted: NewTrigger, actor: Principal) -> Trigger:
        now = self._now()
        given = wanted.model_dump(exclude={"request"})
        trigger = Trigger(
            **given,
            id=new_id(),
            request=wanted.request.model_copy(update=_CLEARED),
            principal=actor,
            known_here=self._firing.knows(actor),
            paused=False,
            created_at=now,
        )
        if trigger.kind == "schedule":
            check_time(trigger.cron, trigger.timezone)
        return replace(trigger, next_at=trigger.due_after(now))

    def pause(self, trigger_id: str, actor: Principal, *, paused: bool) -> TriggerView:
        """Pause it, or let it go on from now."""
        trigger = self._own(trigger_id, actor)
        following = None if paused else trigger.due_after(self._now())
        with self._store.db.write():
            self._store.change(trigger.id, {"paused": int(paused), "next_at": following})
            self._audit.record(actor, CHANGE, f"trigger:{trigger.id}", detail={"paused": paused})
        return self.get(trigger.id, actor)

    def run(self, trigger_id: str, actor: Principal) -> RunView:
        """Start a run of it now, as the one who asks. Raises Invalid for one that needs an event."""
        trigger = self._own(trigger_id, actor)
        if trigger.kind != "schedule":
            raise Invalid("triggers.needs_event", f"{trigger.title} starts when an event comes, not by hand.")
        return self._firing.start(trigger, actor, f"trigger:{trigger.id}:now:{new_id()}")

    def delete(self, trigger_id: str, actor: Principal) -> TriggerView:
        """Delete it; its runs stay."""
        trigger = self._own(trigger_id, actor)
        view = self._view(trigger, actor)
        with self._store.db.write():
            self._store.delete(trigger.id)
            self._audit.record(actor, CHANGE, f"trigger:{trigger.id}", detail={"deleted": trigger.title})
        return view

    def _need(self, trigger_id: str) -> Trigger:
        found = self._store.get(trigger_id)
        if found is None:
            raise NotFound("triggers.not_found", f"There is no schedule or trigger {trigger_id!r:.100}.")
        return found

    def _own(self, trigger_id: str, actor: Principal) -> Trigger:
        self._access.check(actor, READ)
        trigger = self._need(trigger_id)
        mine = actor.id == trigger.principal.id and self._access.decide(actor, CREATE).allowed
        if not mine:
            self._access.check(actor, CHANGE, owner=trigger.request.owner, resource=f"trigger:{trigger.id}")
        return trigger

    def _view(self, trigger: Trigger, actor: Principal) -> TriggerView:
        request = trigger.request
        mine = actor.id == trigger.principal.id and self._access.decide(actor, CREATE).allowed
        upcoming = () if trigger.paused else tuple(islice(trigger.due_times(self._now()), _SHOWN))
        return TriggerView(
            id=trigger.id,
            title=trigger.title,
            kind=trigger.kind,
            cron=trigger.cron,
            timezone=trigger.timezone,
            jitter_seconds=trigger.jitter_seconds,
            missed=trigger.missed,
            event_type=trigger.event_type,
            conditions=dict(trigger.conditions),
            workflow=request.workflow.title,
            template_ref=request.workflow.template_ref,
            template_version=request.workflow.version,
            inputs=dict(request.inputs),
            subjects=request.subjects,
            owner=request.owner,
            paused=trigger.paused,
            actor=trigger.principal.id,
            actor_name=trigger.principal.name,
            created_at=trigger.created_at,
            upcoming=upcoming,
            last_at=trigger.last_at,
            last_run=trigger.last_run,
            last_error=trigger.last_error,
            may_change=mine or self._access.decide(actor, CHANGE, owner=request.owner).allowed,
        )
