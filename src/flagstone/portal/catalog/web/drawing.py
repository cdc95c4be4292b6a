"""Graphs of entities as pictures."""

from __future__ import annotations

from flagstone.portal.catalog.model import Graph
from flagstone.portal.catalog.model.kinds import KindRegistry
from flagstone.portal.catalog.web.views import href_of
from flagstone.toolkit.web.graph import GraphDrawing, GraphEdge, GraphNode, to_svg

_WORDS = {
    "ownedBy": "owned by",
    "partOf": "part of",
    "providesApi": "provides",
    "consumesApi": "consumes",
    "dependsOn": "depends on",
    "memberOf": "member of",
    "childOf": "belongs to",
}


def draw(graph: Graph, kinds: KindRegistry, *, label: str) -> GraphDrawing:
    """Draw all nodes of a graph; those that are not in the catalog are drawn, too, and say so."""
    nodes = []
    for ref in graph.refs:
        kind, _, rest = ref.partition(":")
        row = graph.rows.get(ref)
        title = row.title if row is not None else rest.partition("/")[2]
        type_ = (row.type or kinds.label(kind)) if row is not None else "not in the catalog"
        nodes.append(GraphNode(ref, kind, type_, title, href_of(ref)))
    edges = [GraphEdge(edge.source, edge.target, _WORDS.get(edge.type, edge.type)) for edge in graph.edges]
    return to_svg(
        nodes, edges, focus=graph.root, label=label, depth=max(graph.depth.values(), default=1), cap=len(nodes)
    )
