"""Making schedules of golden paths, and everything else through the gateway; not what golden paths became since."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from flagstone.contracts.gateway import GatewayInfo, RunGateway, RunQuery
from flagstone.contracts.runs import RunSummary, RunView
from flagstone.contracts.triggers import MissedRuns, NewTrigger, TriggerChange, TriggerKind, TriggerView
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid, NotFound
from flagstone.kernel.paging import Page
from flagstone.portal.golden_paths import DraftService, GoldenPath, GoldenPathService
from flagstone.portal.schedules.permissions import WRITE

_RUNS = 20
_MOST_PATHS = 500


class When(BaseModel):
    """When a golden path runs: by the clock (``cron``), or when an event comes (``event_type``)."""

    model_config = ConfigDict(extra="forbid")

    title: str = Field(default="", max_length=200)
    cron: str = Field(default="", max_length=200)
    timezone: str = Field(default="UTC", max_length=100)
    jitter_seconds: int = Field(default=0, ge=0, le=86_400)
    missed: MissedRuns = "once"
    event_type: str = Field(default="", max_length=200)
    conditions: dict[str, Any] = Field(default_factory=dict)


class ScheduleService:
    """What the pages, the API and the commands of schedules stand on."""

    def __init__(
        self,
        gateway: RunGateway,
        paths: GoldenPathService,
        drafts: DraftService,
        access: AccessService,
        audit: AuditLog,
    ) -> None:
        self._gateway = gateway
        self._paths = paths
        self._drafts = drafts
        self._access = access
        self._audit = audit

    def platform(self) -> GatewayInfo:
        """What is behind the door."""
        return self._gateway.info()

    def list(
        self, principal: Principal, *, kind: TriggerKind | None = None, cursor: str | None = None
    ) -> Page[TriggerView]:
        """A page of schedules and event triggers, newest first."""
        return self._gateway.list_triggers(principal, kind=kind, cursor=cursor)

    def paths(self) -> tuple[GoldenPath, ...]:
        """The golden paths that a trigger can run, by title."""
        found: dict[str, GoldenPath] = {}
        cursor: str | None = None
        while len(found) < _MOST_PATHS:
            page = self._paths.gallery(cursor=cursor)
            found |= {path.ref: path for path in (*page.recommended, *page.others) if not path.deprecated}
            cursor = page.next_cursor
            if cursor is None:
                break
        return tuple(sorted(found.values(), key=lambda path: path.title.lower()))

    def draft_values(self, principal: Principal, path: GoldenPath, draft_id: str | None) -> dict[str, Any]:
        """The answers of a draft; none when it is gone."""
        draft = self._drafts.find(principal, path, draft_id)
        return dict(draft.values) if draft else {}

    def get(self, principal: Principal, ident: str) -> TriggerView:
        """One of them. Raises NotFound."""
        return self._gateway.get_trigger(ident, principal)

    def runs(self, principal: Principal, ident: str) -> tuple[RunSummary, ...]:
        """The newest runs that it started."""
        return tuple(self._gateway.list_runs(RunQuery(triggered_by=ident, limit=_RUNS), principal).items)

    def path(self, namespace: str, name: str) -> GoldenPath:
        """A golden path. Raises NotFound."""
        return self._paths.get(namespace, name)

    def of_draft(self, principal: Principal, path: GoldenPath, draft_id: str, when: When) -> TriggerView:
        """A schedule with the answers of a draft. Raises NotFound when it is gone, Invalid with secrets."""
        draft = self._drafts.find(principal, path, draft_id)
        if draft is None:
            raise NotFound(
                "schedules.no_draft", "That draft is not there any more.", hint=f"Fill in {path.href} once more."
            )
        if draft.secrets:
            raise Invalid(
                "schedules.no_secrets",
                "A run that starts by itself cannot be given secrets.",
                hint="Leave the secret fields empty.",
            )
        return self.create(principal, path, draft.values, when, entity_ref=draft.entity_ref)

    def create(
        self,
        principal: Principal,
        path: GoldenPath,
        values: Mapping[str, Any],
        when: When,
        *,
        entity_ref: str | None = None,
    ) -> TriggerView:
        """A schedule that runs a golden path as it is now, with these answers. Raises Invalid, Denied."""
        self._access.check(principal, WRITE, resource=path.ref)
        events = bool(when.event_type)
        request = self._paths.request(path, values, {}, principal=principal, entity_ref=entity_ref, expressions=events)
        wanted = NewTrigger(
            **when.model_dump(exclude={"title"}),
            title=when.title or request.workflow.title,
            kind="event" if events else "schedule",
            request=request,
        )
        made = self._gateway.create_trigger(wanted, principal)
        self._audit.record(principal, WRITE, path.ref, detail={"schedule": made.id, "cron": made.cron})
        return made

    def change(self, principal: Principal, ident: str, when: When) -> TriggerView:
        """Change when it starts and what it is called. Raises Invalid, Denied."""
        self._access.check(principal, WRITE, resource=f"trigger:{ident}")
        if self.get(principal, ident).kind == "event":
            wanted = TriggerChange(
                title=when.title or None, event_type=when.event_type, conditions=dict(when.conditions)
            )
        else:
            given = when.model_dump(exclude={"title", "event_type", "conditions"})
            wanted = TriggerChange(title=when.title or None, **given)
        return self._gateway.change_trigger(ident, wanted, principal)

    def pause(self, principal: Principal, ident: str, *, paused: bool) -> TriggerView:
        """Pause it, or let it go on."""
        return self._gateway.pause_trigger(ident, principal, paused=paused)

    def run(self, principal: Principal, ident: str) -> RunView:
        """Run it now."""
        return self._gateway.run_trigger(ident, principal)

    def delete(self, principal: Principal, ident: str) -> TriggerView:
        """Delete it; its runs stay."""
        return self._gateway.delete_trigger(ident, principal)
