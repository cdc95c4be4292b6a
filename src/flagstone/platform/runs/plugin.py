"""The slice registers itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.foundation.vault import VaultService
from flagstone.kernel.errors import NotFound, Unavailable
from flagstone.platform.runs import api
from flagstone.platform.runs.permissions import PERMISSIONS
from flagstone.platform.runs.ports import HostedFiles
from flagstone.platform.runs.ports.dbos import DbosEngine
from flagstone.platform.runs.service import Sources, StepTools, Workspaces
from flagstone.platform.runs.service.assembly import Collaborators, assemble
from flagstone.platform.runs.settings import RunsSettings
from flagstone.sdk import ActionTools, Deps, Slice, hookimpl
from flagstone.toolkit.db import PlatformDatabase
from flagstone.toolkit.http import AllowedHost, Fetcher
from flagstone.toolkit.settings.server import DatabaseSettings, ServerSettings
from flagstone.toolkit.settings.sources import SourcesSettings
from flagstone.toolkit.signals import Signals


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Provide the service and the registry of actions."""
    settings = deps.settings("runs", RunsSettings)
    data = Path(deps.settings("server", ServerSettings).data_dir).expanduser().resolve()
    database = deps.settings("database", DatabaseSettings)
    url = database.engine_url.get_secret_value() or database.url.get_secret_value() or f"sqlite:///{data / 'engine.db'}"
    engine = DbosEngine(url, executor_id=settings.executor_id, concurrency=settings.concurrency, serves=settings.serves)
    reading = deps.settings("sources", SourcesSettings)
    others = Collaborators(
        db=deps.get(PlatformDatabase),
        access=deps.get(AccessService),
        audit=deps.get(PlatformAudit),
        events=deps.get(PlatformEvents),
        vault=deps.get(VaultService),
        signals=deps.get(Signals),
        # The git hosting is a slice that comes later, and a platform may go without.
        hosted=lambda: deps.find(HostedFiles),  # type: ignore[type-abstract]
        allowed_folders=reading.folders,
        fetch=_fetch(reading.hosts),
    )
    parts = assemble(others, engine, settings, data / "workspaces")
    deps.provide(parts.service)
    deps.provide(parts.waiting)
    deps.provide(parts.resolving)
    deps.provide(parts.registry)
    deps.provide(parts.sources, as_=Sources)
    deps.provide(parts.workspaces, as_=Workspaces)
    # The data folder holds the key of the vault, the home of the server's user whatever it may do elsewhere.
    tools = StepTools(hidden=(str(data), str(Path.home())), workspace_bytes=settings.workspace_bytes)
    deps.provide(tools, as_=ActionTools)
    return Slice(
        "runs",
        room="platform",
        routers=[api.router(parts)],
        permissions=PERMISSIONS,
        migrations=Path(__file__).parent / "migrations",
        collects={"flagstone_register_actions": parts.registry.add},
        sealed=parts.registry.freeze,
        in_workers=True,
        claim=parts.workers.claim,
        start=parts.start,
        stop=parts.stop,
    )


def _fetch(hosts: Sequence[str]) -> Callable[[str], bytes] | None:
    """Reads from the allowed hosts; None when there are none."""
    if not hosts:
        return None
    fetcher = Fetcher([AllowedHost.parse(host) for host in hosts], setting="sources.allowed_hosts")

    def fetch(url: str) -> bytes:
        found = fetcher.fetch(url)
        if found.status in (404, 410):
            raise NotFound("runs.no_source", f"There is nothing at {url}.", hint="Check the url of the step.")
        if found.status != 200:
            raise Unavailable("runs.source_failed", f"{url} answered with status {found.status}.")
        return found.body

    return fetch
