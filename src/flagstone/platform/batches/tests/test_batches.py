"""Each entity of a batch becomes exactly one run, whatever fails, is refused, cancelled or killed."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError
from sqlalchemy import event

import flagstone.platform.batches as slice_
from flagstone.contracts.batches import NewBatch
from flagstone.contracts.gateway import RunQuery
from flagstone.foundation.identity import Makers
from flagstone.foundation.vault import VaultKey, VaultService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound, Unavailable
from flagstone.platform.batches import PERMISSIONS, BatchService
from flagstone.platform.batches.service import BatchSecrets, Driver
from flagstone.platform.batches.settings import BatchesSettings
from flagstone.platform.batches.store import BatchStore, metadata
from flagstone.platform.runs.tests.harness import Harness, Speak, append, lines
from flagstone.platform.workflows import PERMISSIONS as PLANS
from flagstone.platform.workflows import WorkflowService
from flagstone.platform.workflows.service.planning import Planner
from flagstone.platform.workflows.service.policies import PolicyRegistry
from flagstone.testing.databases import migrated, schema_differences
from flagstone.toolkit.db import PlatformDatabase

MIGRATIONS = Path(slice_.__file__).parent / "migrations"
NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
ANN = Principal("user", "user:ann", "Ann", "developer", "user:default/ann")
BOB = Principal("user", "user:bob", "Bob", "developer", "user:default/bob")
EVE = Principal("user", "user:eve", "Eve", "maintainer", "user:default/eve")
VIC = Principal("user", "user:vic", "Vic", "viewer", "user:default/vic")
STEP = {"id": "s", "name": "Say", "action": "speak", "input": {"text": "${{ parameters.text }}"}}
FAIL = {**STEP, "input": {"text": "x", "fail": "${{ parameters.fail }}"}}
SCHEMA = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}


TARGET = {**STEP, "action": "count:target", "input": {"name": "${{ parameters.text }} ${{ secrets.key }}"}}
MOOD = {**STEP, "action": "mood"}


class Mood(Speak):
    """Fails for those that a file names."""

    id = "mood"

    def run(self, ctx, inputs):
        if inputs.text in (self.folder / "mood").read_text().split():
            raise ValueError("in no mood")
        return super().run(ctx, inputs)


class Whisper(Mood):
    """Writes down the secret that it is given, and says it where it should not."""

    id = "whisper"

    class Input(Speak.Input):
        key: str

    def run(self, ctx, inputs):
        append(self.folder / "heard", f"{inputs.text} {inputs.key}")
        ctx.log(f"the key is {inputs.key}")
        if inputs.text in (self.folder / "mood").read_text().split():
            raise ValueError(f"{inputs.key} is not good enough")
        return self.Output(key=inputs.key)


class World(Harness):
    """Runs and batches, without threads that look by themselves."""

    def __init__(self, folder, **values):
        self.moment = NOON
        super().__init__(folder, migrations={"batches": MIGRATIONS}, extend=type(self)._extend, concurrency=8, **values)

    def _extend(self):
        self.access.register([*PERMISSIONS, *PLANS])
        parts = self.parts
        planner = Planner(parts.registry, parts.workspaces, parts.sources, self.access, PolicyRegistry())
        self.workflows = WorkflowService(self.runs, parts.registry, planner, self.access)
        self.people = {}
        accounts = SimpleNamespace(by_id=self.by_id)
        identity = SimpleNamespace(accounts=accounts, principal_of=lambda account, via: account.principal)
        self.makers = Makers(identity)
        self.vault = VaultService(self.db, VaultKey(b"k" * 32), self.audit)
        self.secrets = BatchSecrets(self.vault, BatchesSettings())
        self.store = BatchStore(self.db)
        self.driver = self.new_driver()
        self.batches = BatchService(
            self.store,
            self.workflows,
            self.makers,
            self.secrets,
            access=self.access,
            audit=self.audit,
            events=self.outbox,
            now=self.now,
        )
        return [Mood(self.folder), Whisper(self.folder)]

    def mood(self, text):
        (self.folder / "mood").write_text(text)

    def now(self):
        return self.moment

    def by_id(self, ident):
        if ident not in self.people:
            raise NotFound("identity.no_account", "There is no such account.")
        return self.people[ident]

    def new_driver(self, store=None):
        return Driver(
            store or self.store,
            self.workflows,
            self.runs,
            self.makers,
            self.secrets,
            events=self.outbox,
            audit=self.audit,
            now=self.now,
        )

    def make(self, count=3, actor=ANN, step=STEP, fail=(), inputs=None, **values):
        things = [
            {
                "subject": f"component:default/s{number}",
                "title": f"Speak to s{number}",
                "inputs": inputs(number) if inputs else {"text": f"s{number}", "fail": "no" if number in fail else ""},
            }
            for number in range(count)
        ]
        flow = {"name": "test", "title": "A test", "steps": [step], "parameters": SCHEMA}
        wanted = {"title": "Speak to all", "workflow": flow, "items": things, **values}
        return self.batches.start(NewBatch.model_validate(wanted), actor)

    def runs_of(self, made):
        return list(self.runs.list_runs(RunQuery(triggered_by=made.id, limit=500), EVE).items)

    def view(self, made):
        return self.batches.get(made.id, EVE)

    def states(self, made):
        return [item.state for item in self.batches.items(made.id, EVE, limit=500).items]

    def settle(self, made):
        """Drive it, as its threads do, until its runs have ended and nothing more begins."""
        while True:
            started = self.driver.drive(made.id)
            going = [item.run_id for item in self.store.members(made.id, ("queued", "running"), -1, 500)]
            for run_id in going:
                self.wait(run_id, "succeeded", "failed", "cancelled", "waiting")
            if not started and not going:
                return self.view(made)

    def told(self, made):
        found = [event for event in self.outbox.read(limit=100_000) if event.type == "batch.changed"]
        return [event.data["state"] for event in found if event.subject == made.id]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    found = World(tmp_path_factory.mktemp("batches"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def world(shared):
    shared.moment = NOON
    shared.people.clear()
    return shared


def test_the_migration_makes_exactly_the_tables_of_the_code(database):
    assert schema_differences(migrated(database, batches=MIGRATIONS), metadata) == []


def test_both_databases_claim_each_entity_once_and_count_by_state(database, world):
    made = world.make(5, at_once=2)
    known = world.store.get(made.id)
    members = world.store.members(made.id, (), -1, 10)
    store = BatchStore(migrated(database, batches=MIGRATIONS))
    assert store.add(replace(known, principal=replace(ANN, scopes=frozenset({"read"}))), members, "key")
    assert not store.add(replace(known, id="other"), members, "key")
    assert store.by_key(ANN.id, "key") == store.get(made.id)
    assert store.get(made.id).principal.scopes == {"read"}

    def take(_):
        with store.db.write():
            store.lock(made.id)
            counts = store.counts([made.id])[made.id]
            return store.claim(made.id, 3 - counts.active, NOON, NOON - timedelta(seconds=15))

    with ThreadPoolExecutor(4) as pool:
        taken = [item.position for found in pool.map(take, range(4)) for item in found]
    assert taken == [0, 1, 2]
    later = NOON + timedelta(minutes=1)
    with store.db.write():
        assert [item.position for item in store.claim(made.id, 0, later, NOON)] == [0, 1, 2]
    assert store.move(members[0], ("starting",), state="running", run_id="r", run_number=1)
    assert not store.move(members[0], ("starting",), state="failed")
    assert store.of_runs(["r"])[0].subject == "component:default/s0"
    assert store.skip_subject("component:default/s4", "gone", NOON) == [made.id]
    counts = store.counts([made.id, "none"])
    assert (counts[made.id].total, counts[made.id].queued, counts[made.id].running) == (5, 2, 1)
    assert (counts[made.id].skipped, counts["none"].total) == (1, 0)
    assert store.alive() == [made.id]
    assert [batch.id for batch in store.page(("running",), None, 5)] == [made.id]


def test_every_entity_gets_one_run_that_is_about_it_and_never_more_at_once_than_asked(world):
    made = world.make(6, at_once=2)
    most = 0
    while world.view(made).state == "running":
        world.driver.drive(made.id)
        most = max(most, world.view(made).counts.active)
        for run in world.runs_of(made):
            world.wait(run.id)
    assert most == 2
    seen = world.view(made)
    assert (seen.state, seen.counts.succeeded, seen.counts.total) == ("succeeded", 6, 6)
    runs = world.runs_of(made)
    assert sorted(run.subjects[0] for run in runs) == [f"component:default/s{number}" for number in range(6)]
    assert {(run.trigger, run.actor) for run in runs} == {("batch", ANN.id)}
    assert "Speak to s3" in {run.title for run in runs}
    assert world.told(made) == ["running", "succeeded"]


def test_workers_that_drive_the_same_batch_at_once_start_nothing_twice(world):
    made = world.make(8, at_once=4)
    drivers = [world.new_driver() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            list(pool.map(lambda driver: driver.drive(made.id), drivers))
            assert world.view(made).counts.active <= 4
    assert world.settle(made).state == "succeeded"
    assert len(world.runs_of(made)) == 8


def test_two_servers_on_postgresql_start_the_run_of_an_entity_once(postgres_server, tmp_path):
    """Each server has connections of its own; what is decided between them is decided by the database."""
    url = postgres_server.create_database()
    world = World(tmp_path, url=url)
    made = world.make(9, at_once=6)
    others = [BatchStore(PlatformDatabase(url)) for _ in range(2)]
    drivers = [world.new_driver(), *(world.new_driver(store) for store in others)]
    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(lambda driver: driver.drive(made.id), drivers)) == 6
        assert sum(pool.map(lambda driver: driver.drive(made.id), drivers)) == 0
    runs = world.runs_of(made)
    assert sorted(run.subjects[0] for run in runs) == [f"component:default/s{number}" for number in range(6)]
    assert (world.view(made).counts.active, world.view(made).counts.pending) == (6, 3)
    for store in (*others, world):
        store.db.close()
    postgres_server.drop_database(url)


def test_a_thousand_entities_are_looked_at_page_by_page(world):
    made = world.make(1_000, at_once=1)
    engine, asked = world.db.engine, []

    def note(conn, cursor, statement, *_):
        if "batches_" in statement:
            asked.append(cursor)

    event.listen(engine, "after_cursor_execute", note)
    try:
        page = world.batches.items(made.id, VIC, limit=50)
        listed = world.batches.list(VIC, limit=10)
        assert (len(page.items), listed.items[0].counts.total, len(asked)) == (50, 1_000, 4)
        asked.clear()
        world.driver.drive(made.id)
        assert len(asked) < 12
    finally:
        event.remove(engine, "after_cursor_execute", note)
    world.batches.change(made.id, "cancel", ANN)
    assert world.settle(made).counts.skipped == 999
    with pytest.raises(ValidationError):
        world.make(1_001)


def test_killed_at_any_place_of_a_start_there_is_still_one_run_for_each(world, monkeypatch):
    """Before the run is asked for, and after it is there and not written down."""
    for owner, method in ((WorkflowService, "submit"), (BatchStore, "move")):
        made = world.make(2)
        monkeypatch.setattr(owner, method, lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            world.driver.drive(made.id)
        monkeypatch.undo()
        assert world.driver.drive(made.id) == 0
        assert world.states(made) == ["starting", "starting"]
        world.moment += timedelta(minutes=1)
        assert world.settle(made).state == "succeeded"
        assert len(world.runs_of(made)) == 2


CHILD = """
import os, sys
from datetime import timedelta
from pathlib import Path
from flagstone.platform.batches.store import BatchStore
from flagstone.platform.batches.tests.test_batches import EVE, TARGET, World

world = World(Path(sys.argv[1])).start()
world.moment += timedelta(minutes=int(sys.argv[2]))
there = world.batches.list(EVE).items
made = there[0] if there else world.make(5, step=TARGET, at_once=3, secrets={"key": "hunter2"})
moves = iter(range(int(sys.argv[3])))
move = BatchStore.move
BatchStore.move = lambda *given, **values: os._exit(137) if next(moves, None) is None else move(*given, **values)
print(world.settle(made).state, len(world.runs_of(made)), len(world.vault.under("batches/")))
world.stop()
"""


def test_a_process_that_is_killed_in_the_middle_leaves_a_batch_that_others_finish(tmp_path):
    for turn, moves, code, said in ((1, 2, 137, ""), (2, 1_000, 0, "succeeded 5 0\n")):
        command = [sys.executable, "-c", CHILD, str(tmp_path), str(turn), str(moves)]
        done = subprocess.run(command, timeout=60, check=False, capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (code, said), done.stderr[-3000:]
    assert sorted(line.split()[1:] for line in lines(tmp_path / "ledger")) == [[f"s{n}", "hunter2"] for n in range(5)]


def test_it_stops_when_too_many_fail_and_goes_on_when_somebody_says_so(world):
    made = world.make(6, step=FAIL, fail=(1, 3), at_once=1)
    stopped = world.settle(made)
    assert (stopped.state, stopped.reason) == ("stopped", "1 of 6 failed.")
    assert (stopped.counts.succeeded, stopped.counts.failed, stopped.counts.pending) == (1, 1, 4)
    assert world.driver.drive(made.id) == 0
    failed = next(item for item in world.batches.items(made.id, EVE, state=("failed",)).items)
    assert "no" in failed.error
    world.batches.change(made.id, "continue", ANN)
    assert world.settle(made).counts.failed == 2
    world.batches.change(made.id, "continue", ANN)
    ended = world.settle(made)
    assert (ended.state, ended.counts.succeeded, ended.counts.failed) == ("failed", 4, 2)
    assert world.told(made) == ["running", "stopped", "running", "stopped", "running", "failed"]


def test_runs_that_go_already_finish_when_it_stops(world):
    slow = {"id": "s", "name": "Say", "action": "speak", "input": {"fail": "${{ parameters.fail }}", "wait": 0.3}}
    made = world.make(4, step=slow, fail=(0,), at_once=2)
    stopped = world.settle(made)
    assert (stopped.state, stopped.counts.failed, stopped.counts.succeeded) == ("stopped", 1, 1)
    assert stopped.counts.pending == 2


def test_the_failed_ones_are_retried_in_the_runs_that_they_have(world):
    world.mood("s1 s2")
    made = world.make(4, step=MOOD, at_once=1)
    assert world.settle(made).state == "stopped"
    before = {run.id for run in world.runs_of(made)}
    world.mood("s2")
    world.batches.change(made.id, "retry", ANN)
    assert world.view(made).counts.failed == 0
    stopped = world.settle(made)
    assert (stopped.state, stopped.counts.succeeded, stopped.counts.failed) == ("stopped", 2, 1)
    world.mood("")
    world.batches.change(made.id, "retry", EVE)
    assert world.settle(made).state == "succeeded"
    assert before < {run.id for run in world.runs_of(made)}
    assert len(world.runs_of(made)) == 4
    with pytest.raises(Conflict):
        world.batches.change(made.id, "retry", ANN)


def test_killed_between_a_retry_and_writing_it_down_it_is_tried_once(world, monkeypatch):
    world.mood("s0")
    made = world.make(1, step=MOOD)
    world.settle(made)
    world.mood("")
    world.batches.change(made.id, "retry", ANN)
    monkeypatch.setattr(BatchStore, "move", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        world.driver.drive(made.id)
    monkeypatch.undo()
    (run,) = world.runs_of(made)
    world.wait(run.id, "succeeded")
    world.moment += timedelta(minutes=1)
    assert world.settle(made).state == "succeeded"
    assert world.states(made) == ["succeeded"]


def test_a_run_that_is_retried_by_hand_makes_the_batch_right_again(world):
    world.mood("s0")
    made = world.make(2, step=MOOD, stop_after_failures=0)
    assert world.settle(made).state == "failed"
    world.mood("")
    run_id = world.batches.items(made.id, EVE, state=("failed",)).items[0].run_id
    world.runs.retry(run_id, EVE)
    world.wait(run_id, "succeeded")
    for told in world.outbox.read(limit=100_000):
        world.driver.heard(told)
    assert world.view(made).state == "succeeded"


def test_paused_it_starts_nothing_and_going_on_it_starts_the_rest(world):
    made = world.make(3, at_once=1)
    world.driver.drive(made.id)
    world.batches.change(made.id, "pause", ANN)
    paused = world.settle(made)
    assert (paused.state, paused.counts.succeeded, paused.counts.pending) == ("paused", 1, 2)
    world.batches.change(made.id, "continue", ANN)
    assert world.settle(made).state == "succeeded"


def test_cancelled_it_cancels_what_goes_and_never_starts_the_rest(world, monkeypatch):
    made = world.make(4, step={**STEP, "input": {"wait": 20}}, at_once=2)
    monkeypatch.setattr(BatchStore, "move", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        world.driver.drive(made.id)
    monkeypatch.undo()
    world.batches.change(made.id, "cancel", ANN)
    world.driver.drive(made.id)
    assert world.view(made).state == "cancelling"
    world.moment += timedelta(minutes=1)
    assert world.settle(made).state == "cancelled"
    assert world.states(made) == ["cancelled", "skipped", "skipped", "skipped"]
    assert [run.state for run in world.runs_of(made)] == ["cancelled"]
    with pytest.raises(Conflict):
        world.batches.change(made.id, "retry", ANN)


def test_a_batch_of_a_token_that_may_cancel_no_runs_can_be_cancelled(world):
    narrow = replace(ANN, scopes=frozenset({"batches", "workflows", "runs.run.start", "runs.run.read"}))
    made = world.make(3, narrow, step={**STEP, "input": {"wait": 20}}, at_once=1)
    assert world.driver.drive(made.id) == 1
    world.batches.change(made.id, "cancel", EVE)
    assert world.settle(made).state == "cancelled"
    assert world.states(made) == ["cancelled", "skipped", "skipped"]


def test_a_batch_that_cannot_be_driven_holds_up_no_other(world, monkeypatch):
    broken, sound = world.make(1), world.make(1)
    drive = Driver.drive

    def fail(driver, batch_id):
        if batch_id == broken.id:
            raise RuntimeError("broken")
        return drive(driver, batch_id)

    monkeypatch.setattr(Driver, "drive", fail)
    assert world.driver.sweep()
    assert world.states(broken) == ["pending"]
    assert world.states(sound) != ["pending"]
    monkeypatch.undo()
    for made in (broken, sound):
        assert world.settle(made).state == "succeeded"


def test_a_run_cancelled_by_hand_is_no_failure_and_the_rest_goes_on(world):
    made = world.make(3, step={**STEP, "input": {"wait": "${{ parameters.wait }}"}}, inputs=waiting, at_once=1)
    world.driver.drive(made.id)
    (run,) = world.runs_of(made)
    world.runs.cancel(run.id, EVE)
    ended = world.settle(made)
    assert (ended.state, ended.counts.cancelled, ended.counts.succeeded) == ("failed", 1, 2)


def waiting(number):
    return {"text": "x", "wait": 20 if number == 0 else 0}


def test_entities_that_the_maker_may_not_do_it_for_fail_with_the_reason(world):
    made = world.make(2, step={**STEP, "action": "admin:speak"}, stop_after_failures=0)
    ended = world.settle(made)
    assert (ended.state, ended.counts.failed) == ("failed", 2)
    assert all("may not" in item.error for item in world.batches.items(made.id, EVE).items)


def test_somebody_who_lost_the_rights_meanwhile_starts_nothing_more(world):
    world.people["ann"] = SimpleNamespace(principal=ANN, disabled=False)
    made = world.make(3, at_once=1)
    world.driver.drive(made.id)
    world.people["ann"].principal = replace(ANN, role="viewer")
    ended = world.settle(made)
    assert (ended.state, ended.counts.succeeded, ended.counts.failed) == ("stopped", 1, 1)
    world.people.clear()
    world.batches.change(made.id, "retry", EVE)
    assert world.settle(made).state == "stopped"
    assert "no account any more" in world.batches.items(made.id, EVE, state=("failed",)).items[0].error


def test_an_entity_that_was_unregistered_meanwhile_is_left_out(world):
    made = world.make(3, at_once=1)
    world.driver.drive(made.id)
    world.outbox.publish("catalog.location.withdrawn", "x", {"entity_ref": "Component:default/s2"})
    for told in world.outbox.read(limit=100_000):
        world.driver.heard(told)
    assert world.settle(made).state == "succeeded"
    assert world.states(made) == ["succeeded", "succeeded", "skipped"]
    assert len(world.runs_of(made)) == 2


def test_a_platform_that_cannot_start_one_now_tries_it_again(world, monkeypatch):
    made = world.make(2)

    def away(*_):
        raise Unavailable("test.away", "The engine is away.")

    monkeypatch.setattr(WorkflowService, "submit", away)
    assert world.driver.drive(made.id) == 0
    monkeypatch.undo()
    world.moment += timedelta(minutes=1)
    assert world.settle(made).state == "succeeded"


def test_wrong_inputs_are_said_for_each_entity_before_anything_starts(world):
    with pytest.raises(Invalid) as refused:
        world.make(3, inputs=lambda number: {"text": "x"} if number == 1 else {"text": 7})
    assert [problem.field for problem in refused.value.problems] == ["component:default/s0", "component:default/s2"]
    with pytest.raises(Invalid, match="1 of 2"):
        world.make(2, items=[{"subject": "component:default/a", "inputs": {"text": "x"}}] * 2)


def test_asked_twice_with_one_key_there_is_one_batch(world):
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda _: world.make(2, idempotency_key="once").id, range(2)))
    assert made[0] == made[1]
    assert world.make(2, BOB, idempotency_key="once").id != made[0]


def test_only_the_maker_and_maintainers_may_change_it_and_viewers_start_none(world):
    made = world.make()
    with pytest.raises(Denied):
        world.make(actor=VIC)
    for actor in (BOB, VIC):
        assert not world.batches.get(made.id, actor).may_change
        with pytest.raises(Denied):
            world.batches.change(made.id, "pause", actor)
    assert world.batches.change(made.id, "pause", EVE).state == "paused"
    with pytest.raises(Conflict):
        world.batches.change(made.id, "pause", ANN)
    with pytest.raises(NotFound):
        world.batches.get("none", ANN)


def test_lists_are_paged(world):
    made = world.make(3)
    page = world.batches.items(made.id, VIC, limit=2)
    assert [item.position for item in page.items] == [0, 1]
    assert [item.position for item in world.batches.items(made.id, VIC, cursor=page.next_cursor).items] == [2]
    first = world.batches.list(VIC, limit=1)
    assert first.items[0].id == made.id
    assert world.batches.list(VIC, limit=1, cursor=first.next_cursor).items[0].id < made.id
