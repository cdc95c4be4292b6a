"""Twenty kinds of broken entity files: each says what and where, and never disturbs its neighbours."""

from __future__ import annotations

import pytest

GOOD = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: neighbour
spec:
  type: service
  lifecycle: production
  owner: payments
---
"""
TOP = "apiVersion: backstage.io/v1alpha1\nkind: Component\n"
SPEC = "spec:\n  type: service\n  lifecycle: production\n  owner: payments\n"

# name: (text, line in it, part of the message)
BROKEN = {
    "a tab": (TOP + "metadata:\n\tname: x\n" + SPEC, 4, "character"),
    "an open quote": (TOP + 'metadata:\n  name: "x\n' + SPEC, 4, "quoted scalar"),
    "an open bracket": (TOP + "metadata: {name: x\n" + SPEC, 3, "flow mapping"),
    "wrong indentation": (TOP + "metadata:\n  name: x\n   title: y\n" + SPEC, 5, "Mapping values"),
    "a key twice": (TOP + "metadata:\n  name: x\n  name: y\n" + SPEC, 5, "twice"),
    "a list": ("- a\n- b\n", 1, "not an object"),
    "a text": ("only words\n", 1, "not an object"),
    "an unknown kind": (TOP.replace("Component", "Componnet") + "metadata: {name: x}\n" + SPEC, 2, "no kind"),
    "an old version": (TOP.replace("v1alpha1", "v2") + "metadata: {name: x}\n" + SPEC, 1, "not known in the version"),
    "no kind": ("apiVersion: backstage.io/v1alpha1\nmetadata: {name: x}\n" + SPEC, 1, "kind is missing"),
    "no metadata": (TOP + SPEC, 1, "metadata is missing"),
    "no name": (TOP + "metadata:\n  title: x\n" + SPEC, 3, "name is missing"),
    "a name that is a number": (TOP + "metadata:\n  name: 7\n" + SPEC, 4, "must be a text"),
    "a name with a space": (TOP + "metadata:\n  name: a b\n" + SPEC, 4, "not allowed"),
    "a namespace in upper case": (TOP + "metadata:\n  name: x\n  namespace: Shop\n" + SPEC, 5, "not allowed"),
    "an annotation that is a number": (
        TOP + "metadata:\n  name: x\n  annotations:\n    acme.example/port: 80\n" + SPEC,
        6,
        "number 80",
    ),
    "a tag in upper case": (TOP + "metadata:\n  name: x\n  tags:\n    - java\n    - Web App\n" + SPEC, 7, "tag"),
    "no spec": (TOP + "metadata:\n  name: x\n", 1, "spec is missing"),
    "no owner": (TOP + "metadata:\n  name: x\nspec:\n  type: a\n  lifecycle: b\n", 5, "owner is missing"),
    "a dependency without kind": (
        TOP + "metadata:\n  name: x\n" + SPEC + "  dependsOn:\n    - resource:db\n    - other\n",
        11,
        "no kind",
    ),
    "a field at the wrong place": (TOP + "metadata:\n  name: x\nowner: me\n" + SPEC, 5, "at the top"),
    "a missing included file": (
        TOP + "metadata:\n  name: x\n" + SPEC + "  text:\n    $text: ./nothing.txt\n",
        10,
        "no file",
    ),
    "an included file outside": (
        TOP + "metadata:\n  name: x\n" + SPEC + "  text:\n    $text: ../../../../../../etc/passwd\n",
        10,
        "not below a folder",
    ),
    "an alias that is not there": (TOP + "metadata:\n  name: *x\n" + SPEC, 4, "alias"),
    "a template that was not rendered": (TOP + "metadata:\n  name: ${{ values.name }}\n" + SPEC, 4, "name"),
    "a bomb": (
        "a: &a [x,x,x,x,x,x,x,x,x]\n"
        + "".join(
            f"{b}: &{b} [*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a},*{a}]\n"
            for a, b in zip("abcdefg", "bcdefgh", strict=True)
        ),
        None,
        "expand",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_document_is_told_with_file_and_line_and_its_neighbours_live(small, component, name):
    text, line, part = BROKEN[name]
    offset = GOOD.lstrip("\n").count("\n")
    small.write("shared.yaml", GOOD + text)
    small.write("beside.yaml", component("beside"))
    location = small.add("*.yaml")
    assert small.refs() == ["component:default/beside", "component:default/neighbour"]
    (problem, *more) = small.problems()
    assert not more
    assert problem.file == str(small.folder / "shared.yaml")
    assert part in problem.message
    if line is not None:
        assert problem.line == line + offset, problem
    assert location.state == "ok"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00broken", b"name: \x00", "Umlaut ä".encode("latin-1")])
def test_a_file_that_is_not_text_is_told_and_nothing_else_suffers(small, component, content):
    small.write("beside.yaml", component("beside"))
    (small.folder / "broken.yaml").write_bytes(content)
    small.add("*.yaml")
    assert small.refs() == ["component:default/beside"]
    assert small.problems()[0].file == str(small.folder / "broken.yaml")


def test_a_file_that_is_too_large_is_not_read_and_what_it_held_stays(small, component):
    file = small.write("a.yaml", component("a"))
    small.write("b.yaml", component("b"))
    location = small.add("*.yaml")
    file.write_text("#" * 6_000_000)
    small.read(location)
    assert small.refs() == ["component:default/a", "component:default/b"]
    assert "larger" in small.problems()[0].message


def test_the_last_good_entity_stays_while_its_document_is_broken_and_says_so(world, component):
    file = world.write("a.yaml", component("a"))
    location = world.add("*.yaml")
    good = world.catalog.get("component:a")
    file.write_text(component("a").replace("owner: payments", "owner: 7"))
    world.read(location)
    kept = world.catalog.get("component:a")
    assert kept.owner == good.owner == "group:default/payments"
    assert kept.has_problems
    (item,) = kept.data["status"]["items"]
    assert (item["type"], item["level"]) == ("backstage.io/catalog-processing", "error")
    assert world.records.problems(entity_ref="component:a").items[0].line == 8
    file.write_text(component("a"))
    world.read(location)
    mended = world.catalog.get("component:a")
    assert not mended.has_problems
    assert "status" not in mended.data
    assert (mended.uid, mended.etag) == (good.uid, good.etag)
    assert world.problems() == []


def test_a_file_that_cannot_be_parsed_keeps_everything_it_held(small, component):
    file = small.write("a.yaml", component("one") + "---\n" + component("two"))
    location = small.add("*.yaml")
    file.write_text(component("one") + "---\nkind: [broken\n")
    small.read(location)
    assert small.refs() == ["component:default/one", "component:default/two"]


def test_the_same_entity_twice_in_one_file_is_told_and_the_first_one_counts(small, component):
    small.write("a.yaml", component("a", "one") + "---\n" + component("a", "two"))
    small.add("*.yaml")
    assert small.catalog.get("component:a").owner == "group:default/one"
    assert "second time" in small.problems()[0].message
