"""Lists, filters, facets, order and pages: all in the database, the same on both."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid, NotFound
from flagstone.portal.catalog import CatalogQuery
from flagstone.portal.catalog.api import parse_filter

DATA = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: f-one
  title: The One
  tags: [java, data]
  labels: {tier: gold}
  annotations: {example.com/team: Alpha}
spec:
  type: service
  lifecycle: production
  owner: team-a
  a: {b: [c, {d: 1}], e: 7, n: null}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: f-two
  namespace: other
  tags: [go]
  annotations: {example.com/team: 'beta, gamma'}
spec:
  type: website
  lifecycle: experimental
  owner: group:default/team-a
  flag: true
  num: 12
  dotted.key: v=w
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: f-three, title: zulu}
spec:
  type: SERVICE
  lifecycle: production
  owner: user:default/bob
  dependsOn: [resource:other/db, component:default/f-one]
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: My-Svc, tags: [java, c++]}
spec: {type: service, lifecycle: production, owner: team-a}
---
apiVersion: backstage.io/v1alpha1
kind: Resource
metadata: {name: db, namespace: other}
spec: {type: database, owner: 'group:default/team-a'}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: bob}
spec: {memberOf: [team-a]}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: team-a}
spec: {type: team, children: [], parent: dept}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: dept}
spec: {type: department, children: [team-a]}
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: my-api}
spec: {type: openapi, lifecycle: production, owner: team-a, definition: x}
"""
ALL = 9


@pytest.fixture
def filled(world):
    world.write("all.yaml", DATA)
    world.add("all.yaml")
    assert world.problems() == []
    return world


FILTERS = [
    (["kind=component"], 4),
    (["kind=Component,spec.type=service"], 3),
    (["kind=component,kind=resource"], 5),
    (["kind=component", "kind=resource"], 5),
    (["metadata.tags=java"], 2),
    (["metadata.tags.java"], 2),
    (["metadata.tags.java=true"], 2),
    (["metadata.tags=java,metadata.tags=go"], 3),
    (["metadata.tags.java=true,metadata.tags.data=true"], 1),
    (["metadata.labels.tier=GOLD"], 1),
    (["metadata.annotations.example.com/team"], 2),
    (["metadata.annotations.example.com/team=alpha"], 1),
    (["metadata.annotations.example.com/team=beta, gamma"], 0),
    (["spec.a.b"], 1),
    (["spec.a.b.c"], 1),
    (["spec.a.b=c"], 1),
    (["spec.a.b.d=1"], 1),
    (["spec.a.e=7"], 1),
    (["spec.a.n"], 1),
    (["spec.a.n="], 0),
    (["spec.a"], 0),
    (["spec.nope"], 0),
    (["relations.ownedBy=Group:default/team-a"], 5),
    (["relations.dependsOn"], 1),
    (["relations.dependencyOf=component:default/f-three"], 2),
    (["spec.flag=true"], 1),
    (["spec.num=12"], 1),
    (["spec.dotted.key=v=w"], 1),
    (["spec.owner=team-a"], 3),
    (["  kind = component , spec.type = website "], 1),
    ([","], ALL),
    (["kind=component,,"], 4),
    (["metadata.uid"], ALL),
    (["kind"], ALL),
    (["metadata.title=The One"], 1),
    (["apiversion=backstage.io/v1alpha1,kind=user"], 1),
    (["spec.memberof.team-a"], 1),
    (["spec.memberOf=team-a"], 1),
    (["metadata.name=my-svc"], 1),
]


def test_filters_mean_what_the_catalog_api_says(filled):
    found = {}
    for filters, _number in FILTERS:
        query = CatalogQuery(filters=tuple(parse_filter(text) for text in filters))
        found[tuple(filters)] = filled.catalog.count(query)
    assert found == {tuple(filters): number for filters, number in FILTERS}


@pytest.mark.parametrize("text", ["", "=x"])
def test_filters_without_meaning_are_refused(text):
    with pytest.raises(Invalid):
        parse_filter(text)


NARROWED = [
    ({"kinds": ("COMPONENT",), "types": ("Service",)}, {"f-one", "f-three", "My-Svc"}),
    ({"owners": ("group:default/team-a",)}, {"f-one", "f-two", "My-Svc", "db", "my-api"}),
    ({"owners": ()}, set()),
    ({"refs": ("component:default/MY-SVC",)}, {"My-Svc"}),
    ({"tags": ("java", "go")}, {"f-one", "f-two", "My-Svc"}),
    ({"tags": ("c++",)}, {"My-Svc"}),
    ({"lifecycles": ("experimental",)}, {"f-two"}),
    ({"namespaces": ("other",)}, {"f-two", "db"}),
    ({"text": "one THE"}, {"f-one"}),
    ({"text": "team-a java"}, {"f-one", "My-Svc"}),
    ({"without_owner": True}, {"bob", "team-a", "dept"}),
]


def test_lists_can_be_narrowed(filled):
    for query, names in NARROWED:
        assert {row.name for row in filled.catalog.list(CatalogQuery(**query)).items} == names, query


HOSTILE = [
    "' OR '1'='1",
    "'; DROP TABLE catalog_entities; --",
    "%",
    "_",
    "\\",
    "%' --",
    "a\0b",
    '"',
    "${7*7}",
    "1) UNION SELECT body FROM catalog_documents --",
    "😀",
]


def test_no_text_breaks_out_of_a_query(filled):
    for text in HOSTILE:
        ask(filled, text)
    assert filled.catalog.count(CatalogQuery()) == ALL


def ask(filled, text):
    for query in (
        CatalogQuery(kinds=(text,), types=(text,), owners=(text,), systems=(text,), lifecycles=(text,)),
        CatalogQuery(tags=(text,), namespaces=(text,), refs=(text,), starred_by=text),
        CatalogQuery(text=text),
        CatalogQuery(filters=(((text, text),), ((f"relations.{text}", text),))),
    ):
        assert filled.catalog.list(query).items == ()
        assert filled.catalog.count(query) == 0
        assert set(filled.catalog.facets(query)) == {"kinds", "owners", "types", "lifecycles", "tags"}
    assert filled.catalog.options("component", text) == []
    assert filled.catalog.values(CatalogQuery(), text) == []
    assert filled.catalog.find(f"component:{text}x") is None
    assert filled.catalog.related(f"component:{text}x", (text,)) == []


SORTS = ["name", "kind", "type", "owner", "lifecycle", "system", "updated"]


def test_pages_hold_everything_once_in_the_order_of_the_whole_list(filled):
    for sort, descending in itertools.product(SORTS, [False, True]):
        walk(filled, sort, descending)


def walk(filled, sort, descending):
    whole = [row.ref for row in filled.catalog.list(CatalogQuery(sort=sort, descending=descending)).items]
    assert len(whole) == len(set(whole)) == ALL
    found, cursor = [], None
    for _ in range(ALL):
        page = filled.catalog.list(CatalogQuery(sort=sort, descending=descending, limit=2, cursor=cursor))
        found += [row.ref for row in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == whole


def test_what_has_no_value_comes_last_in_both_directions(filled):
    for descending in (False, True):
        rows = filled.catalog.list(CatalogQuery(sort="owner", descending=descending)).items
        assert {row.name for row in rows[-3:]} == {"bob", "team-a", "dept"}


def test_a_cursor_of_another_list_is_refused(filled):
    cursor = filled.catalog.list(CatalogQuery(limit=1)).next_cursor
    for query in (
        CatalogQuery(sort="kind", cursor=cursor),
        CatalogQuery(descending=True, cursor=cursor),
        CatalogQuery(cursor="nonsense"),
        CatalogQuery(cursor="WzFd"),
        CatalogQuery(limit=0),
    ):
        with pytest.raises(Invalid):
            filled.catalog.list(query)


def test_facets_count_as_if_their_own_choice_were_not_made(filled):
    facets = filled.catalog.facets(CatalogQuery(kinds=("component",), types=("website",)))
    assert {value.value: value.count for value in facets["kinds"]} == {"component": 1}
    assert {value.value: value.count for value in facets["types"]} == {"service": 3, "website": 1}
    assert {value.value: value.count for value in facets["tags"]} == {"go": 1}
    everything = filled.catalog.facets(CatalogQuery())
    assert {value.value: value.count for value in everything["tags"]} == {"java": 2, "data": 1, "go": 1, "c++": 1}
    assert everything["owners"][0].value == "group:default/team-a"


def test_values_keep_their_case_and_count_entities(filled):
    values = filled.catalog.values(CatalogQuery(kinds=("component",)), "spec.TYPE")
    assert [(value.value, value.count) for value in values] == [("SERVICE", 1), ("service", 2), ("website", 1)]


def test_options_begin_with_what_begins_like_the_text(filled):
    assert [row.name for row in filled.catalog.options(("user", "group"), "b")][:1] == ["bob"]
    assert [row.name for row in filled.catalog.options("component", "my")] == ["My-Svc"]
    assert filled.catalog.options("component", "f-one")[0].name == "f-one"
    assert len(filled.catalog.options((), "", 3)) == 3


def test_what_i_own_is_mine_and_my_teams(filled):
    groups = filled.catalog.groups_of("user:default/bob")
    assert groups == {"group:default/team-a", "group:default/dept"}
    bob = Principal("user", "user:1", "Bob", "developer", "user:default/bob", groups)
    names = {row.name for row in filled.catalog.owned(bob).items}
    assert names == {"f-one", "f-two", "f-three", "My-Svc", "db", "my-api"}
    nobody = Principal("user", "user:2", "Nobody", "developer")
    assert filled.catalog.owned(nobody).items == ()


def test_the_graph_around_an_entity_grows_with_depth_and_is_capped(filled):
    near = filled.catalog.graph("component:f-three")
    assert set(near.refs) == {
        "component:default/f-three",
        "component:default/f-one",
        "resource:other/db",
        "user:default/bob",
    }
    assert {(edge.source, edge.type, edge.target) for edge in near.edges} == {
        ("component:default/f-three", "dependsOn", "component:default/f-one"),
        ("component:default/f-three", "dependsOn", "resource:other/db"),
        ("component:default/f-three", "ownedBy", "user:default/bob"),
    }
    assert len(filled.catalog.graph("component:f-three", depth=3).refs) > len(near.refs)
    small = filled.catalog.graph("component:f-three", depth=3, limit=2)
    assert (len(small.refs), small.hidden > 0) == (2, True)
    needs = filled.catalog.graph("component:f-one", direction="in")
    assert set(needs.refs) == {"component:default/f-one", "component:default/f-three"}
    only = filled.catalog.graph("component:f-three", types=("dependencyOf",))
    assert "user:default/bob" not in only.refs


def test_references_are_found_whatever_their_case(filled):
    assert filled.catalog.get("Component:Default/MY-svc").name == "My-Svc"
    assert filled.catalog.find("component:none") is None
    with pytest.raises(NotFound):
        filled.catalog.get("component:none")
    with pytest.raises(Invalid):
        filled.catalog.get("none")


def test_texts_are_the_documents_as_they_are_stored(filled):
    page = filled.catalog.texts(CatalogQuery(kinds=("component",), limit=2))
    assert list(page.items) == [
        filled.catalog.get(row.ref).text
        for row in filled.catalog.list(CatalogQuery(kinds=("component",), limit=2)).items
    ]


def test_stars_belong_to_one_person(filled):
    one, two = (Principal("user", f"user:{n}", str(n), "viewer") for n in (1, 2))
    filled.stars.star(one, "component:F-ONE")
    filled.stars.star(one, "component:f-one")
    assert filled.stars.starred(one, ["component:default/f-one"]) == {"component:default/f-one"}
    assert filled.stars.starred(two, ["component:default/f-one"]) == set()
    assert [row.name for row in filled.catalog.list(CatalogQuery(starred_by=one.id)).items] == ["f-one"]
    filled.stars.unstar(one, "component:f-one")
    filled.stars.unstar(one, "component:f-one")
    assert filled.catalog.count(CatalogQuery(starred_by=one.id)) == 0


_COUNTED = (
    CatalogQuery(),
    CatalogQuery(kinds=("component",)),
    CatalogQuery(kinds=("Component", "api"), lifecycles=("production",)),
    CatalogQuery(owners=()),
    CatalogQuery(owners=("group:default/team-a",), types=("service",)),
    CatalogQuery(tags=("Java",)),
    CatalogQuery(kinds=("component",), tags=("go", "java")),
    CatalogQuery(text="team"),
    CatalogQuery(text="team", kinds=("component",), tags=("java",)),
    CatalogQuery(text="f", owners=("group:default/team-a",), lifecycles=("production",)),
    CatalogQuery(text="--"),
    CatalogQuery(text="nothing-has-this-word"),
    CatalogQuery(namespaces=("default",), types=("service",)),
    CatalogQuery(without_owner=True),
)


def test_what_is_counted_at_once_is_what_the_database_counts(filled) -> None:
    reader = filled.store.reader
    for query in _COUNTED * 2:
        assert filled.catalog.count(query) == reader.count(query), query
        assert filled.catalog.list(replace(query, count=True, limit=2)).total == reader.count(query), query
        for name, found in filled.catalog.facets(query).items():
            assert list(found) == reader.facet(query, name), (name, query)


def test_counts_follow_every_change_of_the_catalog(filled) -> None:
    query = CatalogQuery(text="one")
    assert filled.catalog.count(query) == 1
    filled.write("all.yaml", DATA.replace("The One", "The First"))
    filled.read(filled.store.locations.find("file", str(filled.folder / "all.yaml")))
    assert filled.catalog.count(query) == filled.store.reader.count(query)
    assert filled.catalog.count(CatalogQuery(text="first")) == 1
