"""What the pages of one entity show: overview, relations, docs, source, history. Their addresses are in ``entity``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import urlencode

from fastapi import Request
from markupsafe import Markup

from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import NotFound
from flagstone.portal.catalog.model import CatalogProblem, Change, Entity, Location, RelatedEntity
from flagstone.portal.catalog.model.formats import is_safe_link
from flagstone.portal.catalog.service.catalog import CatalogService, Direction
from flagstone.portal.catalog.service.insight import InsightService
from flagstone.portal.catalog.service.locations import LocationService
from flagstone.portal.catalog.service.moments import moment_of
from flagstone.portal.catalog.service.records import RecordService, StarService
from flagstone.portal.catalog.web.cards import CardRegistry, ShownCard
from flagstone.portal.catalog.web.drawing import draw
from flagstone.portal.catalog.web.moments import (
    Comparison,
    MomentPage,
    Owning,
    RemovedPage,
    compare,
    difference,
    owning,
    plain,
)
from flagstone.portal.catalog.web.readme import readme_html
from flagstone.portal.catalog.web.views import EntityLink, icon_of, link_of, links_of, tone_of
from flagstone.sdk import CardContext
from flagstone.toolkit.web.graph import GraphDrawing
from flagstone.toolkit.web.markdown import Heading

_MAX_NODES = 120
_MAX_ROWS = 300
_MANY = 60
_DIRECTIONS = ("both", "out", "in")
_WITH_README = frozenset({"component", "api", "resource", "system", "domain", "template"})


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above every page of an entity."""

    entity: Entity
    kind: str
    icon: str
    owner: EntityLink | None
    system: EntityLink | None
    tone: str
    starred: bool
    problems: Sequence[CatalogProblem]
    stale: Location | None
    tabs: Sequence[tuple[str, str, str]]
    actions: Sequence[ShownCard]
    may_refresh: bool
    edit_url: str | None


@dataclass(frozen=True, slots=True)
class OverviewPage:
    """Cards in two columns."""

    head: Head
    main: Sequence[ShownCard]
    side: Sequence[ShownCard]


@dataclass(frozen=True, slots=True)
class RelationsPage:
    """Graph and table."""

    head: Head
    drawing: GraphDrawing
    hidden: int
    alone: bool
    depth: int
    direction: str
    types: Sequence[tuple[str, str, int | None]]
    chosen: Sequence[str]
    kinds: Sequence[tuple[str, str, int | None]]
    chosen_kinds: Sequence[str]
    groups: Sequence[tuple[str, str, int, str]]
    total: int
    rows: Sequence[tuple[str, EntityLink, EntityLink | None]]


@dataclass(frozen=True, slots=True)
class DocsPage:
    """The README."""

    head: Head
    html: Markup
    headings: Sequence[Heading]
    file: str


@dataclass(frozen=True, slots=True)
class SourcePage:
    """The document and where it comes from."""

    head: Head
    text: str
    location: Location | None
    origin: Location | None
    may_unregister: bool


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Changes."""

    head: Head
    changes: Sequence[tuple[Change, Any, Owning | None]]
    more: str | None
    comparison: Comparison | None = None
    asked: bool = False


@dataclass(frozen=True, slots=True)
class StarPage:
    """The star after it was pressed."""

    entity: Entity
    starred: bool


class EntityViews:
    """Builds the pages of an entity."""

    def __init__(
        self,
        catalog: CatalogService,
        records: RecordService,
        stars: StarService,
        locations: LocationService,
        access: AccessService,
        cards: CardRegistry,
        insight: InsightService,
    ) -> None:
        self.records = records
        self.snapshot = catalog.snapshot
        self._insight = insight
        self._catalog = catalog
        self._stars = stars
        self._locations = locations
        self._access = access
        self._cards = cards

    def canonical(self, kind: str, namespace: str, name: str) -> str | None:
        """The address to go to instead: lower case, and the kind first where Backstage has the namespace first."""
        first, second = self._catalog.kinds.find(kind), self._catalog.kinds.find(namespace)
        if second is not None and (first is None or self._catalog.find(f"{kind}:{namespace}/{name}") is None):
            turned = self._catalog.find(f"{namespace}:{kind}/{name}")
            if turned is not None or first is None:
                return f"/catalog/{namespace}/{kind}/{name}".lower()
        path = f"/catalog/{kind}/{namespace}/{name}"
        return path.lower() if path != path.lower() else None

    def head(self, kind: str, namespace: str, name: str, principal: Principal, request: Request) -> Head:
        """What stands above every page. Raises NotFound."""
        entity = self._catalog.get(f"{kind}:{namespace}/{name}")
        links = links_of([entity.owner or "", entity.system or ""], self._catalog)
        problems = self.records.problems(entity_ref=entity.ref, limit=20).items
        location = self._locations.find(entity.source.location_id)
        edit = entity.annotations.get("backstage.io/edit-url") or entity.source.edit_url
        return Head(
            entity=entity,
            kind=entity.kind,
            icon=icon_of(entity.kind, entity.type, self._catalog.kinds),
            owner=links.get(entity.owner or ""),
            system=links.get(entity.system or ""),
            tone=tone_of(entity.lifecycle),
            starred=bool(self._stars.starred(principal, [entity.ref])),
            problems=problems,
            stale=location if location is not None and location.state == "failed" else None,
            tabs=self._tabs(entity),
            actions=self._cards.show("entity.actions", CardContext(principal, entity.data), request),
            may_refresh=self._access.decide(principal, "catalog.entity.refresh", owner=entity.owner).allowed,
            edit_url=edit if is_safe_link(edit) else None,
        )

    def overview(self, head: Head, principal: Principal, request: Request) -> OverviewPage:
        """The cards."""
        ctx = CardContext(principal, head.entity.data, dict(request.query_params))
        main, side = (self._cards.show(slot, ctx, request) for slot in ("entity.main", "entity.side"))
        return OverviewPage(head, main, side)

    def card(self, card_id: str, path: str, principal: Principal, request: Request) -> Markup:
        """One card by itself. Raises NotFound."""
        data: Mapping[str, Any] | None = None
        if path:
            data = self._catalog.get(path.replace("/", ":", 1)).data
        return self._cards.show_one(card_id, CardContext(principal, data), request)

    def relations(
        self, head: Head, depth: int, direction: str, types: Sequence[str], kinds: Sequence[str]
    ) -> RelationsPage:
        """Graph and table."""
        chosen = cast("Direction", direction if direction in _DIRECTIONS else "both")
        ref = head.entity.ref
        all_related = self._catalog.related(ref)
        names = sorted({item.type for item in all_related})
        wanted = [name for name in types if name in names]
        there = Counter(item.ref.partition(":")[0] for item in all_related)
        only = [kind for kind in kinds if kind in there]
        graph = self._catalog.graph(ref, depth=depth, types=wanted, direction=chosen, kinds=only, limit=_MAX_NODES)
        matching = [
            item
            for item in all_related
            if (not wanted or item.type in wanted) and (not only or item.ref.partition(":")[0] in only)
        ]
        shown = matching[:_MAX_ROWS]
        owners = links_of([item.row.owner or "" for item in shown if item.row is not None], self._catalog)
        rows = [
            (
                item.type,
                link_of(item.ref, item.row, self._catalog.kinds),
                owners.get(item.row.owner or "") if item.row is not None else None,
            )
            for item in shown
        ]
        return RelationsPage(
            head,
            draw(graph, self._catalog.kinds, label=f"Relations of {head.entity.title}"),
            graph.hidden,
            len(graph.refs) == 1,
            depth,
            chosen,
            [(name, name, sum(item.type == name for item in all_related)) for name in names],
            wanted,
            [(kind, self._catalog.kinds.label(kind), number) for kind, number in sorted(there.items())],
            only,
            self._groups(head, matching) if len(matching) > _MANY else [],
            len(matching),
            rows,
        )

    def _groups(self, head: Head, related: Sequence[RelatedEntity]) -> list[tuple[str, str, int, str]]:
        """(relation, kind, how many, address of just these): what many neighbours are, at a glance."""
        counted = Counter((item.type, item.ref.partition(":")[0]) for item in related)
        base = f"/catalog/{head.entity.path}/relations"
        return [
            (type_, self._catalog.kinds.label(kind), number, f"{base}?{urlencode({'type': type_, 'only': kind})}#table")
            for (type_, kind), number in counted.most_common()
        ]

    def docs(self, head: Head) -> DocsPage:
        """The README. Raises NotFound."""
        try:
            readme = self.records.readme(head.entity)
        except NotFound as error:
            raise NotFound(
                "catalog.no_docs",
                f"{head.entity.title} has no README.",
                hint=f"Put a README.md beside {head.entity.source.path}.",
            ) from error
        html, headings = readme_html(readme, head.entity)
        return DocsPage(head, html, headings, readme.path)

    def source(self, head: Head, principal: Principal) -> SourcePage:
        """The document and its location."""
        location = self._locations.find(head.entity.source.location_id)
        origin = self._locations.origin_of(location) if location is not None else None
        may = (
            origin is not None
            and origin.origin in ("user", "event")
            and self._access.possible(principal, "catalog.location.delete").allowed
        )
        return SourcePage(head, self.records.source_text(head.entity.ref), location, origin, may)

    def history(
        self, head: Head, cursor: str | None, *, start: str = "", end: str = "", split: bool = False
    ) -> HistoryPage:
        """Changes with their differences, and two moments beside each other."""
        page = self.records.history(head.entity.ref, cursor=cursor, limit=20)
        changes = [(change, difference(change.before, change.after), owning(change)) for change in page.items]
        more = f"/catalog/{head.entity.path}/history?cursor={page.next_cursor}" if page.next_cursor else None
        comparison = compare(self.records, head.entity.ref, start, end, split=split) if cursor is None else None
        return HistoryPage(head, changes, more, comparison, bool(start or end))

    def moment(self, head: Head, at: str) -> MomentPage:
        """The entity as of a moment. Raises Invalid."""
        moment = moment_of(at)
        found, change = self.records.at(head.entity.ref, moment)
        text = plain(found) if found is not None else None
        return MomentPage(head, moment, text, change, difference(found, head.entity.data))

    def removed(self, kind: str, namespace: str, name: str, principal: Principal) -> RemovedPage | None:
        """What is known of an entity that was removed lately; None when it never was, or long ago."""
        removed = self._insight.tombstone(f"{kind}:{namespace}/{name}")
        if removed is None:
            return None
        before = self.records.versions(removed.ref, 1)[0].before
        may = self._access.possible(principal, "catalog.location.create").allowed
        return RemovedPage(removed.ref, name, removed, plain(before) if before else "", may)

    def toggle_star(self, kind: str, namespace: str, name: str, principal: Principal) -> StarPage:
        """Star it, or take the star away."""
        entity = self._catalog.get(f"{kind}:{namespace}/{name}")
        if self._stars.starred(principal, [entity.ref]):
            self._stars.unstar(principal, entity.ref)
            return StarPage(entity, starred=False)
        self._stars.star(principal, entity.ref)
        return StarPage(entity, starred=True)

    def _tabs(self, entity: Entity) -> list[tuple[str, str, str]]:
        base = f"/catalog/{entity.path}"
        tabs = [("overview", "Overview", base), ("relations", "Relations", f"{base}/relations")]
        if entity.kind.lower() in _WITH_README and self.records.has_readme(entity):
            tabs.append(("docs", "Docs", f"{base}/docs"))
        return [*tabs, ("source", "Source", f"{base}/source"), ("history", "History", f"{base}/history")]
