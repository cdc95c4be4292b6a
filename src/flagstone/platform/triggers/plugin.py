"""The slice registers itself."""

from __future__ import annotations

from pathlib import Path

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.foundation.identity import IdentityService, Makers
from flagstone.platform.runs import RunService
from flagstone.platform.triggers import api
from flagstone.platform.triggers.jobs import TriggerJob
from flagstone.platform.triggers.permissions import PERMISSIONS
from flagstone.platform.triggers.service import Firing, TriggerService
from flagstone.platform.triggers.store import TriggerStore
from flagstone.platform.workflows import WorkflowService
from flagstone.sdk import Deps, Slice, hookimpl
from flagstone.toolkit.db import PlatformDatabase


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Provide the service and what starts runs."""
    store = TriggerStore(deps.get(PlatformDatabase))
    workflows = deps.get(WorkflowService)
    firing = Firing(store, workflows, deps.get(RunService), Makers(deps.find(IdentityService)))
    service = TriggerService(store, firing, workflows, deps.get(AccessService), deps.get(PlatformAudit))
    deps.provide(service)
    job = TriggerJob(deps.get(PlatformEvents), firing)
    return Slice(
        "triggers",
        room="platform",
        routers=[api.router(service)],
        permissions=PERMISSIONS,
        migrations=Path(__file__).parent / "migrations",
        start=job.start,
        stop=job.stop,
    )
