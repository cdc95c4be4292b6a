"""The Backstage API's questions on both databases: every way to a page finds the same, cursors lead everywhere."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from flagstone.kernel.errors import Conflict, Denied, Invalid
from flagstone.portal.catalog.model.cursors import Question, decode_cursor
from flagstone.portal.catalog.model.predicates import parse_filters, parse_query
from flagstone.portal.catalog.service.backstage import BackstageLocations, BackstageReads
from flagstone.portal.catalog.service.backstage.cache import RevisionCache
from flagstone.portal.catalog.store.backstage import Selection

FILTERS = ["", "kind=component", "kind=component,spec.type=service", "metadata.tags=a", "metadata.tags", "spec.nope"]
FILTERS += ["relations.ownedBy=group:default/payments", "relations.dependsOn", "spec.owner=nobody", "metadata.title"]
QUERIES = [
    {"metadata.name": {"$hasPrefix": "c-1"}},
    {"$not": {"metadata.tags": "a"}},
    {"$any": [{"kind": "group"}, {"metadata.title": {"$exists": True}}]},
]
QUERIES += [{"relations": {"$contains": {"type": "dependsOn"}}}, {"metadata.name": {"$hasPrefix": ""}}, {"$any": []}]
ORDERS = [None, "metadata.name", "metadata.title", "metadata.tags", "spec.type", "kind"]


@pytest.fixture
def full(world, component):
    """Thirty components, with and without title and tags."""
    texts = []
    for number in range(30):
        extra = "dependsOn: [resource:db]\n" if number % 7 == 0 else ""
        text = component(f"C-{number}", "payments" if number % 3 else "search", extra)
        more = f"  title: T{number % 4} Zürich\n" if number % 2 else ""
        more += f"  tags: [a, b{number % 5}]\n" if number % 3 == 0 else ""
        texts.append(text.replace("spec:\n", f"{more}spec:\n", 1))
    world.write("all.yaml", "---\n".join(texts))
    world.add("all.yaml", origin="user")
    world.reads = BackstageReads(world.store)
    return world


def names(bodies):
    return [json.loads(body)["metadata"]["name"] for body in bodies]


@pytest.mark.parametrize("order", ORDERS)
def test_both_ways_to_a_page_find_the_same(full, order):
    reader = full.store.backstage
    predicates = [parse_filters([text]) for text in FILTERS] + [parse_query(query) for query in QUERIES]
    for predicate in predicates:
        for down in (False, True):
            for term in (None, "c-1", "%", "zürich"):
                wanted = Selection(predicate, order, down, term, ("metadata.name", "metadata.title") if term else ())
                pages = [reader.page(wanted, 100, expected=expected, everything=1) for expected in (0, 1000)]
                assert pages[0] == pages[1], wanted
                assert reader.first(wanted, 3) == (pages[0][:3], len(pages[0])), wanted
                assert len(pages[0]) == reader.count(wanted), wanted
                assert [item.position for item in pages[0]] == sorted(
                    (item.position for item in pages[0]), key=lambda p: (p[0] or "", p[1]), reverse=down
                )


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("down", [False, True])
def test_cursors_lead_to_the_end_and_back(full, order, down):
    question = Question(("kind=component",), order=(order, down) if order else None)
    whole = full.reads.query(question, limit=100)
    found, page, steps = [], full.reads.query(question, limit=4), 0
    while True:
        found += names(page.bodies)
        last, steps = page, steps + 1
        if page.next_cursor is None:
            break
        cursor = decode_cursor(page.next_cursor)
        page = full.reads.query(cursor.question, limit=4, cursor=cursor)
        assert page.total == whole.total
    assert found == names(whole.bodies)
    back = names(last.bodies)
    while last.previous_cursor is not None:
        cursor = decode_cursor(last.previous_cursor)
        last = full.reads.query(cursor.question, limit=4, cursor=cursor)
        back = names(last.bodies) + back
    assert back == found


def test_facets_count_entities_in_every_way(full):
    reader = full.store.backstage
    for key in ("metadata.tags", "metadata.name", "metadata.title", "kind", "spec.type", "relations.ownedby", "nope"):
        for text in FILTERS:
            predicate = parse_filters([text])
            plain = reader.facet(key, predicate)
            assert reader.facet(key, predicate, reader.mixed(key)) == plain, (key, text)
            assert reader.facet(key, predicate, frozenset(value.lower() for value, _ in plain)) == plain, (key, text)
    assert ("C-1", 1) in reader.facet("metadata.name", mixed=reader.mixed("metadata.name"))
    assert reader.mixed("metadata.name", most=3) is None


def test_an_answer_is_as_new_as_the_catalog(full, component):
    before = full.reads.query(Question(("kind=component",)), limit=0).total
    full.write("more.yaml", component("more"))
    full.add("more.yaml", origin="user")
    assert full.reads.query(Question(("kind=component",)), limit=0).total == before + 1


def test_lists_are_sorted_by_several_fields(full):
    reader = full.store.backstage
    keys = [("metadata.title", True), ("metadata.name", False)]
    whole = [body for batch in reader.batches(reader.ids(parse_filters([""]), keys, paged=False)) for body in batch]
    titles = [json.loads(body)["metadata"]["title"] for body in whole]
    assert titles == sorted(titles, reverse=True)
    paged = reader.ids(parse_filters([""]), keys, paged=True)
    assert len(paged) == 31
    assert reader.ids(parse_filters([""]), keys, paged=True, limit=5, offset=3) == paged[3:8]
    assert reader.ids(parse_filters([""]), keys, paged=True, offset=28) == paged[28:]


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "'; DROP TABLE catalog_entities; --", "?" * 9, "%s", "x" * 5000])
def test_odd_texts_find_nothing_and_break_nothing(full, text):
    text = text.encode("utf-8", "replace").decode()
    for question in (
        Question((f"metadata.name={text}", f"{text}=x", f"relations.{text}")),
        Question(query=json.dumps({"$any": [{text: {"$hasPrefix": text}}, {"metadata.name": {"$hasPrefix": text}}]})),
        Question(order=(text, False)),
        Question(order=("metadata.name", False), term=text),
    ):
        assert full.reads.query(question, limit=5).bodies == ()
    assert full.reads.facets([text], parse_filters([""])) == {text: []}


def test_locations_are_registered_moved_and_removed_by_those_who_may(full):
    people, woken = full.foundation.people(), []
    access, audit = full.foundation.access, full.foundation.audit
    locations = BackstageLocations(full.store, full.ingest, full.locations, access, audit, lambda: woken.append(1))
    admin = people.admin.principal
    found = locations.register(admin, "url", "https://acme.example/a.yaml", refresh_known=False)
    assert woken
    assert found in locations.all()
    with pytest.raises(Conflict):
        locations.register(admin, "url", "https://acme.example/a.yaml", refresh_known=False)
    for type_, target in (("file", "/etc/passwd"), ("url", "nowhere"), ("nope", "x:y"), ("url", "")):
        with pytest.raises(Invalid):
            locations.register(admin, type_, target, refresh_known=False)
    with pytest.raises(Denied):
        locations.register(people.viewer.principal, "url", "https://acme.example/b.yaml", refresh_known=False)
    moved = locations.move(admin, found.id, "url", "https://acme.example/c.yaml")
    assert moved == replace(found, target="https://acme.example/c.yaml")
    with pytest.raises(Denied):
        locations.unregister(people.viewer.principal, found.id)
    locations.unregister(admin, found.id)
    assert found.id not in [item.id for item in locations.all()]


def test_an_entity_is_deleted_only_by_those_who_may(full):
    people = full.foundation.people()
    access, audit = full.foundation.access, full.foundation.audit
    locations = BackstageLocations(full.store, full.ingest, full.locations, access, audit, lambda: None)
    uid = json.loads(full.reads.by_name("component", "default", "c-1"))["metadata"]["uid"]
    with pytest.raises(Denied):
        locations.delete(people.viewer.principal, uid)
    locations.delete(people.admin.principal, uid)
    locations.delete(people.admin.principal, uid)
    assert "component:default/c-1" not in full.refs()


def test_the_memory_is_bounded_and_forgets_with_the_catalog():
    cache: RevisionCache[str] = RevisionCache(100_000)
    for number in range(1000):
        cache.put(1, number, "x", 900)
    kept = [number for number in range(1000) if cache.get(1, number)]
    assert 0 < len(kept) < 100
    assert kept[-1] == 999
    cache.put(2, "a", "b", 1)
    assert cache.get(2, 999) is None
    cache.put(1, "late", "x", 1)
    assert cache.get(2, "late") is None
    assert cache.get(1, "late") is None
