"""Gathers what the admin pages show."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path
from typing import Any

from flagstone import __version__
from flagstone.contracts.gateway import GatewayInfo, RunGateway
from flagstone.foundation.access import AccessService, census
from flagstone.kernel.errors import FlagstoneError
from flagstone.portal.admin.model import DatabaseRow, OperationGroup, PluginRow, operation_groups
from flagstone.sdk import Permission
from flagstone.toolkit.db import Database
from flagstone.toolkit.plugins import PluginHost
from flagstone.toolkit.settings import Explained, Settings
from flagstone.toolkit.settings.server import ServerSettings


class AdminService:
    """Reads only."""

    def __init__(
        self,
        *,
        settings: Settings,
        server: ServerSettings,
        host: PluginHost,
        access: AccessService,
        gateway: RunGateway,
        databases: dict[str, Database],
    ) -> None:
        self._settings = settings
        self._server = server
        self._host = host
        self._access = access
        self._gateway = gateway
        self._databases = databases

    def facts(self) -> list[tuple[str, str]]:
        """Labelled facts about the installation."""
        folder = Path(self._server.data_dir).expanduser().resolve()
        free = shutil.disk_usage(folder if folder.exists() else folder.parent).free
        return [
            ("Version", __version__),
            ("Python", f"{platform.python_version()} on {sys.platform}"),
            ("Data folder", str(folder)),
            ("Free disk space", f"{free / 1e9:.1f} GB"),
            ("Log format", self._server.log_format),
        ]

    def gateway(self) -> GatewayInfo:
        """What is behind the door."""
        return self._gateway.info()

    def databases(self) -> list[DatabaseRow]:
        """Each database and whether it answers."""
        return [self._database(name, db) for name, db in self._databases.items()]

    def plugins(self) -> list[PluginRow]:
        """Every plugin, what it brings, and what failed; failures first."""
        failures: dict[str, list[str]] = {}
        for failure in self._host.failures:
            failures.setdefault(failure.plugin, []).append(f"{failure.hook}: {failure.error}")
        own = dict(self._host.names())
        names = [*own, *(name for name in failures if name not in own)]
        rows = [
            PluginRow(name, own.get(name, False), self._contributions(name), tuple(failures.get(name, ())))
            for name in names
        ]
        return sorted(rows, key=lambda row: (not row.failures, row.own, row.name))

    def permissions(self) -> list[Permission]:
        """All permissions by name."""
        return sorted(self._access.permissions(), key=lambda item: item.name)

    def settings(self) -> list[Explained]:
        """Every setting."""
        return self._settings.explain()

    def operations(self, asgi: Any) -> tuple[OperationGroup, ...]:
        """The API reference of the running application."""
        needed = {
            (guard.path, method): guard.permission
            for guard in census(asgi)
            for method in guard.methods
            if guard.permission is not None
        }
        return operation_groups(asgi.openapi(), needed)

    def _contributions(self, name: str) -> tuple[str, ...]:
        plugin = self._host.manager.get_plugin(name)
        if plugin is None:
            return ()
        callers = self._host.manager.get_hookcallers(plugin) or []
        return tuple(sorted(caller.name.removeprefix("flagstone_register_").replace("_", " ") for caller in callers))

    def _database(self, name: str, db: Database) -> DatabaseRow:
        backend = "SQLite" if db.is_sqlite else "PostgreSQL"
        where = db.url.render_as_string(hide_password=True).partition("://")[2]
        try:
            db.ping()
        except FlagstoneError as error:
            return DatabaseRow(name, backend, where, "down", error.message)
        return DatabaseRow(name, backend, where, "healthy", "answers")
