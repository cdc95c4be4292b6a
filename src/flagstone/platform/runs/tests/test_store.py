"""Storing runs, on both databases."""

from __future__ import annotations

import runpy
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations

from flagstone.contracts.gateway import RunQuery
from flagstone.contracts.runs import StepDefinition, WorkflowDefinition
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Conflict
from flagstone.kernel.ids import new_id
from flagstone.platform.runs.model import Intent, RunRecord, StepRecord
from flagstone.platform.runs.store import EventStore, NewEvent, RunStore, StepStore, metadata
from flagstone.testing.databases import migrated, schema_differences

MIGRATIONS = Path(__file__).parents[1] / "migrations"
ANN = Principal("user", "user:ann", "Ann", role="developer", entity_ref="user:default/ann")


@pytest.fixture
def db(database):
    return migrated(database, runs=MIGRATIONS)


def record(title="Make a service", **changes):
    workflow = WorkflowDefinition(
        name="make", title=title, steps=(StepDefinition(id="one", name="One", action="debug:log"),)
    )
    values = {
        "id": new_id(),
        "number": 0,
        "title": title,
        "workflow": workflow,
        "inputs": {"name": "x"},
        "secrets": (),
        "state": "queued",
        "principal": ANN,
        "owner": None,
        "error": None,
        "output": {},
        "steps_total": 1,
        "steps_done": 0,
        "dispatch": 1,
        "fence": 0,
        "last_seq": 0,
        "created_at": utc_now(),
        "started_at": None,
        "ended_at": None,
    } | changes
    return RunRecord(**values)


def insert(db, run=None, key=None):
    return RunStore(db).insert(run or record(), idempotency_key=key, request_digest="d")


def test_the_migration_creates_the_tables_of_the_code(db):
    assert schema_differences(db, metadata) == []


def test_runs_are_numbered_from_one_and_found_by_number_and_id(db):
    first, second = insert(db), insert(db, record(subjects=("component:default/b", "component:default/a")))
    store = RunStore(db)
    assert (first.number, second.number) == (1, 2)
    assert store.get("2") == store.get(second.id) == second
    assert second.subjects == ("component:default/a", "component:default/b")
    assert second.principal == ANN
    assert store.get("3") is None


def test_an_idempotency_key_counts_per_actor(db):
    first = insert(db, key="k")
    assert insert(db, key="k") is None
    assert insert(db, record(principal=Principal("user", "user:bob", "Bob")), key="k") is not None
    assert RunStore(db).by_key("user:ann", "k")[0] == first
    assert insert(db).number > first.number


def test_numbers_are_unique_when_many_start_runs_at_once(db):
    threads = [threading.Thread(target=insert, args=(db,)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    page = RunStore(db).page(RunQuery())
    assert sorted(item.number for item in page.items) == list(range(1, 13))


def test_lists_are_filtered_and_paged_newest_first(db):
    store = RunStore(db)
    for number in range(5):
        insert(db, record(f"Run 100% of {number}", subjects=(f"component:default/c{number % 2}",)))
    page = store.page(RunQuery(limit=2))
    assert [item.number for item in page.items] == [5, 4]
    assert [item.number for item in store.page(RunQuery(limit=9, cursor=page.next_cursor)).items] == [3, 2, 1]
    assert [item.number for item in store.page(RunQuery(subject="component:default/c1")).items] == [4, 2]
    assert [item.number for item in store.page(RunQuery(text="100% of 3")).items] == [4]
    assert [item.number for item in store.page(RunQuery(text="#3")).items] == [4, 3]
    assert store.page(RunQuery(text="_un")).items == ()
    assert store.page(RunQuery(state=("failed",))).items == ()
    assert store.counts() == {"queued": 5}


def test_lists_are_counted_and_paged_by_number_for_clients_that_count(db):
    store = RunStore(db)
    bob = Principal("user", "user:bob", "Bob", entity_ref="user:default/bob")
    for number in range(6):
        insert(db, record(principal=ANN if number % 2 else bob, state="failed" if number > 3 else "queued"))
    page = store.page(RunQuery(actor_refs=("user:default/ann",), count=True, limit=2))
    assert ([item.number for item in page.items], page.total) == ([6, 4], 3)
    assert [item.number for item in store.page(RunQuery(offset=4)).items] == [2, 1]
    oldest = store.page(RunQuery(ascending=True, limit=2, offset=1))
    assert ([item.number for item in oldest.items], oldest.next_cursor) == ([2, 3], None)
    by_state = store.page(RunQuery(order="state", ascending=True, limit=3))
    assert [(item.state, item.number) for item in by_state.items] == [("failed", 6), ("failed", 5), ("queued", 4)]
    by_maker = store.page(RunQuery(order="actor_ref", limit=4))
    assert [item.number for item in by_maker.items] == [5, 3, 1, 6]
    assert store.page(RunQuery(offset=100, count=True)).total == 6


def test_whose_runs_they_are_is_known_of_those_from_before(db):
    insert(db)
    path = MIGRATIONS / "0006_actor_ref.py"
    migration = runpy.run_path(str(path))
    with db.write() as conn, Operations.context(MigrationContext.configure(conn)):
        migration["downgrade"]()
        migration["upgrade"]()
    assert len(RunStore(db).page(RunQuery(actor_refs=("user:default/ann",))).items) == 1


def test_an_executor_that_lost_the_run_cannot_write(db):
    run = insert(db)
    store, events = RunStore(db), EventStore(db)
    old = store.begin(run.id, 1, utc_now())
    new = store.begin(run.id, 1, utc_now())
    assert (old.fence, new.fence, new.state) == (1, 2, "running")
    with pytest.raises(Conflict):
        events.append(run.id, [NewEvent(utc_now(), "log", text="late")], fence=old.fence)
    with pytest.raises(Conflict):
        store.change(run.id, {"state": "succeeded"}, fence=old.fence)
    assert events.append(run.id, [NewEvent(utc_now(), "log", text="mine")], fence=new.fence) == "running"
    assert store.begin(run.id, 2, utc_now()) is None, "another execution is not the current one"


def test_a_reader_of_events_never_sees_a_gap_while_many_write(db):
    run = insert(db)
    events, seen, done = EventStore(db), [], threading.Event()

    def write(name):
        for number in range(20):
            events.append(run.id, [NewEvent(utc_now(), "log", text=f"{name}.{number}.{part}") for part in range(3)])

    def read():
        while not (done.is_set() and len(seen) >= 360):
            seen.extend(events.read(run.id, after=seen[-1].seq if seen else 0, limit=50))

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(name,)) for name in range(6)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join(30)
    assert [item.seq for item in seen] == list(range(1, 361))
    assert len({item.text for item in seen}) == 360


def test_steps_are_counted_and_replaced_by_their_turns(db):
    run = insert(db)
    steps = StepStore(db)
    steps.add(run.id, [StepRecord("one", 0, "One", "debug:log"), StepRecord("two", 1, "Two", "debug:log")])
    steps.change(run.id, "one", state="succeeded", outputs={"a": [1]})
    turns = [StepRecord(f"two[{n}]", 1, "Two", "debug:log", turn=n, key=str(n), value={"v": n}) for n in range(3)]
    steps.replace(run.id, 1, turns)
    assert [step.id for step in steps.of(run.id)] == ["one", "two[0]", "two[1]", "two[2]"]
    assert steps.of(run.id)[0].outputs == {"a": [1]}
    after = RunStore(db).get(run.id)
    assert (after.steps_done, after.steps_total) == (1, 4)


def test_an_intent_survives_and_is_opened_again(db):
    run = insert(db)
    steps = StepStore(db)
    steps.open_intent(Intent("k", run.id, "one", "debug:log", "d"), utc_now())
    assert steps.intent("k").state == "open"
    steps.release_intents(run.id, "one")
    assert steps.intent("k").state == "released"
    steps.open_intent(Intent("k", run.id, "one", "debug:log", "d"), utc_now())
    steps.close_intent("k", "done", {"x": 1}, utc_now())
    assert steps.intent("k").outputs == {"x": 1}


def test_a_run_that_is_opened_again_gets_a_new_execution(db):
    run = insert(db)
    store = RunStore(db)
    assert store.reopen(run.id, ("failed",), state="queued") is None
    taken = store.begin(run.id, 1, utc_now())
    store.change(run.id, {"state": "failed", "error": {"code": "x"}, "ended_at": utc_now()}, fence=taken.fence)
    assert [item.id for item in store.untidied(utc_now() + timedelta(seconds=1))] == [run.id]
    assert store.reopen(run.id, ("failed",), state="queued") == 2
    again = store.get(run.id)
    assert (again.state, again.error, again.ended_at) == ("queued", None, None)
    assert again.fence > taken.fence
