"""A hosting on both databases, with real git."""

from __future__ import annotations

from pathlib import Path

import pytest

import flagstone.foundation.audit as audit_slice
import flagstone.foundation.events as events_slice
import flagstone.platform.repositories as slice_
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.kernel.actor import Principal
from flagstone.platform.repositories import PERMISSIONS, RepositoryService
from flagstone.platform.repositories.ports import RepositoryFolders
from flagstone.platform.repositories.service import ChangeService, Pushes
from flagstone.platform.repositories.store import ChangeStore, RepositoryStore
from flagstone.testing.databases import migrated

MIGRATIONS = Path(slice_.__file__).parent / "migrations"


def person(name, role, *groups):
    return Principal("user", f"user:{name}", name.title(), role, f"user:default/{name}", frozenset(groups))


ADA = person("ada", "developer", "group:default/payments")
VIC = person("vic", "viewer")
MAX = person("max", "maintainer")


class Hosting:
    """The service and what stands around it."""

    def __init__(self, database, root):
        self.db = migrated(
            database,
            repositories=MIGRATIONS,
            audit=Path(audit_slice.__file__).parent / "migrations",
            events=Path(events_slice.__file__).parent / "migrations",
        )
        self.audit = PlatformAudit(self.db)
        self.access = AccessService(self.audit)
        self.access.register(PERMISSIONS)
        self.events = PlatformEvents(self.db)
        self.root = root
        self.restart()

    def restart(self):
        """A new service over the same data, as after a restart of the server."""
        self.folders = RepositoryFolders(self.root)
        self.service = RepositoryService(
            RepositoryStore(self.db),
            self.folders,
            access=self.access,
            audit=self.audit,
            events=self.events,
            base_url=lambda: "http://flagstone.example",
        )
        self.pushes = Pushes(RepositoryStore(self.db), self.folders, audit=self.audit, events=self.events)
        self.changes = ChangeService(
            RepositoryStore(self.db),
            ChangeStore(self.db),
            self.folders,
            self.pushes,
            access=self.access,
            audit=self.audit,
            events=self.events,
            base_url=lambda: "http://flagstone.example",
        )

    def heard(self, type_="repository.pushed"):
        return [event for event in self.events.read() if event.type == type_]


@pytest.fixture
def hosting(database, tmp_path):
    return Hosting(database, tmp_path / "repositories")


@pytest.fixture
def service(hosting):
    return hosting.service
