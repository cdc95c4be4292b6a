"""Reading much, again and again, interrupted and in any order: never wrong."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import FlagstoneError, Unavailable
from flagstone.portal.catalog.service.parsing import start_worker
from flagstone.portal.catalog.store.tables import documents, entities, files, search, unstitched
from flagstone.portal.catalog.tests.conftest import World
from flagstone.sdk import SourceEntry, SourceFile, SourceListing
from flagstone.toolkit.workers import WorkerPool


def everything(world):
    """All that the catalog says, without ids and moments."""
    from flagstone.portal.catalog import CatalogQuery

    found = {}
    for row in world.catalog.list(CatalogQuery(limit=500)).items:
        entity = world.catalog.get(row.ref)
        found[row.ref] = (entity.spec, entity.data["relations"], entity.data.get("status"), entity.source.path)
    problems = sorted((item.code, item.entity_ref or "", item.file or "") for item in world.problems())
    return found, problems


def whole(world):
    """No half entity: each has its document and its search rows, and nothing else has any."""
    with world.foundation.db.read() as conn:
        ids = set(conn.execute(select(entities.c.id)).scalars())
        assert set(conn.execute(select(documents.c.entity_id).where(documents.c.body != "")).scalars()) == ids
        assert set(conn.execute(select(search.c.entity_id)).scalars()) == ids


def settle_clocks():
    """Until files are old enough to be believed."""
    time.sleep(0.05)


def big(world, component, count, per_file=2):
    for number in range(count):
        text = "---\n".join(
            component(f"c{number:03}-{part}", extra=f"dependsOn: [component:c{(number + 7) % count:03}-0]\n")
            for part in range(per_file)
        )
        world.write(f"all/{number:03}.yaml", text)


def test_a_big_folder_is_read_in_pieces_with_workers_and_one_changed_file_is_all_that_is_parsed_again(
    world, component, monkeypatch
):
    big(world, component, 220)
    pool = WorkerPool(start_worker)
    world.ingest._parser._pool = pool
    settle_clocks()
    location = world.add("all/*.yaml")
    assert location.entities == 440
    assert world.catalog.get("component:c007-0").related("dependencyOf") == [
        "component:default/c000-0",
        "component:default/c000-1",
    ]
    whole(world)
    read = []
    source = world.ingest.source("file")
    original = type(source).read_entry

    def counted(self, target, entry, ctx):
        read.append(entry.path)
        return original(self, target, entry, ctx)

    monkeypatch.setattr(type(source), "read_entry", counted)
    (report,) = world.read(location, force=True)
    assert (report.created, report.changed, report.removed, read) == (0, 0, 0, [])
    world.write("all/003.yaml", component("c003-0", "search") + "---\n" + component("c003-1"))
    (report,) = world.read(location, force=True)
    assert (report.created, report.changed, report.removed, read) == (0, 2, 0, ["003.yaml"])
    assert world.catalog.get("component:c003-0").owner == "group:default/search"
    world.ingest.stop()


def test_a_file_that_goes_from_a_big_folder_takes_its_entities_and_a_name_moves_to_another_file(world, component):
    big(world, component, 130, per_file=1)
    settle_clocks()
    location = world.add("all/*.yaml")
    (world.folder / "all/005.yaml").unlink()
    (world.folder / "all/006.yaml").rename(world.folder / "all/999.yaml")
    (report,) = world.read(location)
    assert (report.created, report.removed) == (0, 1)
    assert world.catalog.find("component:c005-0") is None
    assert world.catalog.get("component:c006-0").source.path == "999.yaml"


def test_a_name_that_two_files_declare_belongs_to_the_first_whichever_was_there_before(world, component):
    world.write("b.yaml", component("same", "b"))
    world.write("z.yaml", component("other"))
    settle_clocks()
    location = world.add("*.yaml")
    world.write("a.yaml", component("same", "a"))
    settle_clocks()
    world.read(location)
    assert world.catalog.get("component:same").owner == "group:default/a"
    assert [item.code for item in world.problems()] == ["catalog.duplicate"]
    world.write("c.yaml", component("same", "c"))
    settle_clocks()
    world.read(location)
    assert world.catalog.get("component:same").owner == "group:default/a"
    assert [item.code for item in world.problems()] == ["catalog.duplicate"] * 2
    (world.folder / "a.yaml").unlink()
    world.read(location)
    assert world.catalog.get("component:same").owner == "group:default/b"
    assert len(world.problems()) == 1


FILES = ("a", "b", "c")
NAMES = ("one", "two", "three")
CONTENT = st.lists(st.sampled_from(NAMES), max_size=2)
EVENT = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(FILES), CONTENT, st.sampled_from(("x", "y"))),
    st.tuples(st.just("break"), st.sampled_from(FILES)),
    st.tuples(st.just("remove"), st.sampled_from(FILES)),
    st.tuples(st.just("read"), st.booleans()),
)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(events=st.lists(EVENT, max_size=12))
def test_any_order_of_changes_and_reads_ends_in_the_catalog_of_a_fresh_read(small, component, tmp_path, events):
    # What is broken keeps what it held, so at the end everything is readable.
    shutil.rmtree(small.folder)
    small.folder.mkdir()
    small.write("keep.yaml", component("kept", extra="dependsOn: [component:one]\n"))
    used = small.add("*.yaml")

    def text(names, owner):
        parts = [component(name, owner, f"dependsOn: [component:{NAMES[0]}]\n") for name in dict.fromkeys(names)]
        return "---\n".join(parts) or "# nothing\n"

    for event in events:
        path = small.folder / f"{event[1]}.yaml"
        if event[0] == "write":
            path.write_text(text(event[2], event[3]))
        elif event[0] == "break":
            path.write_text("a: [")
        elif event[0] == "remove":
            path.unlink(missing_ok=True)
        else:
            small.read(used, force=event[1])
    for file in FILES:
        path = small.folder / f"{file}.yaml"
        if path.exists() and path.read_text() == "a: [":
            path.write_text(text([], ""))
    small.read(used)
    settle_clocks()
    small.read(used)
    seen = everything(small)
    whole(small)
    small.ingest.discard([used.id], actor="t")
    assert everything(small) == ({}, [])
    with small.foundation.db.read() as conn:
        for table in (documents, search, files, unstitched):
            assert conn.execute(select(func.count()).select_from(table)).scalar_one() == 0
    again = small.add("*.yaml")
    assert everything(small) == seen
    small.ingest.discard([again.id], actor="t")


def test_a_server_that_is_killed_in_the_middle_leaves_whole_entities_and_the_next_read_goes_on(
    world, component, tmp_path
):
    big(world, component, 400)
    settle_clocks()
    location, _ = world.store.locations.add(
        "file", f"{world.folder}/all/*.yaml", origin="user", actor="t", now=utc_now()
    )
    database = world.foundation.db
    program = """
        import sys
        from pathlib import Path
        from flagstone.portal.catalog.tests import conftest
        from flagstone.toolkit.db import Database
        database = Database(sys.argv[1], schema=sys.argv[2] or None)
        world = conftest.World(database, Path(sys.argv[3]))
        print("reading", flush=True)
        world.ingest.refresh(sys.argv[4])
    """
    url = database.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program), url, database.schema or "", str(world.folder), location.id],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with database.read() as conn:
            if conn.execute(select(func.count()).select_from(entities)).scalar_one() > 50:
                break
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    with database.read() as conn:
        there = conn.execute(select(func.count()).select_from(entities)).scalar_one()
    assert 50 < there < 801
    whole(world)
    began = time.monotonic()
    report = world.ingest.refresh(location.id)
    assert time.monotonic() - began < 30
    assert report.created == 801 - there  # one of them stands for the location itself
    assert report.removed == 0
    whole(world)
    assert world.catalog.get("component:c007-0").related("dependencyOf") == [
        "component:default/c000-0",
        "component:default/c000-1",
    ]


class Delta:
    """A source that says what has changed since its cursor."""

    type = "delta"

    def __init__(self):
        self.log = []

    def resolve(self, base, target):
        return target

    def read(self, target, ctx, *, version=None):
        raise AssertionError("it lists")

    def read_beside(self, location, path, ctx):
        raise AssertionError("nothing is beside")

    def list(self, target, ctx, *, version=None):
        if version is not None and int(version) == len(self.log):
            return SourceListing(version, unchanged=True)
        state, removed = {}, set()
        for path, content in self.log[int(version or 0) :]:
            if content is None:
                state.pop(path, None)
                removed.add(path)
            else:
                state[path] = content
                removed.discard(path)
        entries = tuple(SourceEntry(path, f"delta:{path}", str(hash(state[path])), "c1") for path in sorted(state))
        delta = version is not None
        return SourceListing(str(len(self.log)), entries, delta=delta, removed=tuple(removed) if delta else ())

    def read_entry(self, target, entry, ctx):
        content = dict(self.log)[entry.path]
        if content == "":
            raise Unavailable("source.failed", "It does not answer.")
        return SourceFile(entry.path, entry.location, content.encode(), entry.commit)


def test_a_source_may_tell_only_what_has_changed_and_the_rest_stays(world, component):
    source = Delta()
    world.ingest.add_source(source)
    source.log += [("a", component("a")), ("b", component("b")), ("c", "a: [")]
    location = world.add("x", "delta")
    assert world.refs() == ["component:default/a", "component:default/b"]
    source.log += [("b", None), ("d", component("d")), ("a", "")]
    (report,) = world.read(location)
    assert (report.created, report.removed) == (1, 1)
    assert world.refs() == ["component:default/a", "component:default/d"]
    assert sorted(item.code for item in world.problems()) == ["catalog.unreadable", "catalog.yaml"]
    assert world.catalog.get("component:d").source.commit == "c1"


@pytest.mark.parametrize("content", [b"<!doctype html><p>Sign in", b"\0\1\2", b"x" * 2_000_000, b"kind: Comp", b""])
def test_a_source_that_answers_with_something_else_deletes_nothing(world, component, content):
    world.write("a.yaml", component("a"))
    location = world.add("a.yaml")
    (world.folder / "a.yaml").write_bytes(content)
    with contextlib.suppress(FlagstoneError):
        world.read(location)
    if content:
        assert world.refs() == ["component:default/a"]
        assert world.problems()


def test_two_servers_do_not_read_the_same_source_at_the_same_time(database, tmp_path, component):
    if database.is_sqlite:
        pytest.skip("with SQLite there is one server")
    one = World(database, tmp_path / "files")
    other_database = type(database)(database.url.render_as_string(hide_password=False), schema=database.schema)
    try:
        other = World(other_database, tmp_path / "files")
        big(one, component, 60)
        location, _ = one.store.locations.add(
            "file", f"{one.folder}/all/*.yaml", origin="user", actor="t", now=utc_now()
        )
        with one.store.leases.hold(location.id) as mine, other.store.leases.hold(location.id) as theirs:
            assert (mine, theirs) == (True, False)
        with other.store.leases.hold(location.id) as free:
            assert free
        reports = []
        threads = [
            threading.Thread(target=lambda w=w: reports.append(w.ingest.refresh(location.id, force=True)))
            for w in (one, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sum(report.created for report in reports) == 120
        assert one.store.locations.get(location.id).entities == 120
        whole(one)
    finally:
        other_database.close()


def test_a_location_taken_out_of_the_settings_is_asked_about_when_it_brought_many_entities(world, component):
    from flagstone.portal.catalog.settings import LocationSetting

    big(world, component, 10, per_file=1)
    wanted = [LocationSetting(target=f"{world.folder}/all/*.yaml")]
    world.locations.use_settings(wanted)
    world.ingest.refresh_due()
    world.locations.use_settings([])
    assert len(world.refs()) == 10
    (location,) = world.locations.list().items
    assert location.state == "held"
    assert location.held.count == 10
    assert [(item.code, item.action) for item in world.problems()] == [("catalog.held", "confirm")]
    world.ingest.refresh(location.id, force=True)
    world.locations.use_settings([])
    assert len(world.refs()) == 10
    assert len(world.problems()) == 1
    maintainer = world.foundation.people().maintainer.principal
    held = world.store.locations.get(location.id).held
    world.locations.approve(maintainer, location.id, held.digest)
    assert world.refs() == []
    assert world.locations.list().items == ()
    assert world.problems() == []


def test_a_location_that_comes_back_into_the_settings_is_no_longer_asked_about(world, component):
    from flagstone.portal.catalog.settings import LocationSetting

    big(world, component, 10, per_file=1)
    wanted = [LocationSetting(target=f"{world.folder}/all/*.yaml")]
    world.locations.use_settings(wanted)
    world.ingest.refresh_due()
    world.locations.use_settings([])
    world.locations.use_settings(wanted)
    world.ingest.refresh_due()
    (location,) = world.locations.list().items
    assert (location.state, location.held, location.origin) == ("ok", None, "settings")
    assert world.problems() == []
    assert Path(location.target).parent.is_dir()


def test_words_are_found_by_their_beginnings_and_follow_every_change(world, component):
    from flagstone.portal.catalog import CatalogQuery

    def found(text):
        return [row.name for row in world.catalog.list(CatalogQuery(text=text)).items]

    world.write("a.yaml", component("invoice-service-00042", "team-blue"))
    world.write("b.yaml", component("other", "team-blue"))
    location = world.add("*.yaml")
    assert found("invo") == found("INVOICE-serv") == found("serv 00042 blue") == ["invoice-service-00042"]
    assert found("voice") == found("invoice other") == found('"x') == found("--") == []
    assert found("team_bl") == ["invoice-service-00042", "other"]
    world.write("a.yaml", component("invoice-service-00042", "team-red"))
    world.read(location)
    assert found("blue") == ["other"]
    assert found("red invoice") == ["invoice-service-00042"]
    (world.folder / "a.yaml").unlink()
    world.read(location)
    assert found("invoice") == []


def test_of_two_locations_that_are_written_together_the_first_keeps_a_name_until_it_gives_it_up(world, component):
    one = world.write("one.yaml", component("shared", extra="dependsOn: [component:other]\n"))
    world.write("two.yaml", component("shared", "search") + "---\n" + component("other"))
    world.write(
        "all.yaml",
        "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata:\n  name: all\n"
        "spec:\n  targets: [./one.yaml, ./two.yaml]\n",
    )
    location = world.add("all.yaml")
    world.ingest.refresh_tree(location.id)
    assert world.refs() == ["component:default/other", "component:default/shared", "location:default/all"]
    assert [problem.code for problem in world.problems()] == ["catalog.conflict"]
    kept = world.catalog.get("component:shared").owner
    assert world.catalog.get("component:other").related("dependencyOf") == (
        ["component:default/shared"] if kept != "group:default/search" else []
    )
    one.write_text(component("another"))
    world.ingest.refresh_tree(location.id)
    world.ingest.refresh_tree(location.id, force=True)
    assert "component:default/another" in world.refs()
    assert world.catalog.get("component:shared").owner == "group:default/search"
    assert world.problems() == []


def test_what_a_removed_location_file_led_to_goes_with_a_delta_and_the_rest_stays(world, component):
    source = Delta()
    world.ingest.add_source(source)
    world.write("one.yaml", component("one"))
    world.write("two.yaml", component("two"))
    naming = "apiVersion: backstage.io/v1alpha1\nkind: Location\nmetadata: {{name: {0}}}\nspec: {{type: url, target: 'https://x.example/{0}'}}\n"
    bodies = {"one": component("one"), "two": component("two")}
    world.fetched = lambda url, **_: SimpleNamespace(status=200, body=bodies[url[-3:]].encode(), etag="e", headers={})
    source.log += [("a", naming.format("one")), ("b", naming.format("two"))]
    location = world.add("x", "delta")
    both = ["component:default/one", "component:default/two"]
    assert [ref for ref in world.refs() if ref.startswith("component")] == both
    source.log.append(("a", None))
    world.read(location)
    assert [ref for ref in world.refs() if ref.startswith("component")] == both[1:]
    source.log.append(("c", component("three")))
    world.read(location)
    assert [ref for ref in world.refs() if ref.startswith("component")] == ["component:default/three", *both[1:]]
