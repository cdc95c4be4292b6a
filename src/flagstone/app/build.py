"""Builds the application out of settings, plugins and slices."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flagstone.app import slices as lists
from flagstone.app.databases import migrate_all, open_databases
from flagstone.app.registries import choose_gateway, fill_registries
from flagstone.app.rooms import Rooms
from flagstone.app.web import make_asgi
from flagstone.contracts.gateway import RunGateway
from flagstone.contracts.settings import GatewaySettings
from flagstone.sdk import PROJECT, ProcessHost, Slice, hooks
from flagstone.toolkit.db import Database
from flagstone.toolkit.plugins import Container, PluginHost
from flagstone.toolkit.process import LocalProcessHost
from flagstone.toolkit.settings import Settings
from flagstone.toolkit.settings.server import DatabaseSettings, ServerSettings
from flagstone.toolkit.settings.sources import SourcesSettings
from flagstone.toolkit.signals import Signals
from flagstone.toolkit.web.pages import Pages

log = logging.getLogger("flagstone")


@dataclass
class Application:
    """A built process: nothing runs before :meth:`start`."""

    settings: Settings
    server: ServerSettings
    rooms: Rooms
    deps: Container
    plugins: PluginHost
    slices: list[Slice]
    databases: list[Database]
    asgi: Any = None
    started: list[Slice] = field(default_factory=list)
    closing: list[Callable[[], None]] = field(default_factory=list)
    """What to close after the slices have stopped."""

    def migrate(self) -> bool:
        """Bring the schemas up to date."""
        return migrate_all(self.databases, self.slices)

    def claim(self) -> None:
        """Take what one process at a time may have. Raises Conflict when another has it; then nothing was started."""
        for item in self.slices:
            if item.claim is not None:
                item.claim()

    def start(self, *, worker: bool = False) -> None:
        """Start the slices in order; those that executing runs needs in a process that does nothing else."""
        for item in self.slices:
            if worker and not item.in_workers:
                continue
            if item.start is not None:
                item.start()
            self.started.append(item)

    def waiting_for(self) -> list[str]:
        """What is not ready yet, in words; empty when the process can serve."""
        if len(self.started) < len(self.slices):
            return ["the server is starting"]
        return [reason for item in self.slices if item.ready is not None and (reason := item.ready())]

    def stop(self) -> None:
        """Stop in reverse order; one that fails does not keep the others from stopping."""
        self.deps.get(Signals).close()
        while self.started:
            item = self.started.pop()
            if item.stop is None:
                continue
            try:
                item.stop()
            except Exception:
                log.exception("stopping %s failed", item.name)
        while self.closing:
            self.closing.pop()()
        for database in self.databases:
            database.close()


def plugin_modules(rooms: Rooms) -> Iterator[tuple[str, str]]:
    """(plugin name, module) of everything of ours that the rooms need, in order."""
    groups: list[tuple[str, tuple[str, ...]]] = []
    if rooms != "platform":
        groups.append(("builtin", lists.BUILTIN_PORTAL))
    if rooms != "portal":
        groups.append(("builtin", lists.BUILTIN_PLATFORM))
    groups.append(("foundation", lists.FOUNDATION))
    if rooms != "portal":
        groups.append(("platform", lists.PLATFORM))
    if rooms != "platform":
        groups.append(("portal", lists.PORTAL))
    for package, names in groups:
        for name in names:
            yield f"{package}.{name}", f"flagstone.{package}.{name}.plugin"


def build(
    settings: Settings, rooms: Rooms = "both", *, discover: bool = True, plugins: dict[str, object] | None = None
) -> Application:
    """Put the process together. Raises Invalid for anything wrong in the settings.

    ``plugins`` adds plugin objects by name, as tests do.
    """
    server = settings.section("server", ServerSettings)
    data = Path(server.data_dir).expanduser().resolve()
    host = PluginHost(PROJECT, hooks)
    for name, module in plugin_modules(rooms):
        host.add(name, importlib.import_module(module))
    if discover:
        host.discover()
    for name, plugin in (plugins or {}).items():
        host.add(name, plugin, own=False)
    deps = Container(settings.section)
    settings.section("sources", SourcesSettings)
    settings.section("platform", GatewaySettings)
    deps.provide(settings)
    deps.provide(server)
    deps.provide(host)
    deps.provide(Signals())
    deps.provide(Pages(server.product, {}))
    databases = open_databases(deps, rooms, data, settings.section("database", DatabaseSettings))
    app = Application(settings, server, rooms, deps, host, [], databases)
    if rooms != "portal":
        processes = LocalProcessHost(data / "runtime" / "processes")
        deps.provide(processes, as_=ProcessHost)
        app.closing.append(processes.close)
    deps.provide(app)
    own = [name for name, _ in plugin_modules(rooms)]
    behind_the_door = [name for name in own if not name.startswith("portal.")]
    app.slices += [item.value for item in host.call("flagstone_register_slice", only=behind_the_door, deps=deps)]
    if rooms != "platform":
        deps.provide(choose_gateway(host, deps), as_=RunGateway)
    others = [name for name, _ in host.names() if name not in behind_the_door]
    app.slices += [item.value for item in host.call("flagstone_register_slice", only=others, deps=deps)]
    fill_registries(host, deps, app.slices)
    settings.check_unknown((*lists.FOUNDATION, *lists.PLATFORM, *lists.PORTAL))
    app.asgi = make_asgi(app)
    return app
