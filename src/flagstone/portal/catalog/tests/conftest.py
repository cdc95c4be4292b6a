"""A catalog with everything real: database, foundation, files on disk, pages."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flagstone.builtin.kinds import BACKSTAGE_KINDS
from flagstone.builtin.sources import FileSource, HostedSource, UrlSource
from flagstone.contracts.gateway import NoPlatform
from flagstone.kernel.actor import system
from flagstone.kernel.clock import utc_now
from flagstone.portal.catalog import api, web
from flagstone.portal.catalog.api import insight as insight_api
from flagstone.portal.catalog.model.kinds import KindRegistry
from flagstone.portal.catalog.permissions import PERMISSIONS
from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.portal.catalog.service.ingest import IngestService
from flagstone.portal.catalog.service.insight import InsightService
from flagstone.portal.catalog.service.locations import LocationService
from flagstone.portal.catalog.service.moments import MomentService
from flagstone.portal.catalog.service.records import RecordService, StarService
from flagstone.portal.catalog.service.views import ViewService
from flagstone.portal.catalog.settings import CatalogSettings
from flagstone.portal.catalog.store import CatalogStore, InsightStore, MomentStore, ViewStore
from flagstone.portal.catalog.web.all_cards import all_cards
from flagstone.portal.catalog.web.cards import CardRegistry
from flagstone.sdk import SourceContext
from flagstone.testing.client import Client
from flagstone.testing.foundation import Foundation
from flagstone.toolkit.web.pages import Pages

CATALOG = Path(__file__).parent.parent
ACME = Path(__file__).parents[5] / "examples" / "acme"
SYSTEM = system("test")


class World:
    """The services over one database, and a folder of entity files."""

    def __init__(self, database: Any, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        own = {"catalog": CATALOG / "migrations"}
        self.foundation = Foundation(database, permissions=PERMISSIONS, migrations=own)
        self.gateway: Any = NoPlatform()
        self.settings = CatalogSettings()
        self.store = CatalogStore(database)
        self.kinds = KindRegistry(BACKSTAGE_KINDS)
        self.fetched: Callable[..., Any] = _nothing
        self.now = utc_now
        self.ctx = SourceContext(
            allowed_roots=[str(folder), str(ACME)],
            fetch=self._fetch,
            read_repository_file=lambda name, path, commit: self.gateway.repository_file(
                name, path, SYSTEM, commit=commit
            ),
            list_repository_tree=lambda name, commit: self.gateway.repository_tree(name, SYSTEM, commit=commit),
            repository_head=lambda name: self.gateway.get_repository(name, SYSTEM).head,
        )
        sources = [FileSource(), HostedSource(), UrlSource()]
        self.ingest = IngestService(self.store, self.kinds, sources, self.ctx, self.settings, now=self.clock)
        access, audit = self.foundation.access, self.foundation.audit
        self.catalog = CatalogService(self.store, self.kinds)
        self.locations = LocationService(self.store, self.ingest, access, audit, now=self.clock)
        self.records = RecordService(self.store, self.catalog, self.ingest, access)
        self.stars = StarService(self.store)
        insight = InsightStore(database)
        self.insight = InsightService(self.store, insight, self.catalog, self.records, self.locations, now=self.clock)
        self.views = ViewService(ViewStore(database))
        self.moments = MomentService(MomentStore(database))
        access.add_membership_source(self.catalog.groups_of)

    def clock(self) -> Any:
        """What the services take for the time."""
        return self.now()

    def _fetch(self, *arguments: Any, **options: Any) -> Any:
        return self.fetched(*arguments, **options)

    def write(self, path: str, text: str) -> Path:
        """A file of the folder."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        return file

    def add(self, target: str = "", type_: str = "file", **options: Any) -> Any:
        """A location that is read at once with all it leads to."""
        if type_ == "file":
            target = str(self.folder / target) if target else str(self.folder)
        location, _ = self.store.locations.add(
            type_, target, origin=options.get("origin", "settings"), actor="test", now=utc_now()
        )
        self.ingest.refresh_tree(location.id)
        return self.store.locations.get(location.id)

    def read(self, location: Any, **options: Any) -> Any:
        """Read a location with all it leads to again."""
        return self.ingest.refresh_tree(location.id, **options)

    def refs(self) -> list[str]:
        """Every ref there is."""
        from flagstone.portal.catalog import CatalogQuery

        return sorted(row.ref for row in self.catalog.list(CatalogQuery(limit=500)).items)

    def problems(self) -> list[Any]:
        """Every problem, oldest first."""
        return list(reversed(self.records.problems(limit=500).items))

    def browser(self) -> tuple[Client, Any]:
        """A developer's client over the real routes, and everybody with tokens."""
        pages = Pages("Flagstone", {"catalog": CATALOG / "templates" / "catalog"})
        cards = CardRegistry(pages)
        for card in all_cards(self.catalog, self.records, self.insight):
            cards.add(card, "catalog")
        self.cards = cards
        services = web.Services(
            self.catalog,
            self.records,
            self.stars,
            self.locations,
            self.foundation.access,
            cards,
            pages,
            self.insight,
            self.views,
            self.moments,
        )
        own = api.router(self.catalog, self.records, self.locations, self.stars)
        routers = [own, insight_api.router(self.insight, self.views, self.moments), web.router(services)]
        self.app = self.foundation.app(*routers)
        everybody = self.foundation.people()
        return Client(self.app, headers=everybody.developer.headers), everybody


def _nothing(*_arguments: Any, **_options: Any) -> Any:
    raise AssertionError("nothing is fetched here")


@pytest.fixture
def world(database, tmp_path):
    return World(database, tmp_path / "files")


@pytest.fixture
def small(sqlite_database, tmp_path):
    """The same on SQLite only, for what does not depend on the database."""
    return World(sqlite_database, tmp_path / "files")


COMPONENT = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {name}
spec:
  type: service
  lifecycle: production
  owner: {owner}
"""


@pytest.fixture
def component():
    """The text of a valid component."""
    return lambda name, owner="payments", extra="": (
        COMPONENT.format(name=name, owner=owner).lstrip("\n") + textwrap.indent(textwrap.dedent(extra), "  ")
    )
