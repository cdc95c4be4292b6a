"""The slice registers itself."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from flagstone.foundation.events.service import EventLog, PlatformEvents, PortalEvents
from flagstone.foundation.events.settings import EventsSettings
from flagstone.kernel.clock import utc_now
from flagstone.sdk import Deps, Slice, hookimpl
from flagstone.toolkit.db import PlatformDatabase, PortalDatabase
from flagstone.toolkit.schedule import Every
from flagstone.toolkit.signals import Signals


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Provide an outbox for each room that this process serves."""
    signals = deps.get(Signals)
    keep = timedelta(days=deps.settings("events", EventsSettings).keep_days)
    logs: list[EventLog] = []
    portal, platform = deps.find(PortalDatabase), deps.find(PlatformDatabase)
    if portal is not None:
        logs.append(PortalEvents(portal, signals))
    if platform is not None:
        logs.append(PlatformEvents(platform, signals))
    for log in logs:
        deps.provide(log)

    def prune() -> None:
        for log in logs:
            log.prune(utc_now() - keep)

    retention = Every("events-retention", 3600, prune)
    return Slice(
        "events",
        room="foundation",
        migrations=Path(__file__).parent / "migrations",
        migrate="each",
        start=retention.start,
        stop=retention.stop,
    )
