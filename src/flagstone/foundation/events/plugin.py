"""The slice registers itself."""

from __future__ import annotations

from pathlib import Path

from flagstone.foundation.events.service import PlatformEvents, PortalEvents
from flagstone.sdk import Deps, Slice, hookimpl
from flagstone.toolkit.db import PlatformDatabase, PortalDatabase
from flagstone.toolkit.signals import Signals


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Provide an outbox for each room that this process serves."""
    signals = deps.get(Signals)
    portal, platform = deps.find(PortalDatabase), deps.find(PlatformDatabase)
    if portal is not None:
        deps.provide(PortalEvents(portal, signals))
    if platform is not None:
        deps.provide(PlatformEvents(platform, signals))
    return Slice("events", room="foundation", migrations=Path(__file__).parent / "migrations", migrate="each")
