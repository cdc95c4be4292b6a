"""The slice registers itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.platform.approvals import api
from flagstone.platform.approvals.actions import WaitForApproval
from flagstone.platform.approvals.jobs import SettleJob
from flagstone.platform.approvals.permissions import PERMISSIONS
from flagstone.platform.approvals.service import ApprovalService, Desk, Settler
from flagstone.platform.approvals.settings import ApprovalsSettings
from flagstone.platform.approvals.store import ApprovalStore
from flagstone.platform.runs import RunService, WaitService
from flagstone.platform.workflows import WorkflowService
from flagstone.sdk import Action, Deps, Slice, hookimpl
from flagstone.toolkit.db import PlatformDatabase


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Provide the service and what asks."""
    store = ApprovalStore(deps.get(PlatformDatabase))
    audit, events = deps.get(PlatformAudit), deps.get(PlatformEvents)
    runs, waiting = deps.get(RunService), deps.get(WaitService)
    service = ApprovalService(store, waiting, access=deps.get(AccessService), audit=audit, events=events)
    deps.provide(service)
    deps.provide(Desk(store, runs, deps.get(WorkflowService), audit=audit, events=events))
    settings = deps.settings("approvals", ApprovalsSettings)
    job = SettleJob(events, Settler(store, runs, waiting), settings.keep_plans_days)
    return Slice(
        "approvals",
        room="platform",
        routers=[api.router(service)],
        permissions=PERMISSIONS,
        migrations=Path(__file__).parent / "migrations",
        start=job.start,
        stop=job.stop,
    )


@hookimpl
def flagstone_register_actions(deps: Deps) -> Iterable[Action]:
    """The step that waits."""
    return [WaitForApproval(deps.get(Desk))]
