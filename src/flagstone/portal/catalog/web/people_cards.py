"""Cards of groups and users, and the pictures of what lies inside a group, a system or a domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from flagstone.portal.catalog.model import CatalogQuery, Relation
from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.portal.catalog.service.insight import InsightService
from flagstone.portal.catalog.web.drawing import Bounded, draw, draw_bounded
from flagstone.portal.catalog.web.own_cards import OwnCard, entity_of, kind_of, ref_of
from flagstone.portal.catalog.web.views import link_of
from flagstone.sdk import CardContext, Rendered

_FEW = 24
_CHART_NODES = 24
_INSIDE_NODES, _OUTSIDE_NODES = 40, 24
_MOST_LOOKED_AT = 400
_NO_CROSSING = frozenset({"ownedBy", "ownerOf", "partOf", "hasPart", "memberOf", "hasMember"})


class MembersCard(OwnCard):
    """Everybody in a group, and in the groups below it."""

    id = "catalog.people"
    order = 32

    def __init__(self, catalog: CatalogService, insight: InsightService) -> None:
        self._catalog = catalog
        self._insight = insight

    def applies(self, ctx: CardContext) -> bool:
        """On groups."""
        return kind_of(ctx) == "group"

    def render(self, ctx: CardContext) -> Rendered | None:
        """Direct members first; the others with the groups that they are in."""
        members = self._insight.members(ref_of(entity_of(ctx)))
        if not members:
            return None
        shown = members[:_FEW]
        rows = self._catalog.rows({ref for member in shown for ref in (member.ref, *member.through)})
        kinds = self._catalog.kinds
        people = [
            (
                link_of(member.ref, rows.get(member.ref), kinds),
                [] if member.direct else [link_of(ref, rows.get(ref), kinds) for ref in member.through],
            )
            for member in shown
        ]
        values = {
            "people": people,
            "direct": sum(member.direct for member in members),
            "total": len(members),
            "hidden": len(members) - len(shown),
            "path": ref_of(entity_of(ctx)).replace(":", "/", 1),
        }
        return Rendered("catalog/_card_members.html", values)


class OrgChartCard(OwnCard):
    """Where a group stands: those above it, those beside and below it."""

    id = "catalog.hierarchy"
    order = 22

    def __init__(self, catalog: CatalogService) -> None:
        self._catalog = catalog

    def applies(self, ctx: CardContext) -> bool:
        """On groups that belong to others, or have others below."""
        found = ctx.entity.get("relations", ()) if ctx.entity else ()
        return kind_of(ctx) == "group" and any(item["type"] in ("childOf", "parentOf") for item in found)

    def render(self, ctx: CardContext) -> Rendered:
        """The tree around it."""
        ref = ref_of(entity_of(ctx))
        graph = self._catalog.graph(ref, depth=2, types=("childOf",), limit=_CHART_NODES)
        label = f"Organisation around {entity_of(ctx)['metadata']['name']}"
        drawing = draw(graph, self._catalog.kinds, label=label)
        path = ref.replace(":", "/", 1)
        values = {"title": "Organisation", "icon": "network", "drawing": drawing, "hidden": graph.hidden, "path": path}
        return Rendered("catalog/_card_picture.html", values)


class TeamsCard(OwnCard):
    """The groups of a user, and the groups above those."""

    id = "catalog.teams"
    slot = "entity.side"
    order = 20

    def __init__(self, catalog: CatalogService) -> None:
        self._catalog = catalog

    def applies(self, ctx: CardContext) -> bool:
        """On users."""
        return kind_of(ctx) == "user"

    def render(self, ctx: CardContext) -> Rendered | None:
        """Direct ones, then those above; and how much all of them own."""
        entity = entity_of(ctx)
        ref = ref_of(entity)
        direct = [item["targetRef"] for item in entity.get("relations", ()) if item["type"] == "memberOf"]
        every = self._catalog.groups_of(ref)
        above = sorted(every - set(direct))
        rows = self._catalog.rows(every)
        kinds = self._catalog.kinds
        owners = tuple(sorted({ref, *every}))
        return Rendered(
            "catalog/_card_teams.html",
            {
                "direct": [link_of(group, rows.get(group), kinds) for group in direct],
                "above": [link_of(group, rows.get(group), kinds) for group in above],
                "owned": self._catalog.count(CatalogQuery(owners=owners)),
                "href": "/catalog?" + urlencode([("view", "all"), *(("owner", owner) for owner in owners)]),
            },
        )


class InsideCard(OwnCard):
    """A system or domain as a box: what lies inside, how these parts hang together, and what crosses the boundary."""

    id = "catalog.inside"
    order = 15

    def __init__(self, catalog: CatalogService) -> None:
        self._catalog = catalog

    def applies(self, ctx: CardContext) -> bool:
        """On systems and domains with parts."""
        found = ctx.entity.get("relations", ()) if ctx.entity else ()
        return kind_of(ctx) in ("system", "domain") and any(item["type"] == "hasPart" for item in found)

    def render(self, ctx: CardContext) -> Rendered:
        """A system with its components, APIs and resources; a domain with its systems, and what their parts need."""
        entity = entity_of(ctx)
        ref, kind = ref_of(entity), kind_of(ctx)
        name = str(entity["metadata"].get("title") or entity["metadata"]["name"])
        found = bounded(self._catalog, ref, domain=kind == "domain")
        drawing = draw_bounded(
            found,
            self._catalog.kinds,
            title=f"{name} ({self._catalog.kinds.label(kind)})",
            label=f"{name}, its parts, and what crosses its boundary",
        )
        path = ref.replace(":", "/", 1)
        values = {"title": "Inside", "icon": "layers", "drawing": drawing, "hidden": found.hidden, "path": path}
        return Rendered("catalog/_card_picture.html", values)


def bounded(catalog: CatalogService, ref: str, *, domain: bool) -> Bounded:
    """The parts of a whole, every declared relation among them, and those that cross its boundary.

    In a domain the parts of its systems count as the system, and what lies outside as the system that it belongs to.
    """
    parts = _parts(catalog, [ref])
    stands_for = {part: part for part in parts}
    if domain:
        for whole, related in _relations(catalog, parts[:_INSIDE_NODES]).items():
            for type_, target in related:
                if type_ == "hasPart":
                    stands_for.setdefault(target, whole)
    related_to = _relations(catalog, list(stands_for)[:_MOST_LOOKED_AT])
    others = {target for related in related_to.values() for type_, target in related if type_ not in _NO_CROSSING}
    rows = catalog.rows({*others, *parts} - {ref})
    for target in sorted(others - stands_for.keys() - {ref}):
        row = rows.get(target)
        stands_for[target] = row.system if domain and row is not None and row.system else target
    edges: dict[Relation, None] = {}
    for source, related in related_to.items():
        for type_, target in related:
            first, second = stands_for[source], stands_for.get(target, ref)
            if type_ in _NO_CROSSING or first == second or ref in (first, second):
                continue
            if type_ in catalog.kinds.forward:
                edges[Relation(first, type_, second)] = None
            else:
                edges[Relation(second, catalog.kinds.opposites.get(type_, type_), first)] = None
    inside = parts[:_INSIDE_NODES]
    touching = {end for edge in edges for end in (edge.source, edge.target)} - {*parts}
    outside = sorted(touching)[:_OUTSIDE_NODES]
    missing = touching - rows.keys()
    known = {**rows, **(catalog.rows(missing) if missing else {})}
    hidden = len(parts) - len(inside) + len(touching) - len(outside)
    return Bounded(tuple(inside), tuple(outside), tuple(edges), known, hidden)


def _relations(catalog: CatalogService, refs: Sequence[str]) -> Mapping[str, list[tuple[str, str]]]:
    entities = catalog.get_many(refs)
    return {
        ref: [(item["type"], item["targetRef"]) for item in entities[ref].data.get("relations", ())]
        for ref in refs
        if ref in entities
    }


def _parts(catalog: CatalogService, refs: Sequence[str]) -> list[str]:
    found = _relations(catalog, refs[: _INSIDE_NODES * 2])
    return list(dict.fromkeys(target for related in found.values() for type_, target in related if type_ == "hasPart"))
