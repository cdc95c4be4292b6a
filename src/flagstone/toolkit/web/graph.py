"""Relation graphs drawn as SVG on the server: a layered layout, deterministic and safe for cycles.

What the nodes mean is the caller's matter. The picture themes by CSS, its nodes are links, and it prints without
script; ``<relation-graph>`` adds highlight, arrow keys and zoom.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from markupsafe import Markup, escape

from flagstone.toolkit.web.icons import icon_markup, icon_name

NODE_WIDTH, NODE_HEIGHT = 168, 46
GAP_X, GAP_Y = 52, 20
BEND_HEIGHT = 10
PADDING = 16
TITLE_CHARACTERS = 17
CARD_NODES, PAGE_NODES = 40, 150
_BOX, _BOX_TOP, _BESIDE = 22, 38, 64
"""Around what lies inside a boundary, above it (its title), and between the boundary and what lies outside."""
_ORDER_SWEEPS, _PLACE_SWEEPS = 24, 60
_STILL = 0.25
"""Pixels. Two sweeps that move nothing further are the last."""
_STATUS_SHAPES = {
    "healthy": '<circle class="p-st-healthy" cx="{x}" cy="23" r="4"/>',
    "degraded": '<path class="p-st-degraded" d="M{x} 18.2l4.8 4.8-4.8 4.8-4.8-4.8z"/>',
    "down": '<rect class="p-st-down" x="{left}" y="19.5" width="7" height="7" rx="1.5"/>',
}


@dataclass(frozen=True, slots=True)
class GraphNode:
    """One node. ``status`` is healthy, degraded, down or unknown; ``icon`` None takes the one of kind and type."""

    id: str
    kind: str
    type: str
    title: str
    href: str
    status: str = "unknown"
    icon: str | None = None


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """``source`` ``label`` ``target``: an arrow from left to right where the layout can."""

    source: str
    target: str
    label: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands, in SVG units: top left corners, the nodes and bends of each edge, the whole size."""

    positions: Mapping[str, tuple[float, float]]
    chains: tuple[tuple[GraphEdge, tuple[str, ...]], ...]
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class GraphDrawing:
    """The picture and how many nodes it leaves out; say the number beside it."""

    svg: Markup
    shown: int
    hidden: int


@dataclass(slots=True)
class _Ladder:
    """Layers from left to right with the bends of long edges as extra members, and who touches whom."""

    layers: list[list[str]]
    left: dict[str, list[str]] = field(default_factory=dict)
    right: dict[str, list[str]] = field(default_factory=dict)

    def link(self, a: str, b: str) -> None:
        self.right.setdefault(a, []).append(b)
        self.left.setdefault(b, []).append(a)


def neighbourhood(
    nodes: Iterable[GraphNode], edges: Iterable[GraphEdge], focus: str, *, depth: int, cap: int
) -> tuple[tuple[GraphNode, ...], tuple[GraphEdge, ...], int]:
    """The nodes within ``depth`` steps of the focus, nearest first up to ``cap``, and how many were left out."""
    known = {node.id: node for node in nodes}
    kept_edges = _known_edges(edges, known)
    touching: dict[str, set[str]] = {}
    for edge in kept_edges:
        touching.setdefault(edge.source, set()).add(edge.target)
        touching.setdefault(edge.target, set()).add(edge.source)
    found = [focus] if focus in known else []
    ring = list(found)
    seen = set(found)
    for _ in range(depth):
        ring = sorted({other for one in ring for other in touching.get(one, ())} - seen)
        seen.update(ring)
        found += ring
    shown = set(found[:cap])
    return (
        tuple(known[name] for name in found[:cap]),
        tuple(edge for edge in kept_edges if edge.source in shown and edge.target in shown),
        len(found) - len(shown),
    )


def layout(nodes: Iterable[GraphNode], edges: Iterable[GraphEdge]) -> Layout:
    """Place the nodes: longest-path layers, few crossings, straight edges. The same input gives the same picture."""
    ids = sorted({node.id for node in nodes})
    if not ids:
        return Layout({}, (), 0, 0)
    kept = _known_edges(edges, ids)
    ranks = _ranks(ids, [edge for edge in kept if edge.source != edge.target])
    ladder = _Ladder([[name for name in ids if ranks[name] == rank] for rank in range(max(ranks.values()) + 1)])
    chains = tuple((edge, _chain(edge, number, ranks, ladder)) for number, edge in enumerate(kept))
    _order(ladder)
    tops = _place(ladder)
    highest = min(tops.values())
    positions = {
        name: (rank * (NODE_WIDTH + GAP_X), tops[name] - highest)
        for rank, layer in enumerate(ladder.layers)
        for name in layer
    }
    width = (len(ladder.layers) - 1) * (NODE_WIDTH + GAP_X) + NODE_WIDTH
    height = max(y + _height(name) for name, (_, y) in positions.items())
    return Layout(positions, chains, width, height)


def to_svg(
    nodes: Sequence[GraphNode],
    edges: Sequence[GraphEdge],
    *,
    focus: str,
    label: str,
    depth: int = 1,
    cap: int = CARD_NODES,
) -> GraphDrawing:
    """Draw what surrounds ``focus``.

    :param label: accessible name of the whole picture, for example ``Relations of payment-api``.
    :param cap: nodes drawn at most, nearest first; use :data:`CARD_NODES` on a card, :data:`PAGE_NODES` on a page.
    """
    shown_nodes, shown_edges, hidden = neighbourhood(nodes, edges, focus, depth=depth, cap=cap)
    placed = layout(shown_nodes, shown_edges)
    marker = "p-arrow-" + hashlib.sha256(f"{focus}/{label}".encode()).hexdigest()[:8]
    width, height = placed.width + 2 * PADDING, placed.height + 2 * PADDING
    box = f"{-PADDING} {-PADDING} {width:.0f} {height:.0f}"
    parts = [
        f'<svg class="p-graph" xmlns="http://www.w3.org/2000/svg" viewBox="{box}" width="{width:.0f}" ',
        f'height="{height:.0f}" style="--graph-height:{height:.0f}" role="group" aria-label="{escape(label)}"><defs>',
        f'<marker id="{marker}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">',
        '<path d="M1 1 7 4 1 7" class="p-graph-arrow"/></marker></defs><g>',
    ]
    titles = {node.id: node.title for node in shown_nodes}
    parts += [_edge_svg(edge, chain, placed, marker, titles) for edge, chain in placed.chains]
    parts.append("</g>")
    ordered = sorted(shown_nodes, key=lambda node: placed.positions[node.id])
    parts += [_node_svg(node, placed.positions[node.id], node.id == focus) for node in ordered]
    parts.append("</svg>")
    return GraphDrawing(Markup("".join(parts)), len(shown_nodes), hidden)  # noqa: S704  every text was escaped


def to_boundary_svg(
    inside: Sequence[GraphNode], outside: Sequence[GraphNode], edges: Sequence[GraphEdge], *, title: str, label: str
) -> GraphDrawing:
    """Draw a whole as a box with its parts in it; what it is used by stands on its left, what it uses on its right."""
    placed, box = _boundary_layout(inside, outside, edges)
    marker = "p-arrow-" + hashlib.sha256(f"{title}/{label}".encode()).hexdigest()[:8]
    width, height = placed.width + 2 * PADDING, placed.height + 2 * PADDING
    x, y, box_width, box_height = box
    parts = [
        f'<svg class="p-graph" xmlns="http://www.w3.org/2000/svg" viewBox="{-PADDING} {-PADDING} {width:.0f} ',
        f'{height:.0f}" width="{width:.0f}" height="{height:.0f}" style="--graph-height:{height:.0f}" role="group" ',
        f'aria-label="{escape(label)}"><defs><marker id="{marker}" viewBox="0 0 8 8" refX="7" refY="4" ',
        'markerWidth="7" markerHeight="7" orient="auto"><path d="M1 1 7 4 1 7" class="p-graph-arrow"/></marker></defs>',
        f'<rect class="p-graph-boundary" x="{x:.0f}" y="{y:.1f}" width="{box_width:.0f}" height="{box_height:.0f}" ',
        f'rx="14"/><text class="p-graph-boundary-title" x="{x + 16:.0f}" y="{y + 23:.1f}">{escape(title)}</text><g>',
    ]
    nodes = [*inside, *outside]
    titles = {node.id: node.title for node in nodes}
    parts += [_edge_svg(edge, chain, placed, marker, titles) for edge, chain in placed.chains]
    parts.append("</g>")
    ordered = sorted(nodes, key=lambda node: placed.positions[node.id])
    parts += [_node_svg(node, placed.positions[node.id], is_focus=False) for node in ordered]
    parts.append("</svg>")
    return GraphDrawing(Markup("".join(parts)), len(nodes), 0)  # noqa: S704  every text was escaped


def _boundary_layout(
    inside: Sequence[GraphNode], outside: Sequence[GraphNode], edges: Sequence[GraphEdge]
) -> tuple[Layout, tuple[float, float, float, float]]:
    """Where everything stands, and the box around what is inside: x, y, width, height."""
    within = {node.id for node in inside}
    kept = _known_edges(edges, [node.id for node in (*inside, *outside)])
    inner = [edge for edge in kept if edge.source in within and edge.target in within]
    touched = {name for edge in inner for name in (edge.source, edge.target)}
    core = layout([node for node in inside if node.id in touched], inner)
    positions, width, height = dict(core.positions), core.width, core.height
    alone = sorted(within - touched)
    columns = max(len({x for x, _ in positions.values()}), min(4, math.ceil(math.sqrt(len(alone)))), 1)
    top = height + GAP_Y if positions else 0.0
    for index, name in enumerate(alone):
        row, column = divmod(index, columns)
        positions[name] = (column * (NODE_WIDTH + GAP_X), top + row * (NODE_HEIGHT + GAP_Y))
    width = max([x + NODE_WIDTH for x, _ in positions.values()], default=NODE_WIDTH)
    height = max([y + NODE_HEIGHT for _, y in positions.values()], default=NODE_HEIGHT)
    crossing = [edge for edge in kept if (edge.source in within) != (edge.target in within)]
    callers = {edge.source for edge in crossing if edge.target in within}
    left = [node.id for node in outside if node.id in callers]
    right = [node.id for node in outside if node.id not in callers]
    shift = NODE_WIDTH + _BESIDE if left else 0
    far = shift + width + 2 * _BOX + _BESIDE
    positions = {name: (x + shift + _BOX, y + _BOX_TOP) for name, (x, y) in positions.items()}
    for names, x in ((left, 0.0), (right, far)):
        positions |= _beside(names, x, crossing, positions, (height + _BOX_TOP + _BOX) / 2)
    lift = min(0.0, *(y for _, y in positions.values()))
    positions = {name: (x, y - lift) for name, (x, y) in positions.items()}
    chains = [*core.chains]
    for edge in crossing:
        ends = sorted((edge.source, edge.target), key=lambda name: positions[name][0])
        chains.append((edge, tuple(ends)))
    box = (float(shift), -lift, width + 2 * _BOX, height + _BOX_TOP + _BOX)
    total_height = max(box[1] + box[3], *(y + NODE_HEIGHT for _, y in positions.values()))
    total_width = far + NODE_WIDTH if right else shift + box[2]
    return Layout(positions, tuple(chains), total_width, total_height), box


def _beside(
    names: Sequence[str],
    x: float,
    edges: Sequence[GraphEdge],
    positions: Mapping[str, tuple[float, float]],
    middle: float,
) -> dict[str, tuple[float, float]]:
    """A column of nodes at the height of those that they are connected with."""
    wanted: dict[str, float] = {}
    for name in names:
        ends = {end for edge in edges if name in (edge.source, edge.target) for end in (edge.source, edge.target)}
        heights = [positions[end][1] for end in ends if end in positions]
        wanted[name] = sum(heights) / len(heights) if heights else middle
    ordered = sorted(names, key=lambda name: (wanted[name], name))
    tops = _spread(_steps(ordered), [wanted[name] for name in ordered])
    return {name: (x, top) for name, top in zip(ordered, tops, strict=True)}


def _known_edges(edges: Iterable[GraphEdge], known: Iterable[str]) -> list[GraphEdge]:
    """One edge per pair and direction, its labels joined, ends known, in a fixed order."""
    names = set(known)
    labels: dict[tuple[str, str], set[str]] = {}
    for edge in edges:
        if edge.source in names and edge.target in names:
            labels.setdefault((edge.source, edge.target), set()).add(edge.label)
    return [GraphEdge(source, target, ", ".join(sorted(texts))) for (source, target), texts in sorted(labels.items())]


def _without_cycles(ids: Sequence[str], edges: Sequence[GraphEdge]) -> list[tuple[str, str]]:
    """The edges as pairs, those that close a cycle turned round (depth-first search without recursion)."""
    targets: dict[str, list[str]] = {}
    for edge in edges:
        targets.setdefault(edge.source, []).append(edge.target)
    done: set[str] = set()
    pairs: list[tuple[str, str]] = []
    for root in ids:
        if root in done:
            continue
        path, on_path = [(root, iter(targets.get(root, ())))], {root}
        while path:
            name, rest = path[-1]
            target = next(rest, None)
            if target is None:
                path.pop()
                on_path.discard(name)
                done.add(name)
            elif target in on_path:
                pairs.append((target, name))
            else:
                pairs.append((name, target))
                if target not in done:
                    path.append((target, iter(targets.get(target, ()))))
                    on_path.add(target)
    return pairs


def _ranks(ids: Sequence[str], edges: Sequence[GraphEdge]) -> dict[str, int]:
    """The layer of each node: one more than the furthest of those before it."""
    pairs = _without_cycles(ids, edges)
    after: dict[str, list[str]] = {name: [] for name in ids}
    waiting = dict.fromkeys(ids, 0)
    for source, target in pairs:
        after[source].append(target)
        waiting[target] += 1
    ranks = dict.fromkeys(ids, 0)
    ready = [name for name in ids if waiting[name] == 0]
    sources = set(ready)
    for name in ready:
        for target in after[name]:
            ranks[target] = max(ranks[target], ranks[name] + 1)
            waiting[target] -= 1
            if waiting[target] == 0:
                ready.append(target)
    for name in sources:  # a source stands right before the nearest node that it leads to
        if after[name]:
            ranks[name] = max(ranks[name], min(ranks[target] for target in after[name]) - 1)
    return ranks


def _chain(edge: GraphEdge, number: int, ranks: Mapping[str, int], ladder: _Ladder) -> tuple[str, ...]:
    """The nodes and bends an edge passes, from left to right; adds the bends to the ladder."""
    start, end = sorted((edge.source, edge.target), key=lambda name: ranks[name])
    if edge.source == edge.target:
        return (edge.source, edge.target)
    chain = [start]
    for rank in range(ranks[start] + 1, ranks[end]):
        bend = f"\0{number}.{rank}"
        ladder.layers[rank].append(bend)
        ladder.link(chain[-1], bend)
        chain.append(bend)
    ladder.link(chain[-1], end)
    return (*chain, end)


def _height(name: str) -> int:
    return BEND_HEIGHT if name.startswith("\0") else NODE_HEIGHT


def _crossings(ladder: _Ladder, place: Mapping[str, int]) -> int:
    total = 0
    for layer in ladder.layers[:-1]:
        ends = [(place[a], place[b]) for a in layer for b in ladder.right.get(a, ())]
        total += sum((a1 - a2) * (b1 - b2) < 0 for index, (a1, b1) in enumerate(ends) for a2, b2 in ends[index + 1 :])
    return total


def _order(ladder: _Ladder) -> None:
    """Sort each layer by the middle of its neighbours, back and forth; keep the order with the fewest crossings."""
    place = {name: index for layer in ladder.layers for index, name in enumerate(layer)}
    best = (_crossings(ladder, place), [list(layer) for layer in ladder.layers])
    count = len(ladder.layers)
    for sweep in range(_ORDER_SWEEPS):
        if best[0] == 0:
            break
        forward = sweep % 2 == 0
        near = ladder.left if forward else ladder.right
        for rank in range(1, count) if forward else range(count - 2, -1, -1):
            middle = {
                name: sum(place[other] for other in near[name]) / len(near[name]) if near.get(name) else place[name]
                for name in ladder.layers[rank]
            }
            ladder.layers[rank].sort(key=lambda name, middle=middle: middle[name])  # type: ignore[misc]
            place.update({name: index for index, name in enumerate(ladder.layers[rank])})
        crossings = _crossings(ladder, place)
        if crossings < best[0]:
            best = (crossings, [list(layer) for layer in ladder.layers])
    ladder.layers = best[1]


def _place(ladder: _Ladder) -> dict[str, float]:
    """Top of every member: pulled towards its neighbours, never nearer than the gap, the order kept."""
    tops: dict[str, float] = {}
    for layer in ladder.layers:
        y = 0.0
        for name in layer:
            tops[name] = y
            y += _height(name) + GAP_Y
    near = {name: (*ladder.left.get(name, ()), *ladder.right.get(name, ())) for name in tops}
    half = {name: _height(name) / 2 for name in tops}
    # The halves of the neighbours, less its own, stay what they are: only tops are added up again and again.
    pulls = [
        [
            (near[name], sum(half[other] for other in near[name]) / len(near[name]) - half[name])
            if near[name]
            else ((name,), 0.0)
            for name in layer
        ]
        for layer in ladder.layers
    ]
    steps = [_steps(layer) for layer in ladder.layers]
    count, still = len(ladder.layers), 0
    for sweep in range(_PLACE_SWEEPS):
        moved = 0.0
        for rank in range(count) if sweep % 2 else range(count - 1, -1, -1):
            wanted = [sum([tops[other] for other in others]) / len(others) + off for others, off in pulls[rank]]
            for name, top in zip(ladder.layers[rank], _spread(steps[rank], wanted), strict=True):
                moved = max(moved, abs(top - tops[name]))
                tops[name] = top
        still = still + 1 if moved < _STILL else 0
        if still == 2:
            break
    return tops


def _steps(layer: Sequence[str]) -> list[int]:
    """How much further down than each member the next one must begin."""
    return [_height(name) + GAP_Y for name in layer]


def _spread(steps: Sequence[int], wanted: list[float]) -> list[float]:
    """Push members apart until none overlaps: first evenly to both sides, then downwards for what is left."""
    tops = list(wanted)
    for _ in range(8):
        moved = False
        for index in range(len(tops) - 1):
            overlap = tops[index] + steps[index] - tops[index + 1]
            if overlap > 0:
                moved = True
                tops[index] -= overlap / 2
                tops[index + 1] += overlap / 2
        if not moved:
            break
    for index in range(1, len(tops)):
        tops[index] = max(tops[index], tops[index - 1] + steps[index - 1])
    return tops


def _edge_points(edge: GraphEdge, chain: Sequence[str], placed: Layout) -> list[tuple[float, float]]:
    points: list[tuple[float, float]] = []
    for index, name in enumerate(chain):
        x, y = placed.positions[name]
        middle = y + _height(name) / 2
        if name.startswith("\0"):
            points += [(x, middle), (x + NODE_WIDTH, middle)]
        else:
            points.append((x + NODE_WIDTH if index == 0 else x, middle))
    return points if chain[0] == edge.source else points[::-1]


def _edge_svg(edge: GraphEdge, chain: Sequence[str], placed: Layout, marker: str, titles: Mapping[str, str]) -> str:
    if edge.source == edge.target:
        x, y = placed.positions[edge.source]
        right = x + NODE_WIDTH
        path = (
            f"M{right:.0f} {y + 14:.1f}"
            f"C{right + 26:.0f} {y + 8:.1f} {right + 4:.0f} {y - 20:.1f} {right - 24:.0f} {y:.1f}"
        )
    else:
        points = _edge_points(edge, chain, placed)
        path = f"M{points[0][0]:.0f} {points[0][1]:.1f}"
        for (x0, y0), (x1, y1) in pairwise(points):
            middle = (x0 + x1) / 2
            path += f"C{middle:.0f} {y0:.1f} {middle:.0f} {y1:.1f} {x1:.0f} {y1:.1f}"
    title = f"{titles[edge.source]} {edge.label} {titles[edge.target]}"
    return (
        f'<path class="p-graph-edge" data-a="{escape(edge.source)}" data-b="{escape(edge.target)}" d="{path}" '
        f'marker-end="url(#{marker})"><title>{escape(title)}</title></path>'
    )


def _short(title: str) -> str:
    return title if len(title) <= TITLE_CHARACTERS else title[: TITLE_CHARACTERS - 1] + "…"


def _node_svg(node: GraphNode, position: tuple[float, float], is_focus: bool) -> str:
    x, y = position
    short, under = _short(node.title), _short(node.type or node.kind)
    name = [f"{short} {under}", *([node.title] if short != node.title else []), node.kind]
    if node.status in _STATUS_SHAPES:
        name.append(node.status)
    shape = _STATUS_SHAPES.get(node.status, "").format(x=NODE_WIDTH - 14, left=NODE_WIDTH - 17.5)
    classes = f"p-graph-node p-k-{escape(node.kind.lower())}" + (" p-focus" if is_focus else "")
    return (
        f'<a class="{classes}" data-id="{escape(node.id)}" href="{escape(node.href)}" '
        f'transform="translate({x:.0f} {y:.1f})" aria-label="{escape(", ".join(name))}">'
        f"<title>{escape(node.title)}</title>"
        f'<rect width="{NODE_WIDTH}" height="{NODE_HEIGHT}" rx="9"/>'
        f'<g class="p-graph-icon" transform="translate(11 13) scale(.83)">'
        f"{icon_markup(node.icon or icon_name(node.kind, node.type))}</g>"
        f'<text x="40" y="20" class="p-graph-title">{escape(short)}</text> '
        f'<text x="40" y="35" class="p-graph-type">{escape(under)}</text>{shape}</a>'
    )
