"""The slice registers itself."""

from __future__ import annotations

from pathlib import Path

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.foundation.identity import IdentityService, Makers
from flagstone.foundation.vault import VaultService
from flagstone.platform.batches import api
from flagstone.platform.batches.jobs import TOPIC, BatchJob
from flagstone.platform.batches.permissions import PERMISSIONS
from flagstone.platform.batches.service import BatchSecrets, BatchService, Driver
from flagstone.platform.batches.settings import BatchesSettings
from flagstone.platform.batches.store import BatchStore
from flagstone.platform.runs import RunService
from flagstone.platform.workflows import WorkflowService
from flagstone.sdk import Deps, Slice, hookimpl
from flagstone.toolkit.db import PlatformDatabase
from flagstone.toolkit.signals import Signals


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Provide the service and what drives batches."""
    store = BatchStore(deps.get(PlatformDatabase))
    audit, events, signals = deps.get(PlatformAudit), deps.get(PlatformEvents), deps.get(Signals)
    workflows, makers = deps.get(WorkflowService), Makers(deps.find(IdentityService))
    secrets = BatchSecrets(deps.get(VaultService), deps.settings("batches", BatchesSettings))
    driver = Driver(store, workflows, deps.get(RunService), makers, secrets, events=events, audit=audit)
    service = BatchService(
        store,
        workflows,
        makers,
        secrets,
        access=deps.get(AccessService),
        audit=audit,
        events=events,
        wake=lambda: signals.notify(TOPIC),
    )
    deps.provide(service)
    job = BatchJob(events, driver, signals)
    return Slice(
        "batches",
        room="platform",
        routers=[api.router(service)],
        permissions=PERMISSIONS,
        migrations=Path(__file__).parent / "migrations",
        start=job.start,
        stop=job.stop,
    )
