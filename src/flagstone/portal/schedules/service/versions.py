"""Schedules and event triggers beside their golden paths as they are now, and moving them to the new version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flagstone.contracts.gateway import RunGateway
from flagstone.contracts.plans import Plan
from flagstone.contracts.runs import RunRequest
from flagstone.contracts.triggers import TriggerChange, TriggerView
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid, NotFound, Problem
from flagstone.kernel.refs import parse_ref
from flagstone.portal.golden_paths import GoldenPath, GoldenPathService
from flagstone.portal.schedules.permissions import WRITE


@dataclass(frozen=True, slots=True)
class Version:
    """A trigger beside its golden path as it is now. ``path`` is None when that is gone."""

    item: TriggerView
    path: GoldenPath | None = None
    newer: bool = False
    """Whether its runs execute an older version."""
    problems: tuple[Problem, ...] = ()
    """Why its answers do not fit the newer version."""


class VersionService:
    """What a trigger runs against what its golden path is today."""

    def __init__(self, gateway: RunGateway, paths: GoldenPathService, access: AccessService, audit: AuditLog) -> None:
        self._gateway = gateway
        self._paths = paths
        self._access = access
        self._audit = audit

    def of(self, principal: Principal, ident: str) -> Version:
        """How a trigger stands to its golden path as it is now."""
        item = self._gateway.get_trigger(ident, principal)
        path = self._path_of(item)
        if path is None:
            return Version(item)
        return Version(item, path, newer=path.version != item.template_version, problems=self._wrong(path, item))

    def _wrong(self, path: GoldenPath, item: TriggerView) -> tuple[Problem, ...]:
        try:
            self._request(None, path, item, item.inputs)
        except Invalid as error:
            return tuple(error.problems) or (Problem(error.message),)
        return ()

    def _request(
        self, principal: Principal | None, path: GoldenPath, item: TriggerView, values: Mapping[str, Any]
    ) -> RunRequest:
        about = item.subjects[0] if item.subjects and path.attach_to else None
        return self._paths.request(
            path, values, {}, principal=principal, entity_ref=about, expressions=item.kind == "event"
        )

    def plan(self, principal: Principal, ident: str, values: Mapping[str, Any]) -> Plan | None:
        """What its runs would do with the golden path as it is now; None where only an event tells.

        Raises Invalid for answers that do not fit it any more.
        """
        item, path = self._moving(principal, ident)
        request = self._request(principal, path, item, values)
        return self._gateway.plan(request, principal) if item.kind == "schedule" else None

    def use(self, principal: Principal, ident: str, values: Mapping[str, Any]) -> TriggerView:
        """Let it run the golden path as it is now, with these answers. Raises Invalid, Denied."""
        item, path = self._moving(principal, ident)
        request = self._request(principal, path, item, values)
        changed = self._gateway.change_trigger(ident, TriggerChange(request=request), principal)
        detail = {"schedule": ident, "version": path.version, "before": item.template_version}
        self._audit.record(principal, WRITE, path.ref, detail=detail)
        return changed

    def _moving(self, principal: Principal, ident: str) -> tuple[TriggerView, GoldenPath]:
        item = self._gateway.get_trigger(ident, principal)
        path = self._path_of(item)
        if path is None:
            raise NotFound(
                "schedules.no_template",
                f"What {item.title} runs is in the catalog no more.",
                hint="It goes on running what it was made with. Make a new one of another golden path.",
            )
        self._access.check(principal, WRITE, resource=path.ref)
        return item, path

    def _path_of(self, item: TriggerView) -> GoldenPath | None:
        """The golden path of a trigger as it is now; None when it is gone, or was never in the catalog."""
        if item.template_ref is None:
            return None
        ref = parse_ref(item.template_ref)
        try:
            return self._paths.get(ref.namespace, ref.name)
        except NotFound:
            return None
