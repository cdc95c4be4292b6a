"""Relation graphs: placement, caps, cycles, and that nothing in a name becomes markup."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagstone.toolkit.web.graph import GAP_Y, NODE_HEIGHT, GraphEdge, GraphNode, layout, neighbourhood, to_svg


def node(name, kind="component", type_="service", status="healthy"):
    return GraphNode(name, kind, type_, name, f"/catalog/{name}", status)


def edges(*pairs):
    return [GraphEdge(source, target, "depends on") for source, target in pairs]


def draw(names, pairs, focus="a", **options):
    return to_svg([node(name) for name in names], edges(*pairs), focus=focus, label=f"Relations of {focus}", **options)


def test_what_depends_stands_left_of_what_it_needs():
    placed = layout([node(name) for name in "abc"], edges(("a", "b"), ("b", "c")))
    assert placed.positions["a"][0] < placed.positions["b"][0] < placed.positions["c"][0]


def test_the_same_relations_give_the_same_picture_in_any_order():
    names, pairs = "abcdef", [("a", "b"), ("a", "c"), ("d", "a"), ("e", "a"), ("c", "f"), ("b", "f")]
    assert draw(names, pairs, depth=2).svg == draw(reversed(names), list(reversed(pairs)), depth=2).svg


def test_a_cycle_is_drawn_and_every_edge_is_there():
    drawing = draw("abc", [("a", "b"), ("b", "c"), ("c", "a"), ("a", "a")], depth=2)
    assert drawing.svg.count('class="p-graph-edge"') == 4


def test_a_long_chain_is_placed_without_recursion():
    names = [f"n{number:04}" for number in range(1500)]
    placed = layout([node(name) for name in names], edges(*pairwise(names)))
    assert placed.positions["n1499"][0] > placed.positions["n0000"][0]


def test_the_nearest_nodes_are_shown_and_the_rest_is_counted():
    names = ["a", *(f"n{number}" for number in range(60))]
    drawing = draw(names, [("a", name) for name in names[1:]], cap=40)
    assert (drawing.shown, drawing.hidden) == (40, 21)
    assert drawing.svg.count("<a ") == 40


def test_depth_limits_what_is_looked_at():
    found, kept, hidden = neighbourhood(
        [node(name) for name in "abcd"], edges(("a", "b"), ("b", "c"), ("c", "d")), "a", depth=2, cap=9
    )
    assert [one.id for one in found] == ["a", "b", "c"]
    assert len(kept) == 2
    assert hidden == 0


def test_two_relations_between_the_same_two_are_one_line_with_both_words():
    drawing = to_svg(
        [node("a"), node("b")], [GraphEdge("a", "b", "provides"), GraphEdge("a", "b", "consumes")], focus="a", label="x"
    )
    assert "consumes, provides" in drawing.svg
    assert drawing.svg.count('class="p-graph-edge"') == 1


def test_an_unknown_focus_gives_an_empty_picture():
    assert draw("b", [], focus="zzz").shown == 0


def test_names_are_text_and_never_markup():
    evil = '"><script>alert(1)</script>&'
    drawing = to_svg([GraphNode(evil, evil, evil, evil, evil, evil)], [], focus=evil, label=evil)
    assert "<script" not in drawing.svg
    ET.fromstring(drawing.svg)


def test_a_long_title_is_cut_but_told_in_full():
    drawing = draw(["a-very-long-name-of-a-service"], [], focus="a-very-long-name-of-a-service")
    assert "a-very-long-name…" in drawing.svg
    assert "<title>a-very-long-name-of-a-service</title>" in drawing.svg


@pytest.mark.parametrize(
    ("status", "shape"), [("healthy", "<circle class"), ("degraded", "<path class"), ("down", "p-st-down")]
)
def test_each_status_has_its_own_shape(status, shape):
    drawing = to_svg([node("a", status=status)], [], focus="a", label="x")
    assert shape in drawing.svg
    assert status in drawing.svg


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=40))
def test_nodes_never_overlap_whatever_the_relations(pairs):
    names = [f"n{number}" for number in range(15)]
    placed = layout([node(name) for name in names], edges(*((names[a], names[b]) for a, b in pairs)))
    columns = {}
    for name in names:
        x, y = placed.positions[name]
        columns.setdefault(x, []).append(y)
    for ys in columns.values():
        ys.sort()
        assert all(lower - upper >= NODE_HEIGHT + GAP_Y - 0.01 for upper, lower in pairwise(ys))
