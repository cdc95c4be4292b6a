"""The Backstage API's questions on both databases: every way to a page finds the same, cursors lead everywhere."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flagstone.kernel.errors import Conflict, Denied, Invalid
from flagstone.portal.catalog.model.cursors import Question, decode_cursor
from flagstone.portal.catalog.model.predicates import parse_filters, parse_query
from flagstone.portal.catalog.service.backstage import BackstageLocations, BackstageReads, BackstageUnprocessed
from flagstone.portal.catalog.service.backstage.cache import RevisionCache
from flagstone.portal.catalog.service.locations import LocationService
from flagstone.portal.catalog.store.backstage import Selection

FILTERS = ["", "kind=component", "kind=component,spec.type=service", "metadata.tags=a", "metadata.tags", "spec.nope"]
FILTERS += [
    "kind=component,spec.type=service,spec.lifecycle=production",
    "kind=component,spec.type=service,metadata.tags=a",
]
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


NAMED = [
    ("pump-one", "", "", "nothing else"),
    ("Pump-Two", "Große PUMPE", "", "title in capitals"),
    ("three", "Third", "The pump behind", "a title and a displayed name"),
    ("four", "", "Displayed PumP", "a displayed name only"),
    ("five", "pump " * 50, "", "a title that is too long to be searched"),
    ("six", 'a "quoted" 100% title_', "", "signs"),
    ("seven", "umpteen pu mp", "", "the letters, but not together"),
]


def test_parts_of_names_are_found_whether_there_is_an_index_for_them_or_not(world):
    users = [
        f"apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata:\n  name: {name}\n"
        + (f"  title: {json.dumps(title)}\n" if title else "")
        + (f"spec:\n  profile: {{displayName: {json.dumps(displayed)}}}\n" if displayed else "spec:\n")
        + "  memberOf: []\n"
        for name, title, displayed, _ in NAMED
    ]
    world.write("people.yaml", "---\n".join(users))
    world.add("people.yaml")
    assert world.problems() == []
    fields = ("metadata.name", "metadata.title", "spec.profile.displayName")
    reads = BackstageReads(world.store)

    def found(term: str, keys: tuple[str, ...]) -> list[str]:
        asked = Question(order=("metadata.name", False), term=term, term_fields=keys)
        page = reads.query(asked, limit=50)
        assert page.total == len(page.bodies)
        return names(page.bodies)

    def expected(term: str, keys: tuple[str, ...]) -> list[str]:
        texts = [dict(zip(fields, texts, strict=False)) for texts in NAMED]
        return sorted(
            (t[fields[0]] for t in texts if any(len(t[k]) <= 200 and term.lower() in t[k].lower() for k in keys)),
            key=str.lower,
        )

    def as_expected() -> None:
        for term in ("pump", "PUMP", "ump", "pu", "p", "große", "GROSSE", '"quoted"', "100%", "e_", "le_", "xyz", "\\"):
            for keys in (fields, fields[:1], fields[:2]):
                assert found(term, keys) == expected(term, keys), (term, keys)

    assert world.store.backstage.indexed
    as_expected()
    if not world.store.db.is_sqlite:
        world.store.analyze()
        as_expected()
        with world.store.db.write() as conn:  # a server that does not have the extension
            conn.exec_driver_sql("DROP INDEX catalog_search_parts")
        del world.store.backstage.indexed
        assert not world.store.backstage.indexed
        as_expected()
    world.write("people.yaml", "---\n".join(users[1:]).replace("Pump-Two", "Renamed"))
    world.read(world.store.locations.find("file", str(world.folder / "people.yaml")))
    assert found("pump-", fields) == []


def test_a_displayed_name_is_found_in_a_kind_that_had_none_before(world):
    component = (
        "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata:\n  name: {}\n"
        "spec:\n  type: service\n  lifecycle: production\n  owner: x\n{}"
    )
    first = component.format("one", "")
    world.write("parts.yaml", first)
    world.add("parts.yaml")
    reads = BackstageReads(world.store)
    keys = ("metadata.name", "metadata.title", "spec.profile.displayName")
    asked = Question(("kind=component",), order=("metadata.name", False), term="pump", term_fields=keys)
    assert reads.query(asked, limit=5).total == 0
    world.write("parts.yaml", first + "---\n" + component.format("two", "  profile: {displayName: Big Pump}\n"))
    world.read(world.store.locations.find("file", str(world.folder / "parts.yaml")))
    page = reads.query(asked, limit=5)
    assert (names(page.bodies), page.total) == (["two"], 1)


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


def test_locations_are_found_by_predicates_in_pages(full):
    people = full.foundation.people()
    access, audit = full.foundation.access, full.foundation.audit
    locations = BackstageLocations(full.store, full.ingest, full.locations, access, audit, lambda: None)
    for number in range(5):
        target = f"https://Acme.example/{number}.yaml"
        locations.register(people.admin.principal, "url", target, refresh_known=False)

    def targets(query, limit=100):
        found, total, cursor = locations.query(query, None, limit)
        while cursor:
            more, again, cursor = locations.query(None, cursor, limit)
            assert again == total
            found += more
        assert len(found) == total
        return sorted(item.target for item in found if item.type == "url")

    every = [f"https://Acme.example/{number}.yaml" for number in range(5)]
    assert targets(None, 2) == every
    assert targets({"type": "URL"}, 2) == every
    assert targets({"target": {"$hasPrefix": "HTTPS://acme.example/"}}, 3) == every
    assert targets({"$any": [{"target": every[0].upper()}, {"target": {"$in": [every[3]]}}]}) == [every[0], every[3]]
    assert targets({"$all": [{"type": "url"}, {"$not": {"target": every[0]}}]}) == every[1:]
    assert targets({"$any": []}) == targets({"target": {"$exists": False}}) == targets({"target": "x\0%_"}) == []
    for query in ({"name": "x"}, [], {"target": 1}, {"$all": {}}, {"target": {"$like": "a"}}, {"$any": [{"x": 1}]}):
        with pytest.raises(Invalid):
            locations.query(query, None, 10)


def test_a_catalog_that_is_read_only_takes_no_locations_and_deletes_nothing(full):
    people = full.foundation.people()
    access, audit = full.foundation.access, full.foundation.audit
    own = LocationService(full.store, full.ingest, access, audit, readonly=True)
    locations = BackstageLocations(full.store, full.ingest, own, access, audit, lambda: None)
    admin, (known,) = people.admin.principal, locations.all()
    uid = json.loads(full.reads.by_name("component", "default", "c-1"))["metadata"]["uid"]
    before = full.refs()
    for call in (
        lambda: locations.register(admin, "url", "https://acme.example/a.yaml", refresh_known=False),
        lambda: locations.move(admin, known.id, "url", "https://acme.example/a.yaml"),
        lambda: locations.unregister(admin, known.id),
        lambda: locations.delete(admin, uid),
        lambda: own.register(admin, "file", str(full.folder / "all.yaml")),
        lambda: own.accept("hosted", "a/b", actor="run:1"),
        lambda: own.withdraw(known.type, known.target, actor="run:1", role="admin"),
    ):
        with pytest.raises(Denied, match="read-only"):
            call()
    assert full.refs() == before
    locations.refresh(admin, "component:default/c-1")


def test_what_did_not_become_an_entity_is_told_as_backstage_tells_it(small, component):
    broken = component("bad").replace("owner: payments", "owner: [1]")
    small.write("a.yaml", f"{component('good')}---\n{broken}---\n- 1\n")
    small.add("a.yaml")
    small.store.locations.add("url", "https://acme.example/later", origin="user", actor="x", now=small.clock())
    people = small.foundation.people()
    found = BackstageUnprocessed(small.store, small.foundation.access, small.foundation.audit)
    failed = {item["entity_ref"]: item for item in found.failed()}
    bad = failed["component:default/bad"]
    assert bad["unprocessed_entity"]["metadata"]["name"] == "bad"
    assert bad["errors"][0]["name"] == "InputError"
    assert "a.yaml:" in bad["errors"][0]["message"]
    assert "component:default/good" not in failed
    assert [item["location_key"] for item in found.pending()] == ["url:https://acme.example/later"]
    with pytest.raises(Denied):
        found.forget(people.viewer.principal, bad["entity_id"])
    found.forget(people.admin.principal, bad["entity_id"])
    found.forget(people.admin.principal, "nothing")
    assert bad["entity_id"] not in {item["entity_id"] for item in found.failed()}


KEYS = st.sampled_from(["kind", "metadata.name", "metadata.tags", "spec.type", "spec.owner", "relations.ownedBy", "x"])
VALUES = st.sampled_from(["component", "c-1", "a", "b2", "service", "payments", "group:default/payments", "", "%"])
NODES = st.recursive(
    st.dictionaries(
        KEYS,
        VALUES
        | st.fixed_dictionaries({"$exists": st.booleans()})
        | st.fixed_dictionaries({"$in": st.lists(VALUES, max_size=3)})
        | st.fixed_dictionaries({"$hasPrefix": VALUES}),
        max_size=2,
    ),
    lambda inner: (
        st.fixed_dictionaries({"$not": inner})
        | st.fixed_dictionaries({"$any": st.lists(inner, max_size=2)})
        | st.fixed_dictionaries({"$all": st.lists(inner, max_size=2)})
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=NODES, other=NODES)
def test_predicates_obey_the_laws_of_logic(full, one, other):
    def found(query):
        question = Question(query=json.dumps(query))
        return set(names(full.reads.query(question, limit=1000).bodies))

    every = found({})
    first, second = found(one), found(other)
    assert found({"$not": one}) == every - first
    assert found({"$all": [one, other]}) == first & second
    assert found({"$any": [one, other]}) == first | second
    assert found({"$not": {"$any": [one, other]}}) == found({"$all": [{"$not": one}, {"$not": other}]})


STATEMENTS = st.lists(st.tuples(KEYS, st.none() | VALUES), min_size=1, max_size=4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(filters=st.lists(STATEMENTS, min_size=1, max_size=3))
def test_a_filter_means_all_of_its_keys_any_of_their_values_any_of_the_filters(full, filters):
    def found(texts):
        question = Question(filters=tuple(texts))
        return set(names(full.reads.query(question, limit=1000).bodies))

    texts = [",".join(key if value is None else f"{key}={value}" for key, value in one) for one in filters]
    expected = set()
    for one in filters:
        of_keys = {}
        for key, value in one:
            of_keys.setdefault(key, []).append(key if value is None else f"{key}={value}")
        alone = [set().union(*(found([text]) for text in words)) for words in of_keys.values()]
        expected |= set.intersection(*alone)
    assert found(texts) == expected


def test_a_connection_that_the_server_ends_is_replaced_without_an_error(full):
    reader = full.store.backstage
    reader.adopt()
    before = reader.revision()
    if not full.store.db.is_sqlite:
        with full.store.db.read() as conn:
            conn.exec_driver_sql(f"SELECT pg_terminate_backend({reader._own.driver.info.backend_pid}, 5000)")
        assert reader.revision() == before
    reader.adopt()
    assert reader.revision() == before
    full.store.changed()
    assert reader.revision() == before + 1
    assert reader.body_of_ref("component:default/c-1") is not None
    reader._own.pooled.close()
    reader._own.driver = None
