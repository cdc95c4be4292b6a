"""Reading locations: what appears, changes and goes; what stays whatever happens."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Denied, FlagstoneError, NotFound, Unavailable
from flagstone.portal.catalog import CatalogQuery
from flagstone.portal.catalog.service.declared import DeclaredKinds, read_kinds
from flagstone.portal.catalog.store import metadata
from flagstone.portal.catalog.tests.conftest import ACME
from flagstone.testing.databases import schema_differences


def test_the_migration_makes_exactly_the_tables_of_the_code(world):
    assert schema_differences(world.foundation.db, metadata) == []


def test_the_example_organisation_is_read_without_a_problem(world):
    kinds = sorted(str(path) for path in (ACME / "kinds").glob("*.kind.yaml"))
    DeclaredKinds(read_kinds(kinds)).add_to(world.kinds)
    location, _ = world.store.locations.add(
        "file", str(ACME / "catalog-info.yaml"), origin="settings", actor="t", now=utc_now()
    )
    world.ingest.refresh_tree(location.id)
    assert world.problems() == []
    assert world.records.dangling() == []
    assert 60 <= world.catalog.count(CatalogQuery()) <= 100
    cart = world.catalog.get("component:cart")
    assert ("providesApi", "api:default/cart-api") in {(r["type"], r["targetRef"]) for r in cart.data["relations"]}
    assert "openapi" in world.catalog.get("api:cart-api").spec["definition"]
    assert world.catalog.get("api:cart-api").annotations["backstage.io/managed-by-origin-location"] == location.ref


def test_entities_come_change_and_go_with_their_file(world, component):
    file = world.write("a.yaml", component("a") + "---\n" + component("b"))
    location = world.add("a.yaml")
    assert world.refs() == ["component:default/a", "component:default/b"]
    uid = world.catalog.get("component:a").uid
    file.write_text(component("a", "search"))
    (report,) = world.read(location)
    assert (report.created, report.changed, report.removed) == (0, 1, 1)
    assert world.refs() == ["component:default/a"]
    assert world.catalog.get("component:a").owner == "group:default/search"
    assert world.catalog.get("component:a").uid == uid


def test_reading_what_has_not_changed_changes_nothing(world, component):
    world.write("a.yaml", component("a"))
    location = world.add("*.yaml")
    before, revision = world.catalog.get("component:a"), world.catalog.revision()
    for force in (False, True):
        (report,) = world.read(location, force=force)
        assert (report.created, report.changed, report.removed) == (0, 0, 0)
    after = world.catalog.get("component:a")
    assert (after.etag, after.updated_at) == (before.etag, before.updated_at)
    assert world.catalog.revision() == revision
    assert len(world.records.history("component:a").items) == 1


def test_both_sides_of_a_relation_show_it_whichever_comes_first(world, component):
    world.write("a.yaml", component("a", extra="dependsOn: [component:b]\n"))
    location = world.add("*.yaml")
    world.write("b.yaml", component("b"))
    world.read(location)
    assert world.catalog.get("component:b").related("dependencyOf") == ["component:default/a"]
    world.write("a.yaml", component("a"))
    world.read(location)
    assert world.catalog.get("component:b").related("dependencyOf") == []
    assert world.catalog.get("component:a").related("dependsOn") == []


def test_a_relation_to_nothing_is_kept_and_listed(world, component):
    world.write("a.yaml", component("a", "nobody"))
    world.add("*.yaml")
    assert world.catalog.get("component:a").related("ownedBy") == ["group:default/nobody"]
    assert [(item.source, item.target) for item in world.records.dangling()] == [
        ("component:default/a", "group:default/nobody")
    ]


@pytest.mark.parametrize("how", ["gone", "denied", "broken"])
def test_a_source_that_fails_never_deletes(world, component, how):
    file = world.write("sub/a.yaml", component("a"))
    location = world.add("sub/a.yaml")
    if how == "gone":
        file.unlink()
    elif how == "denied":
        file.unlink()
        file.symlink_to("/etc/passwd")
    else:
        file.unlink()
        file.mkdir()
    with pytest.raises(FlagstoneError):
        world.read(location)
    assert world.refs() == ["component:default/a"]
    failed = world.store.locations.get(location.id)
    assert failed.state == "failed"
    assert failed.error
    assert "kept" in (world.problems()[0].hint or "") or world.problems()[0].hint


def test_a_source_that_comes_back_is_read_and_its_problem_goes(world, component):
    file = world.write("a.yaml", component("a"))
    location = world.add("a.yaml")
    content = file.read_text()
    file.unlink()
    with pytest.raises(NotFound):
        world.read(location)
    file.write_text(content)
    world.read(location)
    assert world.store.locations.get(location.id).state == "ok"
    assert world.problems() == []


def test_a_source_with_a_fault_of_its_own_is_noted_and_others_are_still_read(world, component):
    class Crashing:
        type = "crashing"

        def resolve(self, base, target):
            return target

        def read(self, target, ctx, *, version=None):
            raise ZeroDivisionError

        def read_beside(self, location, path, ctx):
            raise ZeroDivisionError

    world.ingest.add_source(Crashing())
    world.write("a.yaml", component("a"))
    world.store.locations.add("crashing", "x", origin="user", actor="t", now=utc_now())
    world.store.locations.add("file", str(world.folder / "a.yaml"), origin="user", actor="t", now=utc_now())
    assert world.ingest.refresh_due() == 2
    assert world.refs() == ["component:default/a"]
    assert world.store.locations.find("crashing", "x").state == "failed"


def many(world, component, number):
    for index in range(number):
        world.write(f"c{index:02}.yaml", component(f"c{index:02}"))


def test_a_read_that_would_remove_more_than_a_tenth_stops_and_asks(world, component):
    many(world, component, 20)
    location = world.add("*.yaml")
    for index in range(6):
        (world.folder / f"c{index:02}.yaml").unlink()
    world.write("new.yaml", component("new"))
    (report,) = world.read(location)
    assert report.removed == 0
    assert report.held.count == 6
    assert len(world.refs()) == 21
    held = world.store.locations.get(location.id)
    assert held.state == "held"
    assert world.problems()[0].action == "confirm"
    admin = world.foundation.people().admin.principal
    world.locations.approve(admin, location.id, held.held.digest)
    assert len(world.refs()) == 15
    assert world.store.locations.get(location.id).state == "ok"
    assert world.problems() == []


def test_an_answer_holds_for_exactly_the_deletions_that_were_asked_about(world, component):
    many(world, component, 20)
    location = world.add("*.yaml")
    for index in range(6):
        (world.folder / f"c{index:02}.yaml").unlink()
    world.read(location)
    digest = world.store.locations.get(location.id).held.digest
    (world.folder / "c06.yaml").unlink()
    admin = world.foundation.people().admin.principal
    world.locations.approve(admin, location.id, digest)
    assert len(world.refs()) == 20
    assert world.store.locations.get(location.id).held.count == 7


def test_held_deletions_end_by_themselves_when_the_files_come_back(world, component):
    many(world, component, 20)
    location = world.add("*.yaml")
    for index in range(10):
        (world.folder / f"c{index:02}.yaml").unlink()
    world.read(location)
    many(world, component, 20)
    world.read(location)
    assert world.store.locations.get(location.id).state == "ok"
    assert world.problems() == []


def test_a_few_deletions_are_not_asked_about(world, component):
    many(world, component, 6)
    location = world.add("*.yaml")
    for index in range(5):
        (world.folder / f"c{index:02}.yaml").unlink()
    world.read(location)
    assert len(world.refs()) == 1


def test_location_entities_lead_on_and_what_they_no_longer_name_goes(world, component):
    world.write("sub/deep/c.yaml", component("c"))
    world.write("sub/b.yaml", component("b"))
    world.write(
        "sub/all.yaml",
        """
        apiVersion: backstage.io/v1alpha1
        kind: Location
        metadata: {name: sub}
        spec:
          targets: [./b.yaml, ./deep/*.yaml]
        """,
    )
    root = world.write(
        "root.yaml",
        """
        apiVersion: backstage.io/v1alpha1
        kind: Location
        metadata: {name: root}
        spec: {target: ./sub/all.yaml}
        """,
    )
    location = world.add("root.yaml")
    assert world.refs() == [
        "component:default/b",
        "component:default/c",
        "location:default/root",
        "location:default/sub",
    ]
    root.write_text(root.read_text().replace("./sub/all.yaml", "./sub/b.yaml"))
    world.read(location)
    assert world.refs() == ["component:default/b", "location:default/root"]
    assert {item.target for item in world.locations.list().items} == {
        str(world.folder / "root.yaml"),
        str(world.folder / "sub/b.yaml"),
    }


def test_locations_in_a_circle_end(world, component):
    for name, other in (("a", "b"), ("b", "a")):
        world.write(
            f"{name}.yaml",
            f"""
            apiVersion: backstage.io/v1alpha1
            kind: Location
            metadata: {{name: {name}}}
            spec: {{target: ./{other}.yaml}}
            """,
        )
    location = world.add("a.yaml", origin="user")
    assert world.refs() == ["location:default/a", "location:default/b"]
    world.locations.withdraw("file", location.target, actor="t", role="admin")
    assert world.refs() == []
    assert world.locations.list().items == ()


def test_a_broken_location_entity_keeps_what_it_led_to(world, component):
    world.write("b.yaml", component("b"))
    file = world.write(
        "a.yaml",
        """
        apiVersion: backstage.io/v1alpha1
        kind: Location
        metadata: {name: a}
        spec: {target: ./b.yaml}
        """,
    )
    location = world.add("a.yaml")
    file.write_text(file.read_text().replace("spec: {target: ./b.yaml}", "spec: {target: 7}"))
    world.read(location)
    assert "component:default/b" in world.refs()


def test_the_first_location_keeps_a_name_and_the_second_gets_it_when_it_is_free(world, component):
    world.write("one/a.yaml", component("a", "one"))
    world.write("two/a.yaml", component("a", "two"))
    first = world.add("one/a.yaml", origin="user")
    world.add("two/a.yaml")
    assert world.catalog.get("component:a").owner == "group:default/one"
    (problem,) = world.problems()
    assert problem.code == "catalog.conflict"
    assert first.target in problem.message
    assert world.records.problems(entity_ref="component:a").items == (problem,)
    assert not world.catalog.get("component:a").has_problems
    admin = world.foundation.people().admin.principal
    world.locations.unregister(admin, first.id)
    while world.ingest.refresh_due():
        pass
    assert world.catalog.get("component:a").owner == "group:default/two"
    assert world.problems() == []


def test_text_json_and_yaml_are_put_in_and_a_change_of_them_is_seen(world, component):
    world.write("parts/note.txt", "hello")
    world.write("parts/list.json", "[1, 2]")
    world.write("parts/more.yaml", "x: on")
    world.write(
        "a.yaml",
        component(
            "a",
            extra="""
            note: {$text: ./parts/note.txt}
            list: {$json: parts/list.json}
            more: {$yaml: ./parts/more.yaml}
            left: {$ref: '#/x'}
            two: {$text: a, b: c}
            """,
        ),
    )
    location = world.add("a.yaml")
    spec = world.catalog.get("component:a").spec
    assert (spec["note"], spec["list"], spec["more"]) == ("hello\n", [1, 2], {"x": "on"}) or spec["note"] == "hello"
    assert spec["left"] == {"$ref": "#/x"}
    assert spec["two"] == {"$text": "a", "b": "c"}
    time.sleep(0.05)  # while files are so young that their clock may not have ticked, they are never believed
    world.read(location)
    (report,) = world.read(location)
    assert report.unchanged
    world.write("parts/note.txt", "changed")
    world.read(location)
    assert world.catalog.get("component:a").spec["note"].strip() == "changed"


def test_history_knows_what_when_and_from_which_actor(world, component):
    file = world.write("a.yaml", component("a"))
    location = world.add("a.yaml")
    file.write_text(component("a", "search"))
    world.read(location, actor="user:1")
    file.write_text(component("b"))
    world.read(location)
    deleted, changed, created = world.records.history("component:a").items
    assert [item.change for item in (deleted, changed, created)] == ["deleted", "updated", "created"]
    assert changed.actor == "user:1"
    assert changed.fields == ("spec.owner",)
    assert (changed.before["spec"]["owner"], changed.after["spec"]["owner"]) == ("payments", "search")
    assert created.before is None
    assert created.after["spec"]["owner"] == "payments"
    assert deleted.after is None
    page = world.records.history("component:a", limit=1)
    (second,) = world.records.history("component:a", limit=1, cursor=page.next_cursor).items
    assert (second.change, second.after["spec"]["owner"]) == ("updated", "search")


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("where", ["create", "change", "remove", "stitch", "touch"])
def test_a_process_that_dies_in_the_middle_leaves_the_old_catalog_and_the_next_read_completes_it(
    world, component, where, monkeypatch
):
    many(world, component, 4)
    location = world.add("*.yaml")
    before = {ref: world.catalog.get(ref).etag for ref in world.refs()}
    (world.folder / "c00.yaml").unlink()
    world.write("c01.yaml", component("c01", "search"))
    world.write("c02.yaml", "# moved\n" + component("c02"))
    world.write("new.yaml", component("new"))
    writer = type(world.store.writer)
    original = getattr(writer, where)

    def die(*arguments, **options):
        original(*arguments, **options)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(writer, where, die)
        with pytest.raises(Killed):
            world.read(location)
    assert {ref: world.catalog.get(ref).etag for ref in world.refs()} == before
    world.read(location)
    assert world.refs() == [f"component:default/{name}" for name in ("c01", "c02", "c03", "new")]
    assert world.catalog.get("component:c01").owner == "group:default/search"
    assert [item.change for item in world.records.history("component:new").items] == ["created"]


def test_many_readers_of_one_location_make_each_entity_once(world, component):
    many(world, component, 10)
    location, _ = world.store.locations.add(
        "file", str(world.folder / "*.yaml"), origin="user", actor="t", now=utc_now()
    )
    start = threading.Barrier(6)

    def read(_number):
        start.wait()
        return world.ingest.refresh(location.id, force=True)

    with ThreadPoolExecutor(6) as pool:
        reports = list(pool.map(read, range(6)))
    assert sum(report.created for report in reports) == 10
    assert len(world.refs()) == 10
    for ref in world.refs():
        assert [item.change for item in world.records.history(ref).items] == ["created"]
        assert world.catalog.get(ref).related("ownedBy") == ["group:default/payments"]


def test_many_people_who_register_the_same_location_make_one(world, component):
    many(world, component, 3)
    maintainer = world.foundation.people().maintainer.principal
    target = str(world.folder / "*.yaml")
    start = threading.Barrier(4)

    def register(_number):
        start.wait()
        try:
            return world.locations.register(maintainer, "file", target).id
        except FlagstoneError as error:
            return error.code

    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(register, range(4)))
    (location,) = world.locations.list().items
    assert found <= {location.id, "catalog.location_exists"}
    assert len(world.refs()) == 3


def test_two_locations_with_the_same_names_at_the_same_time_make_each_entity_once(world, component):
    for folder in ("one", "two"):
        for index in range(8):
            world.write(f"{folder}/c{index}.yaml", component(f"c{index}", folder))
    ids = [
        world.store.locations.add(
            "file", str(world.folder / f"{name}/*.yaml"), origin="user", actor="t", now=utc_now()
        )[0].id
        for name in ("one", "two")
    ]
    start = threading.Barrier(2)

    def read(id_):
        start.wait()
        return world.ingest.refresh(id_)

    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(read, ids))
    assert sorted(report.created for report in reports) == [0, 8]
    assert len({world.catalog.get(ref).owner for ref in world.refs()}) == 1
    assert len(world.problems()) == 8


def test_what_the_settings_no_longer_name_goes_and_the_rest_stays(world, component):
    from flagstone.portal.catalog.settings import LocationSetting

    world.write("a.yaml", component("a"))
    world.write("b.yaml", component("b"))
    both = [LocationSetting(target=str(world.folder / f"{name}.yaml")) for name in "ab"]
    world.locations.use_settings(both)
    world.ingest.refresh_due()
    assert len(world.refs()) == 2
    world.locations.use_settings(both[:1])
    assert world.refs() == ["component:default/a"]


def test_reading_by_the_clock_takes_what_is_due_and_puts_it_off(world, component):
    world.write("a.yaml", component("a"))
    world.store.locations.add("file", str(world.folder / "a.yaml"), origin="user", actor="t", now=utc_now())
    assert world.ingest.never_read() == 0
    assert world.ingest.refresh_due() == 1
    assert world.ingest.refresh_due() == 0
    assert 90 < world.ingest.seconds_until_due() <= 150
    world.now = lambda: utc_now() + timedelta(seconds=151)
    assert world.ingest.refresh_due() == 1


def test_a_clock_that_jumps_back_does_no_harm(world, component):
    file = world.write("a.yaml", component("a"))
    location = world.add("a.yaml")
    world.now = lambda: utc_now() - timedelta(days=400)
    file.write_text(component("a", "search"))
    world.read(location)
    assert world.catalog.get("component:a").owner == "group:default/search"


def test_a_url_may_not_choose_files_of_this_machine(world, component):
    class Answer:
        status, etag = 200, "x"
        body = (
            b"apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {name: a}\n"
            b"spec: {type: file, target: /etc/passwd}\n"
        )

    world.fetched = lambda url, **options: Answer()
    world.add("https://acme.example/a.yaml", type_="url")
    (problem,) = world.problems()
    assert "from a file of this machine" in problem.message
    assert problem.line == 4
    assert world.refs() == ["location:default/a"]


def test_nothing_of_an_entity_is_left_when_it_is_gone(world, component):
    from flagstone.portal.catalog.store import tables

    world.write("a.yaml", component("a", extra="dependsOn: [component:b]\n"))
    location = world.add("a.yaml", origin="user")
    world.locations.withdraw("file", location.target, actor="t", role="admin")
    with world.foundation.db.read() as conn:
        for table in (tables.entities, tables.documents, tables.search, tables.relations, tables.problems):
            assert conn.execute(select(func.count()).select_from(table)).scalar() == 0
    assert [item.change for item in world.records.history("component:a").items] == ["deleted", "created"]


def test_errors_of_sources_have_codes_and_hints(world):
    for target, kind in ((str(world.folder / "none.yaml"), NotFound), ("/etc/passwd", Denied)):
        with pytest.raises(kind) as caught:
            world.ingest.look("file", target)
        assert caught.value.hint
    with pytest.raises(Unavailable):
        world.ingest.look("hosted", "acme/none")
