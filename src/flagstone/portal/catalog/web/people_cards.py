"""Cards of groups and users, and the pictures of what lies inside a group, a system or a domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from flagstone.portal.catalog.model import CatalogQuery, Graph, Relation
from flagstone.portal.catalog.service.catalog import CatalogService
from flagstone.portal.catalog.service.insight import InsightService
from flagstone.portal.catalog.web.drawing import draw
from flagstone.portal.catalog.web.own_cards import OwnCard, entity_of, kind_of, ref_of
from flagstone.portal.catalog.web.views import link_of
from flagstone.sdk import CardContext, Rendered

_FEW = 24
_CHART_NODES = 24
_INSIDE_NODES = 40


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
    """What lies inside a system or a domain, and how these parts hang together."""

    id = "catalog.inside"
    order = 15

    def __init__(self, catalog: CatalogService) -> None:
        self._catalog = catalog

    def applies(self, ctx: CardContext) -> bool:
        """On systems and domains with parts."""
        found = ctx.entity.get("relations", ()) if ctx.entity else ()
        return kind_of(ctx) in ("system", "domain") and any(item["type"] == "hasPart" for item in found)

    def render(self, ctx: CardContext) -> Rendered:
        """The parts with the relations among them; in a domain the systems with theirs."""
        ref = ref_of(entity_of(ctx))
        graph = inside(self._catalog, ref, deep=kind_of(ctx) == "domain")
        label = f"Parts of {entity_of(ctx)['metadata']['name']} and their relations"
        drawing = draw(graph, self._catalog.kinds, label=label)
        path = ref.replace(":", "/", 1)
        values = {"title": "Inside", "icon": "layers", "drawing": drawing, "hidden": graph.hidden, "path": path}
        return Rendered("catalog/_card_picture.html", values)


def inside(catalog: CatalogService, ref: str, *, deep: bool) -> Graph:
    """The parts of a whole (and theirs, when ``deep``), and every declared relation between two of them."""
    parts = _parts(catalog, [ref])
    members = [ref, *parts]
    if deep:
        members += [part for part in _parts(catalog, parts) if part not in members]
    shown = members[:_INSIDE_NODES]
    known = set(shown)
    edges: dict[Relation, None] = {}
    for source, related in _relations(catalog, shown).items():
        for type_, target in related:
            if target in known and type_ in catalog.kinds.forward and type_ != "ownedBy":
                edges[Relation(source, type_, target)] = None
    # A line from every part to the whole would hide how they hang together: those that lead on to others need none.
    leading = {edge.source for edge in edges if edge.type != "partOf"}
    edges = {edge: None for edge in edges if edge.type != "partOf" or edge.source not in leading}
    depth = {member: 0 if member == ref else len(shown) for member in shown}
    return Graph(ref, tuple(shown), catalog.rows(shown), tuple(edges), depth, len(members) - len(shown))


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
