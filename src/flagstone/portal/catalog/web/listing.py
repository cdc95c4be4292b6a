"""The list of the catalog: all of its state is in the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, cast
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response

from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import NotFound
from flagstone.portal.catalog.model import SORT_FIELDS, CatalogQuery, EntityRow, FacetValue, SortField
from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.portal.catalog.service.records import StarService
from flagstone.portal.catalog.service.views import SavedView, ViewService
from flagstone.portal.catalog.web.views import EntityLink, icon_of, link_of, links_of, tone_of
from flagstone.sdk.guards import permit
from flagstone.toolkit.web.pages import Pages, is_fragment

_PAGE = 50
_OPTIONS = 20
_FILTERS = (("kind", "Kind"), ("owner", "Owner"), ("type", "Type"), ("lifecycle", "Lifecycle"), ("tag", "Tags"))
_FACET_NAMES = {"kind": "kinds", "owner": "owners", "type": "types", "lifecycle": "lifecycles", "tag": "tags"}
_WITH = "with"
"""Of the form: which menus have been opened."""
COLUMNS = (
    ("kind", "Kind"),
    ("type", "Type"),
    ("owner", "Owner"),
    ("system", "System"),
    ("lifecycle", "Lifecycle"),
    ("tags", "Tags"),
    ("description", "Description"),
    ("updated", "Changed"),
)
_DEFAULT_COLUMNS = ("kind", "owner", "system", "lifecycle", "tags", "updated")
Option = tuple[str, str, int | None]


@dataclass(frozen=True, slots=True)
class ListRow:
    """One line."""

    row: EntityRow
    icon: str
    kind: str
    owner: EntityLink | None
    system: EntityLink | None
    tone: str
    starred: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """One menu of the filter bar."""

    name: str
    label: str
    options: Sequence[Option]
    """All of them, or with ``href`` what is chosen."""
    chosen: Sequence[str]
    href: str | None = None
    """Where it asks for its options when it is opened: counting them takes longer than all the rest of the page."""

    @property
    def opened(self) -> bool:
        """Whether all options are here."""
        return self.href is None


@dataclass(frozen=True, slots=True)
class FacetPage:
    """The options of one menu."""

    facet: Facet


@dataclass(frozen=True, slots=True)
class ListPage:
    """The page."""

    view: str
    views: Sequence[Option]
    q: str
    sort: str
    facets: Sequence[Facet]
    chips: Sequence[tuple[str, str]]
    rows: Sequence[ListRow]
    count: int
    total: int
    more: str | None
    filtered: bool
    may_register: bool
    may_run: bool
    """Whether to offer a batch for what is listed: comfort, batches decide for themselves."""
    columns: Sequence[tuple[str, str]]
    all_columns: Sequence[Option]
    saved: Sequence[SavedView]
    own: str
    address: str
    all_menus: str = urlencode([(_WITH, name) for name, _ in _FILTERS])
    """What to add to the address for menus that are filled from the start."""


@dataclass(frozen=True, slots=True)
class MorePage:
    """Further rows."""

    rows: Sequence[ListRow]
    more: str | None
    columns: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class OptionsPage:
    """Answers of a picker."""

    options: Sequence[EntityLink]


def list_routes(
    routes: APIRouter,
    catalog: CatalogService,
    stars: StarService,
    views: ViewService,
    access: AccessService,
    pages: Pages,
) -> None:
    """``/catalog`` and what fields for entities ask."""
    listing = Listing(catalog, stars, views)

    @routes.get("/catalog")
    def page(request: Request, principal: Annotated[Principal, permit("catalog.entity.read")]) -> Response:
        asked = Asked.of(request)
        if asked.cursor is not None and is_fragment(request):
            return pages.render(request, "catalog/_more.html", listing.more(asked, principal))
        may_register = access.possible(principal, "catalog.location.create").allowed
        with catalog.snapshot():
            shown = listing.page(asked, principal, may_register=may_register)
        # The address is that of the list, whatever menus were opened.
        headers = {"HX-Push-Url": f"/catalog?{shown.address}"} if is_fragment(request) else {}
        return pages.render(request, "catalog/list.html", shown, fragment="catalog/_list.html", headers=headers)

    @routes.get("/catalog/_facet/{name}")
    def facet(request: Request, name: str, principal: Annotated[Principal, permit("catalog.entity.read")]) -> Response:
        with catalog.snapshot():
            found = listing.facet(Asked.of(request), name, principal)
        return pages.render(request, "catalog/_facet.html", FacetPage(found))

    def options(request: Request, kinds: Sequence[str], text: str) -> Response:
        wanted = [part for kind in kinds for part in kind.split(",")]
        rows = catalog.options(wanted, text[:100], _OPTIONS)
        links = [link_of(row.ref, row, catalog.kinds) for row in rows]
        return pages.render(request, "catalog/_options.html", OptionsPage(links))

    @routes.get("/catalog/_options", dependencies=[permit("catalog.entity.read")])
    def get_options(request: Request, q: str = "") -> Response:
        return options(request, request.query_params.getlist("kind"), q)

    @routes.post("/catalog/_options", dependencies=[permit("catalog.entity.read")])
    def post_options(request: Request, q: Annotated[str, Form()] = "", kind: Annotated[str, Form()] = "") -> Response:
        return options(request, [kind or request.query_params.get("kind", "")], q)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for."""

    view: str | None
    q: str
    sort: SortField
    descending: bool
    chosen: dict[str, tuple[str, ...]]
    cursor: str | None
    columns: tuple[str, ...] = _DEFAULT_COLUMNS
    menus: frozenset[str] = frozenset()

    @classmethod
    def of(cls, request: Request) -> Asked:
        """From the query string; what is not understood is left out."""
        params = request.query_params
        # The hidden field comes first, the button that was pressed last.
        sort = (params.getlist("sort") or ["name"])[-1]
        name = sort.removeprefix("-")
        known = name in SORT_FIELDS
        chosen = {key: tuple(v for v in dict.fromkeys(params.getlist(key)) if v) for key, _ in _FILTERS}
        view = params.get("view")
        return cls(
            view if view in ("all", "mine", "starred") else None,
            params.get("q", "").strip()[:200],
            cast("SortField", name) if known else "name",
            known and sort.startswith("-"),
            chosen,
            params.get("cursor") or None,
            tuple(name for name, _ in COLUMNS if name in params.getlist("cols")) or _DEFAULT_COLUMNS,
            frozenset(params.getlist(_WITH)),
        )

    @property
    def filtered(self) -> bool:
        """Whether anything narrows the list beside the view."""
        return bool(self.q or any(self.chosen.values()))

    @property
    def sort_text(self) -> str:
        """As in the address: ``-name``."""
        return ("-" if self.descending else "") + self.sort

    def query(self) -> CatalogQuery:
        """The query without the view."""
        return CatalogQuery(
            kinds=self.chosen["kind"],
            owners=self.chosen["owner"] or None,
            types=self.chosen["type"],
            lifecycles=self.chosen["lifecycle"],
            tags=self.chosen["tag"],
            text=self.q or None,
            sort=self.sort,
            descending=self.descending,
            cursor=self.cursor,
            limit=_PAGE,
        )

    def pairs(self, view: str) -> str:
        """This list as a query string."""
        pairs = [("view", view), ("q", self.q), ("sort", self.sort_text)]
        pairs += [(key, value) for key, values in self.chosen.items() for value in values]
        if self.columns != _DEFAULT_COLUMNS:
            pairs += [("cols", name) for name in self.columns]
        return urlencode([(k, v) for k, v in pairs if v])

    def address(self, view: str, cursor: str) -> str:
        """The address of the page after this one."""
        return f"/catalog?{self.pairs(view)}&{urlencode([('cursor', cursor)])}"

    @property
    def shown(self) -> list[tuple[str, str]]:
        """The chosen columns with their headings."""
        return [(name, label) for name, label in COLUMNS if name in self.columns]


class Listing:
    """Turns what is asked into a page."""

    def __init__(self, catalog: CatalogService, stars: StarService, views: ViewService) -> None:
        self._catalog = catalog
        self._views = views
        self._stars = stars

    def page(self, asked: Asked, principal: Principal, *, may_register: bool) -> ListPage:
        """The whole list page."""
        base = asked.query()
        counts = {name: self._catalog.count(viewed(base, name, principal)) for name in ("all", "mine", "starred")}
        view = asked.view or ("mine" if counts["mine"] and not asked.filtered else "all")
        query = viewed(base, view, principal)
        found = self._catalog.list(query)
        facets = self._facets(query, asked)
        labels = {(facet.name, value): label for facet in facets for value, label, _ in facet.options}
        chips = [(title, labels.get((key, value), value)) for key, title in _FILTERS for value in asked.chosen[key]]
        return ListPage(
            view=view,
            views=[
                ("all", "All", counts["all"]),
                ("mine", "Mine", counts["mine"]),
                ("starred", "Starred", counts["starred"]),
            ],
            q=asked.q,
            sort=asked.sort_text,
            facets=facets,
            chips=chips,
            rows=self._rows(found.items, principal),
            count=counts[view],
            total=self._catalog.count(CatalogQuery()),
            more=asked.address(view, found.next_cursor) if found.next_cursor else None,
            filtered=asked.filtered,
            may_register=may_register,
            may_run=principal.role not in (None, "viewer"),
            columns=asked.shown,
            all_columns=[(name, label, None) for name, label in COLUMNS],
            saved=self._views.visible(principal),
            own=principal.id,
            address=asked.pairs(view),
        )

    def more(self, asked: Asked, principal: Principal) -> MorePage:
        """The rows behind a cursor."""
        view = asked.view or "all"
        found = self._catalog.list(viewed(asked.query(), view, principal))
        more = asked.address(view, found.next_cursor) if found.next_cursor else None
        return MorePage(self._rows(found.items, principal), more, asked.shown)

    def _rows(self, rows: Sequence[EntityRow], principal: Principal) -> list[ListRow]:
        links = links_of([ref for row in rows for ref in (row.owner, row.system) if ref], self._catalog)
        starred = self._stars.starred(principal, [row.ref for row in rows])
        return [
            ListRow(
                row,
                icon_of(row.kind, row.type, self._catalog.kinds),
                self._catalog.kinds.label(row.kind),
                links.get(row.owner or ""),
                links.get(row.system or ""),
                tone_of(row.lifecycle),
                row.ref in starred,
            )
            for row in rows
        ]

    def facet(self, asked: Asked, name: str, principal: Principal) -> Facet:
        """One menu with all of its options. Raises NotFound (``catalog.no_facet``)."""
        if name not in _FACET_NAMES:
            known = ", ".join(_FACET_NAMES)
            raise NotFound("catalog.no_facet", f"Lists have no filter {name:.50}.", hint=f"There are: {known}.")
        query = viewed(asked.query(), asked.view or "all", principal)
        return next(
            facet for facet in self._facets(query, replace(asked, menus=frozenset({name}))) if facet.name == name
        )

    def _facets(self, query: CatalogQuery, asked: Asked) -> list[Facet]:
        wanted = [_FACET_NAMES[key] for key, _ in _FILTERS if key in asked.menus]
        found = self._catalog.facets(replace(query, cursor=None), wanted)
        facets = []
        for key, label in _FILTERS:
            chosen, values = asked.chosen[key], found.get(_FACET_NAMES[key])
            options = self._options(key, values or (), chosen)
            if values is None:
                options = [(value, text, None) for value, text, _ in options]
            facets.append(Facet(key, label, options, chosen, f"/catalog/_facet/{key}" if values is None else None))
        return facets

    def _options(self, key: str, values: Sequence[FacetValue], chosen: Sequence[str]) -> list[Option]:
        there = {value.value for value in values}
        all_values = [*values, *(FacetValue(value, 0) for value in chosen if value not in there)]
        if key == "kind":
            return [(value.value, self._catalog.kinds.label(value.value), value.count) for value in all_values]
        if key == "owner":
            titles = self._catalog.titles([value.value for value in all_values])
            return [
                (value.value, titles[value.value] or value.value.rpartition("/")[2], value.count)
                for value in all_values
            ]
        return [(value.value, value.value, value.count) for value in all_values]


def viewed(query: CatalogQuery, view: str, principal: Principal) -> CatalogQuery:
    """A query within a view: all, mine or starred."""
    if view == "mine":
        mine = principal.owner_refs
        chosen = query.owners
        return replace(query, owners=tuple(sorted(mine if chosen is None else mine & set(chosen))))
    return replace(query, starred_by=principal.id) if view == "starred" else query
