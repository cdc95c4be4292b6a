"""YAML is read by the rules of 1.2, with lines, and one bad document does not spoil the file."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.yaml import dump_yaml, load_documents, read_yaml


def value_of(text: str) -> object:
    (document,) = load_documents(text, name="test.yaml")
    return document.value


def problem_of(text: str | bytes) -> str:
    file = read_yaml(text, name="catalog-info.yaml")
    assert len(file.problems) == 1, file
    return str(file.problems[0])


SCALARS = [
    ("on", "on"),
    ("off", "off"),
    ("yes", "yes"),
    ("No", "No"),
    ("y", "y"),
    ("12:30", "12:30"),
    ("1:2:3", "1:2:3"),
    ("2026-11-24", "2026-11-24"),
    ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00Z"),
    ("1_000", "1_000"),
    ("0b11", "0b11"),
    ("=", "="),
    ("<<", "<<"),
    ("1.2.3", "1.2.3"),
    ("true", True),
    ("False", False),
    ("TRUE", True),
    ("tRue", "tRue"),
    ("null", None),
    ("~", None),
    ("12", 12),
    ("-7", -7),
    ("+7", 7),
    ("010", 10),
    ("0o14", 12),
    ("0x1F", 31),
    ("1.50", 1.5),
    (".5", 0.5),
    ("1e3", 1000.0),
    ("1.", 1.0),
    (".", "."),
    ("-", None),
    ("--", "--"),
    ("+", "+"),
    (".inf", ".inf"),
    (".nan", ".nan"),
    ("1e999", "1e999"),
    ("9" * 5000, "9" * 5000),
    ("'12'", "12"),
    ('"true"', "true"),
    ("! 12", "12"),
    ("${{ parameters.name }}", "${{ parameters.name }}"),
    ("$text", "$text"),
]


@pytest.mark.parametrize(("text", "expected"), SCALARS)
def test_a_scalar_is_read_by_the_core_schema_of_yaml_1_2(text: str, expected: object) -> None:
    if text == "-":
        assert value_of("a:\n  -") == {"a": [None]}
        return
    value = value_of(f"a: {text}")["a"]
    assert value == expected
    assert type(value) is type(expected)


def test_merge_keys_are_ordinary_keys_and_keys_are_texts() -> None:
    assert value_of("<<: {a: 1}\n1: one\ntrue: yes\n~: x\n1.0: y") == {
        "<<": {"a": 1},
        "1": "one",
        "true": "yes",
        "~": "x",
        "1.0": "y",
    }


FILE = """# a comment
apiVersion: v1
kind: Component
metadata:
  name: first
  tags:
    - a
    - b
spec: {owner: team, list: [1, 2]}
---
---
# only a comment
---
kind: Group   # line 14
description: |
  --- not a boundary
   ---
name: |-
  x
...
kind: User
"""


def test_documents_and_their_members_know_their_lines() -> None:
    documents = load_documents(FILE, name="x")
    assert [document.line for document in documents] == [2, 14, 21]
    first, second, third = documents
    assert first.line_of(()) == 2
    assert first.line_of(("metadata", "name")) == 5
    assert first.line_of(("metadata", "tags")) == 6
    assert first.line_of(("metadata", "tags", 1)) == 8
    assert first.line_of(("spec", "list", 0)) == 9
    assert first.line_of(("metadata", "nothing")) is None
    assert first.line_of(("metadata", "tags", 2)) is None
    assert second.line_of(("name",)) == 18
    assert second.value["description"] == "--- not a boundary\n ---\n"
    assert third.value == {"kind": "User"}


def test_a_bad_document_leaves_those_before_and_after_it() -> None:
    text = (
        'kind: A\n---\nkind: B\nname: "open\n---\nkind: C\n\tname: x\n---\nkind: D\n---\n{{ values.x }}\n---\nkind: E\n'
    )
    file = read_yaml(text, name="all.yaml")
    assert [document.value["kind"] for document in file.documents] == ["A", "D", "E"]
    assert [document.line for document in file.documents] == [1, 9, 13]
    assert [(problem.file, problem.line) for problem in file.problems] == [
        ("all.yaml", 4),
        ("all.yaml", 7),
        ("all.yaml", 11),
    ]


def test_a_file_that_has_to_be_right_tells_all_its_problems_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        load_documents("a: [\n---\nb: 1\n---\nc: 1\nc: 2\n", name="x.yaml")
    assert caught.value.code == "yaml.invalid"
    assert [problem.line for problem in caught.value.problems] == [1, 6]


BROKEN = {
    "a tab": ("a:\n\tb: 1\n", ":2", "tab"),
    "a tab after spaces": ("a:\n  b: 1\n  \tc: 2\n", ":3", "tab"),
    "a bad indentation": ("a:\n  b: 1\n c: 2\n", ":3", "indentation"),
    "an unclosed double quote": ('a: 1\nb: "open\nc: 3\n', ":2", "quote is opened here"),
    "an unclosed single quote": ("a: 1\nb: 'open\nc: 3\n", ":2", "quote is opened here"),
    "an unclosed list": ("a: 1\nb: [1, 2\nc: 3\n", ":2", "bracket"),
    "an unclosed object": ("a: {b: 1\n", ":1", "bracket"),
    "a template": ("a: 1\nb: {{ values.x }}\n", ":2", "rendered"),
    "a template at the start": ("{% if x %}\na: 1\n{% endif %}\n", ":1", "not rendered"),
    "a template that opens a list": ("name: x\nb: [{{ values.x }\n", ":2", "rendered"),
    "a colon in a value": ("a: note: this\n", ":1", "quotes around it"),
    "a key without a value": ("a: 1\nb\nc: 2\n", ":", "':'"),
    "an at sign": ("a: @x\n", ":1", "quotes"),
    "a backtick": ("a: `x`\n", ":1", "quotes"),
    "a key that is there twice": ("a: 1\nb: 2\na: 3\n", ":3", "Remove one"),
    "a deep key that is there twice": ("a:\n  b: 1\n  b: 1\n", ":3", "Remove one"),
    "a tag": ("a: !!python/object:os.system x\n", ":1", "Remove it"),
    "a local tag": ("a: !Ref x\n", ":1", "Remove it"),
    "a tag on a list": ("a: !!set [1]\n", ":1", "Remove it"),
    "an unknown alias": ("a: *x\n", ":1", "not defined"),
    "an alias of itself": ("a: &x [*x]\n", ":1", "inside what it stands for"),
    "an escape": ('a: "C:\\work"\n', ":1", "single quotes"),
    "a list on the line of its key": ("a: - 1\n", ":1", "own line"),
    "a list as a key": ("? [1]\n: 2\n", ":1", "key"),
    "a text after an object": ("a: 1\nb\n", ":", ""),
    "a control character": ("a: 1\nb: \x07\n", ":2", "not allowed"),
    "half a character": ("a: 1\nb: \ud800\n", ":2", "not allowed"),
    "another encoding": ("a: 1\nb: caf\u00e9".encode("latin-1"), ":2", "UTF-8"),
    "a document in a picture": (b"\x89PNG\r\n\x1a\n\x00\x00", ":1", "UTF-8"),
    "too deep": ("[" * 60 + "]" * 60, ":1", "deeper than 50"),
    "too deep without brackets": ("\n".join(" " * n + "a:" for n in range(60)), ":51", "deeper than 50"),
    "too large": ("a: " + "x" * 1_000_000, ":1", "larger than"),
    "a directive after a document": ("a: 1\n%YAML 1.2\n", ":", ""),
}


@pytest.mark.parametrize(("text", "line", "words"), BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_is_told_with_its_line_and_what_to_do(text: str | bytes, line: str, words: str) -> None:
    said = problem_of(text)
    assert said.startswith(f"catalog-info.yaml{line}")
    assert words in said


BOMBS = {
    "a billion laughs": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)),
    "deep aliases": "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [[[[[[*a{n - 1}]]]]]]\n" for n in range(1, 30)),
    "open brackets": "[" * 300_000,
    "open braces": "{a: " * 200_000,
    "nested lists": "- " * 300_000,
    "nested keys": "? " * 300_000,
    "many quotes": "a: " + '"' * 300_001,
    "many anchors": "&a " * 100_000,
    "colons": "a: " * 300_000,
}


@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_refused_at_once(text: str) -> None:
    started = time.thread_time()
    assert problem_of(text)
    assert time.thread_time() - started < 30  # seconds; it did not hang


def test_aliases_within_the_limits_are_copies() -> None:
    value = value_of("base: &b {a: [1]}\nx: *b\ny: *b\n")
    assert value == {"base": {"a": [1]}, "x": {"a": [1]}, "y": {"a": [1]}}
    value["x"]["a"].append(2)
    assert value["y"] == {"a": [1]}


def test_a_large_document_without_aliases_is_read() -> None:
    assert len(value_of("items:\n" + "  - {a: 1, b: 'x & * y'}\n" * 20_000)["items"]) == 20_000


def test_more_documents_than_allowed_are_a_problem_and_the_first_are_read() -> None:
    file = read_yaml("a: 1\n---\n" * 1_005, name="x")
    assert len(file.documents) == 1_000
    assert "more than 1000 documents" in str(file.problems[0])


@pytest.mark.parametrize(
    "text",
    ["", "\n", "# nothing\n", "---\n", "---\n---\n", "null\n", "%YAML 1.2\n---\n", "\ufeff", b"\xef\xbb\xbf", "..."],
)
def test_an_empty_file_has_no_documents(text: str | bytes) -> None:
    file = read_yaml(text, name="x")
    assert file.documents == file.problems == ()


def test_marks_and_line_ends_of_windows_are_fine() -> None:
    assert read_yaml(b"\xef\xbb\xbfa: 1\r\n---\r\nb: |\r\n  x\r\n  y\r\n", name="x").documents[1].value == {
        "b": "x\ny\n"
    }
    assert [document.line for document in read_yaml("a: 1\r\n---\r\nb: 2\r\n", name="x").documents] == [1, 3]


def test_a_root_that_is_no_object_is_left_to_the_reader() -> None:
    assert [document.value for document in load_documents("- 1\n--- text\n--- 5\n", name="x")] == [[1], "text", 5]


def test_a_written_document_is_plain_stable_and_in_order() -> None:
    value = {
        "b": 1,
        "a": ["x", {"c": None, "d": True}],
        "on": "yes",
        "time": "12:30",
        "v": "0o14",
        "e": "1e3",
        "t": "one\ntwo\n",
        "empty": [],
        "u": "\u00fc",
    }
    assert dump_yaml(value) == (
        "b: 1\na:\n- x\n- c: null\n  d: true\n'on': 'yes'\ntime: '12:30'\nv: '0o14'\ne: '1e3'\n"
        "t: |\n  one\n  two\nempty: []\nu: \u00fc\n"
    )
    assert value_of(dump_yaml(value)) == value
    shared = [1]
    assert "&" not in dump_yaml([shared, shared])


def test_what_is_not_plain_data_can_not_be_written() -> None:
    for value in (float("nan"), float("inf"), object(), {1, 2}, b"x"):
        with pytest.raises(Invalid):
            dump_yaml({"a": value})


TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=30) | st.sampled_from(
    [text for text, _ in SCALARS]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(TEXT, below, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(VALUES)
def test_what_was_written_is_read_back(value: object) -> None:
    read = load_documents(dump_yaml({"value": value}), name="x")
    assert read[0].value == {"value": value}


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-?[]{}&*!|>'\"#%@` \n\t,.1~", max_size=60))
def test_no_text_makes_the_reader_crash(text: str) -> None:
    file = read_yaml(text, name="x")
    for problem in file.problems:
        assert problem.line is not None
        assert 1 <= problem.line <= text.count("\n") + 1
    for document in file.documents:
        assert document.line_of(()) == document.line


def test_ten_thousand_entities_are_read_in_a_few_seconds() -> None:
    entity = "kind: Component\nmetadata:\n  name: s{n}\n  annotations:\n    a.test/b: c\n  tags: [x, y]\nspec:\n  type: service\n  owner: team\n  dependsOn:\n    - resource:db\n"
    started = time.thread_time()
    for part in range(10):
        text = "---\n".join(entity.format(n=part * 1_000 + n) for n in range(1_000))
        assert len(read_yaml(text, name="x").documents) == 1_000
    assert time.thread_time() - started < 60  # seconds; it did not hang
