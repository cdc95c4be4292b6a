"""Texts for people, charts, differences, file trees, icons."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagstone.toolkit.web import charts, text
from flagstone.toolkit.web.diff import counts, diff_lines, split_rows
from flagstone.toolkit.web.filetree import FileEntry, file_tree
from flagstone.toolkit.web.highlight import highlight_file
from flagstone.toolkit.web.icons import icon, icon_name

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"),
        (2, "just now"),
        (40, "40 s ago"),
        (60, "1 min ago"),
        (3599, "59 min ago"),
        (7200, "2 h ago"),
        (86400 * 9, "9 d ago"),
        (86400 * 31, "1 month ago"),
        (86400 * 800, "2 years ago"),
    ],
)
def test_an_age_reads_like_people_say_it(seconds, words):
    assert text.ago(NOW - timedelta(seconds=seconds), NOW) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.42, "0.4 s"), (12.4, "12 s"), (59.9, "1 min"), (185, "3 min 5 s"), (7800, "2 h 10 min")]
)
def test_a_duration_reads_like_people_say_it(seconds, words):
    assert text.duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(512, "512 B"), (1536, "1.5 KB"), (14 * 1024, "14 KB"), (5 * 1024**3, "5.0 GB"), (3 * 1024**4, "3.0 TB")],
)
def test_a_size_reads_like_people_say_it(count, words):
    assert text.filesize(count) == words


@pytest.mark.parametrize(
    ("name", "letters"), [("Maya Lindt", "ML"), ("payments", "PA"), ("data-platform", "DP"), ("", "?"), ("a", "A")]
)
def test_initials_stand_for_a_name(name, letters):
    assert text.initials(name) == letters


def test_attributes_are_escaped_and_flags_are_bare():
    assert (
        text.attributes({"title": '"><b>', "disabled": True, "hidden": False, "x": None})
        == ' title="&#34;&gt;&lt;b&gt;" disabled'
    )
    assert text.attributes(None) == ""
    with pytest.raises(ValueError, match="attribute name"):
        text.attributes({'a" onclick="x': "1"})


def test_terminal_colours_are_taken_out_of_plain_text():
    assert text.plain("\x1b[32mok\x1b[0m \x1b]0;title\x07done\x08") == "ok done"


def test_an_unknown_icon_shows_a_box():
    assert icon("no-such-icon") == icon("box")
    assert icon_name("Component", "service") == "server"
    assert icon_name("Spaceship", "warp") == "box"


def test_a_difference_keeps_context_and_tells_the_gap():
    old = "\n".join(f"line {number}" for number in range(30))
    lines = diff_lines(old, old.replace("line 15", "changed"), context=1)
    assert [line.kind for line in lines] == ["gap", "same", "remove", "add", "same", "gap"]
    assert lines[0].skipped == 14
    assert lines[-1].skipped == 13
    assert counts(lines) == (1, 1)


def test_side_by_side_pairs_old_with_new():
    rows = split_rows(diff_lines("a\nb\nc", "a\nB\nC\nD\nc"))
    assert [(row.left and row.left.text, row.right and row.right.text) for row in rows] == [
        ("a", "a"),
        ("b", "B"),
        (None, "C"),
        (None, "D"),
        ("c", "c"),
    ]


def test_equal_texts_have_no_difference():
    assert diff_lines("a\n", "a\n") == ()


@given(st.text(alphabet="ab\n", max_size=40), st.text(alphabet="ab\n", max_size=40))
def test_a_difference_with_full_context_holds_both_texts(old, new):
    lines = diff_lines(old, new, context=100)
    if lines:
        assert [line.text for line in lines if line.kind in ("same", "remove")] == old.splitlines()
        assert [line.text for line in lines if line.kind in ("same", "add")] == new.splitlines()


def test_files_become_folders_first_then_names():
    tree = file_tree(
        [FileEntry("b.txt", ""), FileEntry("src/z.py", ""), FileEntry("src/a/b.py", ""), FileEntry("A.md", "")]
    )
    assert [node.name for node in tree] == ["src", "A.md", "b.txt"]
    assert [node.name for node in tree[0].children] == ["a", "z.py"]
    assert tree[0].children[1].number == 1


def test_a_file_is_coloured_by_its_name():
    assert '<span class="k">def</span>' in highlight_file("def f(): ...", "src/app.py")
    assert highlight_file("<x>", "what.unknown") == "&lt;x&gt;"


def test_charts_are_valid_svg_and_escape_names():
    evil = '"<b>'
    for svg in (
        charts.bars(evil, [evil, "b"], [(evil, [1, 2]), ("y", [0, 3])]),
        charts.sparkline([1, 2, 3]),
        charts.ring(64, label=evil),
    ):
        ET.fromstring(svg)
        assert "<b>" not in svg


@pytest.mark.parametrize("values", [[], [1], [0, 0, 0], [5, 5], [-3, 4], [1e9, 0]])
def test_odd_series_do_not_break_charts(values):
    charts.sparkline(values)
    charts.bars("x", [str(value) for value in values], [("s", [abs(value) for value in values])])


@pytest.mark.parametrize("value", [-10, 0, 50, 100, 250])
def test_a_ring_stays_between_nothing_and_all(value):
    assert 'stroke-dasharray="' in charts.ring(value)
