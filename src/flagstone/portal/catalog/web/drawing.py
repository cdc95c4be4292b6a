"""Graphs of entities as pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flagstone.portal.catalog.model import EntityRow, Graph, Relation
from flagstone.portal.catalog.model.kinds import KindRegistry
from flagstone.portal.catalog.web.views import href_of, icon_of
from flagstone.toolkit.web.graph import GraphDrawing, GraphEdge, GraphNode, to_boundary_svg, to_svg

_WORDS = {
    "ownedBy": "owned by",
    "partOf": "part of",
    "providesApi": "provides",
    "consumesApi": "consumes",
    "dependsOn": "depends on",
    "memberOf": "member of",
    "childOf": "belongs to",
}


@dataclass(frozen=True, slots=True)
class Bounded:
    """A whole with what lies inside and outside; ``hidden`` is how many were left out."""

    inside: Sequence[str]
    outside: Sequence[str]
    edges: Sequence[Relation]
    rows: Mapping[str, EntityRow]
    hidden: int = 0


def draw(graph: Graph, kinds: KindRegistry, *, label: str) -> GraphDrawing:
    """Draw all nodes of a graph; those that are not in the catalog are drawn, too, and say so."""
    nodes = [_node(ref, graph.rows.get(ref), kinds) for ref in graph.refs]
    return to_svg(
        nodes,
        _edges(graph.edges),
        focus=graph.root,
        label=label,
        depth=max(graph.depth.values(), default=1),
        cap=len(nodes),
    )


def draw_bounded(found: Bounded, kinds: KindRegistry, *, title: str, label: str) -> GraphDrawing:
    """Draw a whole as a box around its parts, with what it uses and what uses it beside it."""
    inside, outside = (
        [_node(ref, found.rows.get(ref), kinds) for ref in refs] for refs in (found.inside, found.outside)
    )
    return to_boundary_svg(inside, outside, _edges(found.edges), title=title, label=label)


def _node(ref: str, row: EntityRow | None, kinds: KindRegistry) -> GraphNode:
    kind, _, rest = ref.partition(":")
    title = row.title if row is not None else rest.partition("/")[2]
    type_ = (row.type or kinds.label(kind)) if row is not None else "not in the catalog"
    return GraphNode(
        ref, kind, type_, title, href_of(ref), icon=icon_of(kind, row.type if row is not None else None, kinds)
    )


def _edges(edges: Iterable[Relation]) -> list[GraphEdge]:
    return [GraphEdge(edge.source, edge.target, _WORDS.get(edge.type, edge.type)) for edge in edges]
