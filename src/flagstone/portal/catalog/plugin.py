"""The slice registers itself, and its own cards as any plugin would."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PortalAudit
from flagstone.foundation.events import PortalEvents
from flagstone.foundation.identity import IdentityService
from flagstone.foundation.notifications import Notifier
from flagstone.foundation.vault import VaultService
from flagstone.kernel.actor import Principal, system
from flagstone.kernel.errors import NotFound
from flagstone.portal.catalog import api, web
from flagstone.portal.catalog.api import backstage
from flagstone.portal.catalog.api import hints as hints_api
from flagstone.portal.catalog.api import insight as insight_api
from flagstone.portal.catalog.jobs import EventJob, RefreshJob
from flagstone.portal.catalog.model import CatalogQuery
from flagstone.portal.catalog.model.kinds import KindRegistry
from flagstone.portal.catalog.permissions import PERMISSIONS
from flagstone.portal.catalog.service.actors import Actors
from flagstone.portal.catalog.service.backstage import (
    BackstageLocations,
    BackstageReads,
    BackstageUnprocessed,
    BackstageValidation,
)
from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.portal.catalog.service.credentials import Credentials
from flagstone.portal.catalog.service.declared import DeclaredKinds, read_kinds
from flagstone.portal.catalog.service.hints import HintService
from flagstone.portal.catalog.service.ingest import IngestService
from flagstone.portal.catalog.service.insight import InsightService
from flagstone.portal.catalog.service.locations import LocationService
from flagstone.portal.catalog.service.moments import MomentService
from flagstone.portal.catalog.service.parsing import start_worker
from flagstone.portal.catalog.service.records import RecordService, StarService
from flagstone.portal.catalog.service.views import ViewService
from flagstone.portal.catalog.settings import CatalogSettings
from flagstone.portal.catalog.store import CatalogStore, InsightStore, MomentStore, ViewStore
from flagstone.portal.catalog.web.all_cards import all_cards
from flagstone.portal.catalog.web.cards import CardRegistry
from flagstone.portal.catalog.web.declared_cards import declared_cards
from flagstone.sdk import Deps, NavItem, PaletteEntry, Slice, SourceContext, UICard, hookimpl
from flagstone.toolkit.db import PortalDatabase
from flagstone.toolkit.git import GitEnvironment, RemoteRepositories
from flagstone.toolkit.http import AllowedHost, Fetcher
from flagstone.toolkit.settings.server import ServerSettings
from flagstone.toolkit.settings.sources import SourcesSettings
from flagstone.toolkit.web.icons import icon_name
from flagstone.toolkit.web.pages import Pages
from flagstone.toolkit.workers import WorkerPool

_FOLDER = Path(__file__).parent


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build the slice."""
    settings = deps.settings("catalog", CatalogSettings)
    gateway = deps.get(RunGateway)  # type: ignore[type-abstract]
    access, audit = deps.get(AccessService), deps.get(PortalAudit)
    reading = deps.settings("sources", SourcesSettings)
    fetcher = Fetcher([AllowedHost.parse(host) for host in reading.hosts], setting="sources.allowed_hosts")
    store, kinds = CatalogStore(deps.get(PortalDatabase)), KindRegistry()
    declared = DeclaredKinds(read_kinds([*settings.kinds, *settings.extra_kinds]))
    deps.provide(declared)
    pool = WorkerPool(start_worker)
    known = Credentials(reading.credentials, deps.get(VaultService))
    cache = Path(deps.settings("server", ServerSettings).data_dir).expanduser().resolve() / "git-cache"
    git = RemoteRepositories(cache, GitEnvironment(cache / ".home"), fetcher, known.of_git)
    context = source_context(gateway, settings, reading, fetcher, git, known)
    ingest = IngestService(store, kinds, (), context, settings, pool=pool)
    catalog = CatalogService(store, kinds)
    locations = LocationService(store, ingest, access, audit, readonly=settings.readonly)
    actors = Actors(_account_names(deps.get(IdentityService)))
    records, stars = RecordService(store, catalog, ingest, access, actors), StarService(store)
    insight = InsightService(
        store,
        InsightStore(store.db),
        catalog,
        records,
        locations,
        tombstone_days=settings.tombstone_days,
        actors=actors,
    )
    views, moments = ViewService(ViewStore(store.db)), MomentService(MomentStore(store.db), actors)
    cards = CardRegistry(deps.get(Pages))
    access.add_membership_source(catalog.groups_of)
    deps.get(Notifier).people.add_directory(partial(email_of, catalog))
    for service in (catalog, locations, records, stars, ingest, insight, views, moments, cards):
        deps.provide(service)
    refresh = RefreshJob(ingest, lambda: locations.use_settings([*settings.locations, *settings.extra_locations]))
    events = EventJob(gateway, deps.get(PortalEvents), ingest, locations, refresh.wake)

    compatible = backstage.router(
        backstage.BackstageServices(
            BackstageReads(store),
            BackstageLocations(store, ingest, locations, access, audit, refresh.wake),
            BackstageValidation(ingest, access),
            BackstageUnprocessed(store, access, audit),
        )
    )

    def start() -> None:
        refresh.start()
        events.start()

    def stop() -> None:
        events.stop()
        ingest.stop()
        refresh.stop()
        fetcher.close()

    pages = web.Services(catalog, records, stars, locations, access, cards, deps.get(Pages), insight, views, moments)
    return Slice(
        "catalog",
        room="portal",
        routers=[
            compatible,
            api.router(catalog, records, locations, stars),
            insight_api.router(insight, views, moments),
            hints_api.router(HintService(ingest, deps.get(VaultService), settings.webhook_secrets, refresh.wake)),
            web.router(pages),
        ],
        middleware=[backstage.direct(compatible)],
        errors={backstage.PREFIX: backstage.error_response},
        permissions=PERMISSIONS,
        nav=_navigation(records),
        templates=_FOLDER / "templates",
        migrations=_FOLDER / "migrations",
        palette=lambda text, _principal, limit: palette(catalog, text, limit),
        start=start,
        ready=lambda: None if refresh.prepared and not ingest.never_read() else "the catalog is being read",
        stop=stop,
        sealed=lambda: declared.add_to(kinds),
        collects={
            "flagstone_register_entity_kinds": kinds.add,
            "flagstone_register_entity_sources": ingest.add_source,
            "flagstone_register_ui_cards": cards.add,
        },
    )


@hookimpl
def flagstone_register_ui_cards(deps: Deps) -> Iterable[UICard]:
    """Our own cards."""
    catalog = deps.get(CatalogService)
    return [
        *all_cards(catalog, deps.get(RecordService), deps.get(InsightService)),
        *declared_cards(catalog, deps.get(DeclaredKinds).kinds),
    ]


def source_context(
    gateway: RunGateway,
    settings: CatalogSettings,
    reading: SourcesSettings,
    fetcher: Fetcher,
    git: RemoteRepositories,
    known: Credentials,
) -> SourceContext:
    """What sources may use: the allowed folders and hosts, and the hosted repositories behind the gateway."""
    reader: Principal = system("catalog")
    return SourceContext(
        allowed_roots=reading.folders,
        fetch=fetcher.fetch,
        read_repository_file=lambda name, path, commit: gateway.repository_file(name, path, reader, commit=commit),
        list_repository_tree=lambda name, commit: gateway.repository_tree(name, reader, commit=commit),
        repository_head=lambda name: gateway.get_repository(name, reader).head,
        options={"max_file_bytes": settings.max_file_bytes},
        git=git,
        headers=known.headers,
    )


def _navigation(records: RecordService) -> list[NavItem]:
    """The catalog, and its problems with their number."""
    return [
        NavItem("catalog", "Catalog", "/catalog", "library", "", 10, "catalog.entity.read"),
        NavItem(
            "catalog-problems",
            "Problems",
            "/catalog/problems",
            "triangle-alert",
            "Improve",
            30,
            "catalog.location.read",
            lambda _principal: records.count_problems() or None,
        ),
    ]


def _account_names(identity: IdentityService) -> Callable[[str], str | None]:
    def name(account: str) -> str | None:
        try:
            return identity.accounts.by_id(account).display_name
        except NotFound:
            return None

    return name


def palette(catalog: CatalogService, text: str, limit: int) -> list[PaletteEntry]:
    """Entities for the command palette."""
    rows = (
        catalog.options((), text, limit)
        if text
        else catalog.list(CatalogQuery(sort="updated", descending=True, limit=limit)).items
    )
    return [
        PaletteEntry(
            row.title,
            f"/catalog/{row.path}",
            "Entities",
            icon_name(row.kind, row.type),
            f"{catalog.kinds.label(row.kind)}{f' · {row.type}' if row.type else ''}",
        )
        for row in rows
        if row.kind != "template"
    ]


def email_of(catalog: CatalogService, ref: str) -> str | None:
    """The address that the catalog gives for a user."""
    found = catalog.find(ref)
    profile = found.spec.get("profile") if found is not None else None
    email = profile.get("email") if isinstance(profile, dict) else None
    return email if isinstance(email, str) and "@" in email else None
