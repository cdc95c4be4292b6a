"""Many locations are read in groups: that makes it quick, and must not make anything else of it."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from flagstone.kernel.clock import utc_now
from flagstone.portal.catalog.service import ingest
from flagstone.portal.catalog.service.holding import Holding, Locks
from flagstone.portal.catalog.tests.conftest import World
from flagstone.portal.catalog.tests.test_scale import everything, settle_clocks, whole

PLACES = ("p", "q", "r")
NAMES = ("one", "two", "three")
LOCATION = (
    "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata:\n  name: {name}\nspec:\n  targets: [{targets}]\n"
)


def lead(world, places, name="all"):
    """A Location file that leads to the files of some folders."""
    world.write(f"{name}.yaml", LOCATION.format(name=name, targets=", ".join(f"./{place}/*.yaml" for place in places)))


def beside(world, database):
    """A second server over the same database."""
    other = type(database)(database.url.render_as_string(hide_password=False), schema=database.schema)
    return World(other, world.folder)


@contextmanager
def statements(world):
    """The statements that are sent meanwhile."""
    sent = []

    def note(_conn, _cursor, statement, *_rest):
        sent.append(statement)

    database = world.foundation.db
    engines = {id(one): one for one in (database.engine, database._reading)}.values()
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


EVENT = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(PLACES), st.lists(st.sampled_from(NAMES), max_size=2), st.booleans()),
    st.tuples(st.just("lead"), st.sets(st.sampled_from(PLACES))),
    st.tuples(st.just("read"), st.booleans()),
)


@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(events=st.lists(EVENT, min_size=2, max_size=10))
def test_reading_together_ends_in_the_same_catalog_as_reading_one_after_another(
    small, component, monkeypatch, tmp_path, events
):
    found = []
    for ahead in (64, 1):
        monkeypatch.setattr(ingest, "_AHEAD", ahead)
        for place in PLACES:
            small.write(f"{place}/a.yaml", "# nothing\n")
        lead(small, PLACES)
        root = small.add("all.yaml")
        steps = []
        for kind, *what in [*events, ("read", False), ("read", True)]:
            if kind == "write":
                place, names, owned = what
                text = "---\n".join(component(name, place if owned else "payments") for name in dict.fromkeys(names))
                small.write(f"{place}/a.yaml", text or "# nothing\n")
            elif kind == "lead":
                lead(small, sorted(what[0]))
            else:
                small.read(root, force=what[0])
                while small.ingest.refresh_due():
                    pass
                whole(small)
                steps.append(everything(small))
        settle_clocks()
        small.read(root)
        steps.append(everything(small))
        found.append(steps)
        small.ingest.discard([root.id], actor="t")
        small.ingest.discard(sorted(small.store.locations.unreachable()), actor="t")
        assert everything(small) == ({}, [])
    assert found[0] == found[1]


def test_reading_many_again_asks_the_database_little_and_changes_nothing(world, component):
    places = [f"p{number:02}" for number in range(40)]
    for place in places:
        world.write(f"{place}/a.yaml", component(place))
    lead(world, places)
    root = world.add("all.yaml")
    settle_clocks()
    world.read(root)
    before = everything(world), world.store.revision()
    for force in (False, True):
        with statements(world) as sent:
            reports = world.read(root, force=force)
        assert len(reports) == 41
        assert len(sent) < 80, "a few for each group, not for each location"
    assert (everything(world), world.store.revision()) == before


def test_one_that_cannot_be_written_does_not_keep_the_others_of_its_group_back(world, component, monkeypatch):
    for place in PLACES:
        world.write(f"{place}/a.yaml", component(place))
    lead(world, PLACES)
    apply = world.ingest._sync.apply

    def failing(seen, *rest):
        if "/q/" in seen.target:
            raise ValueError("a fault of ours")
        return apply(seen, *rest)

    monkeypatch.setattr(world.ingest._sync, "apply", failing)
    world.add("all.yaml")
    assert world.refs() == ["component:default/p", "component:default/r", "location:default/all"]
    assert [problem.code for problem in world.problems()] == ["catalog.source_failed"]
    whole(world)


def test_that_nothing_has_changed_is_not_written_over_what_another_server_has_read_since(world, component):
    world.write("a.yaml", component("a"))
    seen = world.add("a.yaml")
    world.store.locations.finish(seen.id, {"version": "newer", "state": "ok"})
    world.ingest._sync.still([(seen, "older")])
    assert world.store.locations.get(seen.id).version == "newer"


def test_a_location_that_has_to_be_read_whole_is_not_put_off_by_a_read_that_began_before(world, component):
    world.write("a.yaml", component("a"))
    seen = world.add("a.yaml")
    world.store.locations.mark_due(utc_now(), ids=[seen.id], forget=True)
    world.ingest._sync.still([(seen, seen.version)])
    assert world.store.locations.get(seen.id).version is None
    assert world.ingest.refresh_due() == 1


def test_what_is_due_is_taken_once_by_whoever_is_first(world, database):
    later = utc_now() + timedelta(hours=1)
    for number in range(30):
        target = f"/nowhere/{number}.yaml"
        world.store.locations.add("file", target, origin="user", actor="t", now=utc_now() - timedelta(days=1))
    other = beside(world, database) if not database.is_sqlite else world
    taken = []

    def take(store):
        while ids := store.locations.take_due(utc_now(), 4, lambda: later):
            taken.extend(ids)

    threads = [threading.Thread(target=take, args=(one.store,)) for one in (world, other, world, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if other is not world:
        other.foundation.db.close()
    assert len(taken) == len(set(taken)) == 30


def test_a_lease_that_was_taken_twice_is_free_when_it_was_given_back_twice(world, database):
    if database.is_sqlite:
        pytest.skip("with SQLite there is one server")
    other = beside(world, database)
    try:
        mine, theirs = world.store.leases, other.store.leases
        assert mine.take(["a", "b"]) == {"a", "b"}
        with mine.hold("a") as held:
            assert held
        assert theirs.take(["a", "b", "c"]) == {"c"}
        mine.give_back(["a", "b"])
        assert theirs.take(["a", "b"]) == {"a", "b"}
        assert mine.take(["a", "c"]) == set()
        theirs.give_back(["a", "b", "c"])
        theirs.give_back(["a"])
        assert mine.take(["a", "b", "c"]) == {"a", "b", "c"}
        mine.give_back(["a", "b", "c"])
    finally:
        other.foundation.db.close()


def test_of_many_locations_only_those_are_taken_that_nobody_else_in_the_process_reads(small):
    locks = Locks()
    with Holding(locks, small.store.leases) as one, Holding(locks, small.store.leases) as other:
        assert one.take(["a", "b"]) == ["a", "b"]
        assert other.take(["c", "b", "a", "d", "c"]) == ["c", "d"]
        one.let_go(["a"])
        assert other.take(["b", "a"]) == ["a"]
    with Holding(locks, small.store.leases) as again:
        assert again.take(["a", "b", "c", "d"]) == ["a", "b", "c", "d"]


ODD = "100 % \\ \\u0041 'quoted' \"twice\" {a,b} [1] NULL \t tab, 日本 and 🚀\nand a line"


def test_any_text_is_kept_as_it_is_when_an_entity_comes_when_it_changes_and_when_others_relate_to_it(world, component):
    def about(number):
        text = json.dumps({"title": f"{number} {ODD}"}, ensure_ascii=False)[1:-1]
        return component("a").replace("metadata:\n", f"metadata:\n  {text}\n")

    world.write("a.yaml", about(1))
    location = world.add("*.yaml")
    assert world.catalog.get("component:a").title == f"1 {ODD}"
    world.write("b.yaml", component("b", extra="dependsOn: [component:a]\n"))
    world.read(location)
    assert world.catalog.get("component:a").related("dependencyOf") == ["component:default/b"]
    assert world.catalog.get("component:a").title == f"1 {ODD}"
    world.write("a.yaml", about(2))
    world.read(location, force=True)
    assert world.catalog.get("component:a").title == f"2 {ODD}"
    changes = [change.before for change in world.records.history("component:default/a").items]
    assert [before and before["metadata"]["title"] for before in changes] == [f"1 {ODD}", None]
