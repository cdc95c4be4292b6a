"""Puts the parts of the slice together: the only place that knows all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.foundation.vault import VaultService
from flagstone.kernel.clock import Now, utc_now
from flagstone.platform.environments import EnvironmentService
from flagstone.platform.resources.ports import ResourceRegistry
from flagstone.platform.resources.service.definitions import Definitions
from flagstone.platform.resources.service.driving import Driving
from flagstone.platform.resources.service.providing import ResourceProvider
from flagstone.platform.resources.service.recorder import Recorder
from flagstone.platform.resources.service.resources import ResourceService, Tools
from flagstone.platform.resources.service.turns import Turns
from flagstone.platform.resources.settings import ResourcesSettings
from flagstone.platform.resources.store import ResourceStore
from flagstone.toolkit.db import Database
from flagstone.toolkit.signals import Signals


@dataclass(frozen=True, slots=True)
class Collaborators:
    """What the slice needs from others."""

    db: Database
    environments: EnvironmentService
    vault: VaultService
    access: AccessService
    audit: PlatformAudit
    events: PlatformEvents
    signals: Signals
    settings: ResourcesSettings
    data: Path
    """The data folder."""
    now: Now = utc_now


@dataclass(frozen=True, slots=True)
class Parts:
    """What others use of the slice."""

    service: ResourceService
    provider: ResourceProvider
    registry: ResourceRegistry
    definitions: Definitions


def assemble(given: Collaborators) -> Parts:
    """Build everything. ``definitions.seal`` is called once the registry is full."""
    store = ResourceStore(given.db)
    registry = ResourceRegistry(given.data / "resources")
    definitions = Definitions(registry, given.settings)
    driving = Driving(registry, definitions, given.vault)
    recorder = Recorder(store, events=given.events, audit=given.audit, signals=given.signals, now=given.now)
    service = ResourceService(
        Tools(
            registry=registry,
            definitions=definitions,
            driving=driving,
            recorder=recorder,
            turns=Turns(store, given.signals, wait=given.settings.lock_wait),
            environments=given.environments,
            access=given.access,
        )
    )
    return Parts(service, ResourceProvider(store, driving, registry), registry, definitions)
