"""Each due time starts one run and each event that fits starts one, with the rights of who made the trigger."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

import flagstone.platform.triggers as slice_
from flagstone.contracts.gateway import RunQuery
from flagstone.contracts.runs import RunRequest
from flagstone.contracts.triggers import NewTrigger, TriggerChange
from flagstone.foundation.identity import Makers
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Denied, Invalid, NotFound, Unavailable
from flagstone.platform.runs.tests.harness import Harness
from flagstone.platform.triggers import PERMISSIONS, TriggerService, store
from flagstone.platform.triggers.service import Firing
from flagstone.platform.triggers.store import TriggerStore, metadata
from flagstone.platform.workflows import PERMISSIONS as PLANS
from flagstone.platform.workflows import WorkflowService
from flagstone.platform.workflows.service.planning import Planner
from flagstone.platform.workflows.service.policies import PolicyRegistry
from flagstone.testing.databases import migrated, schema_differences

MIGRATIONS = Path(slice_.__file__).parent / "migrations"
START = datetime(2026, 6, 1, 12, 0, 30, tzinfo=UTC)
OWNERS = "group:default/payments"
ANN = Principal("user", "user:ann", "Ann", "developer", "user:default/ann", frozenset({OWNERS}))
BOB = Principal("user", "user:bob", "Bob", "developer", "user:default/bob")
EVE = Principal("user", "user:eve", "Eve", "maintainer", "user:default/eve")
VIC = Principal("user", "user:vic", "Vic", "viewer", "user:default/vic")


class Accounts:
    """Who has an account; the roles can be changed."""

    def __init__(self):
        self.accounts = self
        self.people = {}

    def by_id(self, ident):
        if ident not in self.people:
            raise NotFound("identity.no_account", "There is no such account.")
        return self.people[ident]

    def principal_of(self, account, *, via):
        return replace(account.principal, via=via)

    def add(self, principal):
        ident = principal.id.removeprefix("user:")
        self.people[ident] = SimpleNamespace(principal=principal, disabled=False)
        return self.people[ident]


class World(Harness):
    """Runs and triggers, without threads that look at the clock."""

    def __init__(self, folder):
        self.moment = START
        super().__init__(folder, migrations={"triggers": MIGRATIONS}, extend=type(self)._extend)

    def now(self):
        return self.moment

    def _extend(self):
        self.access.register([*PERMISSIONS, *PLANS])
        parts = self.parts
        planner = Planner(parts.registry, parts.workspaces, parts.sources, self.access, PolicyRegistry())
        self.workflows = WorkflowService(self.runs, parts.registry, planner, self.access)
        self.people = Accounts()
        self.store = TriggerStore(self.db)
        self.firing = Firing(self.store, self.workflows, self.runs, Makers(self.people), now=self.now)
        self.triggers = TriggerService(self.store, self.firing, self.workflows, self.access, self.audit, now=self.now)
        return []

    def make(self, actor=ANN, text="hello", request=None, **values):
        steps = [{"id": "s", "name": "Say", "action": "speak", "input": {"text": "${{ parameters.text }}"}}]
        wanted = {
            "workflow": {"name": "test", "title": "A test", "steps": steps},
            "inputs": {"text": text},
            "owner": OWNERS,
            **(request or {}),
        }
        given = {"title": "Every hour", "cron": "0 * * * *", "request": RunRequest.model_validate(wanted), **values}
        return self.triggers.create(NewTrigger(**given), actor)

    def started(self, made):
        return list(self.runs.list_runs(RunQuery(triggered_by=made.id), EVE).items)

    def at(self, hours, seconds=0):
        self.moment = START.replace(minute=0, second=0) + timedelta(hours=hours, seconds=seconds)

    def view(self, made):
        return self.triggers.get(made.id, EVE)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    found = World(tmp_path_factory.mktemp("triggers"))
    found.start()
    yield found
    found.stop()


@pytest.fixture
def world(shared):
    shared.moment = START
    shared.people.people.clear()
    for item in shared.store.page(None, None, 100):
        shared.store.delete(item.id)
    return shared


def test_the_migration_makes_exactly_the_table_of_the_code(database):
    assert schema_differences(migrated(database, triggers=MIGRATIONS), metadata) == []


def test_a_trigger_comes_back_from_both_databases_as_it_was_and_moves_on_once(database, world):
    made = world.store.get(world.make(request={"subjects": ["component:default/shop"]}).id)
    store = TriggerStore(migrated(database, triggers=MIGRATIONS))
    scoped = replace(made, principal=replace(ANN, scopes=frozenset({"read"})))
    store.add(scoped)
    assert store.get(made.id) == scoped
    assert [item.id for item in store.due(made.next_at, 5)] == [made.id]
    assert store.due(made.next_at - timedelta(seconds=1), 5) == []
    later = made.next_at + timedelta(hours=1)
    assert [store.advance(made.id, made.next_at, {"next_at": later}) for _ in range(2)] == [True, False]


def test_each_due_time_starts_exactly_one_run_however_many_look(world):
    made = world.make()
    assert world.firing.tick() == 0
    world.at(1, 1)
    with ThreadPoolExecutor(4) as pool:
        moved = list(pool.map(lambda _: world.firing.tick(), range(4)))
    assert sum(moved) == 1
    (run,) = world.started(made)
    assert (run.trigger, run.actor, run.title) == ("schedule", ANN.id, "A test")
    assert world.wait(run.id, "succeeded").state == "succeeded"
    assert world.view(made).last_run == run.id
    world.at(2)
    world.firing.tick()
    assert len(world.started(made)) == 2


def test_killed_after_the_start_and_before_it_was_written_down_there_is_still_one_run(world, monkeypatch):
    made = world.make()
    world.at(1)
    monkeypatch.setattr(TriggerStore, "advance", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        world.firing.tick()
    monkeypatch.undo()
    assert world.firing.tick() == 1
    assert len(world.started(made)) == 1


@pytest.mark.parametrize(("missed", "runs"), [("skip", 0), ("once", 1), ("all", 4)])
def test_what_was_due_while_nobody_was_there_is_made_up_for_as_was_asked(world, missed, runs):
    made = world.make(missed=missed)
    world.at(4, 1800)
    while world.firing.tick():
        pass
    assert len(world.started(made)) == runs
    assert world.view(made).upcoming[0] == START.replace(hour=17, minute=0, second=0)


def test_paused_it_starts_nothing_and_going_on_it_makes_up_for_nothing(world):
    made = world.make(missed="all")
    world.triggers.pause(made.id, ANN, paused=True)
    world.at(3, 1)
    assert world.firing.tick() == 0
    world.triggers.pause(made.id, ANN, paused=False)
    assert world.firing.tick() == 0
    world.at(4, 1)
    world.firing.tick()
    assert len(world.started(made)) == 1


def test_its_runs_have_the_rights_that_the_maker_has_today(world):
    account = world.people.add(ANN)
    made = world.make()
    account.principal = replace(ANN, role="viewer", groups=frozenset())
    world.at(1)
    assert world.firing.tick() == 1
    assert world.started(made) == []
    assert world.view(made).last_error
    account.principal, account.disabled = ANN, True
    world.at(2)
    world.firing.tick()
    world.people.people.clear()
    world.at(3)
    world.firing.tick()
    assert world.started(made) == []
    assert "no account any more" in world.view(made).last_error
    world.people.add(ANN)
    world.at(4)
    world.firing.tick()
    assert (len(world.started(made)), world.view(made).last_error) == (1, "")


def test_a_platform_that_cannot_start_it_now_tries_the_same_due_time_again(world, monkeypatch):
    made = world.make()
    world.at(1)

    def away(*_):
        raise Unavailable("test.away", "The engine is away.")

    monkeypatch.setattr(WorkflowService, "submit", away)
    assert world.firing.tick() == 0
    monkeypatch.undo()
    assert world.firing.tick() == 1
    assert len(world.started(made)) == 1


def test_only_the_maker_the_owners_and_maintainers_may_change_it(world):
    made = world.make()
    for actor in (BOB, VIC):
        for call in (
            lambda who: world.triggers.pause(made.id, who, paused=True),
            lambda who: world.triggers.run(made.id, who),
            lambda who: world.triggers.delete(made.id, who),
        ):
            with pytest.raises(Denied):
                call(actor)
    with pytest.raises(Denied):
        world.make(VIC, request={"owner": None})
    colleague = replace(BOB, groups=frozenset({OWNERS}))
    assert world.triggers.pause(made.id, colleague, paused=True).paused
    assert world.triggers.run(made.id, EVE).actor == EVE.id
    world.triggers.delete(made.id, EVE)
    with pytest.raises(NotFound):
        world.view(made)


def test_secrets_and_requests_that_cannot_run_are_refused_at_once(world):
    with pytest.raises(Invalid, match="secrets"):
        world.make(request={"secrets": {"token": "x"}})
    nothing = {"name": "x", "title": "X", "steps": [{"id": "a", "name": "A", "action": "no:such"}]}
    with pytest.raises(Invalid):
        world.make(request={"workflow": nothing})
    with pytest.raises(Invalid):
        world.make(kind="event", cron="")


def event(world, type_="repository.pushed", subject="acme/shop", **data):
    world.outbox.publish(type_, subject, data)
    # Runs that were started before tell of themselves meanwhile.
    return [one for one in world.outbox.read() if (one.type, one.subject) == (type_, subject)][-1]


def test_an_event_starts_one_run_with_inputs_rendered_from_it(world):
    made = world.make(
        kind="event",
        cron="",
        event_type="repository.pushed",
        conditions={"data.branch": "main"},
        text="${{ event.subject }} at ${{ event.data.after }}",
    )
    with pytest.raises(Invalid):
        world.triggers.run(made.id, ANN)
    pushed = event(world, branch="main", after="c0ffee")
    world.firing.heard(event(world, branch="other", after="x"))
    for _ in range(2):
        world.firing.heard(pushed)
    assert world.view(made).last_error == ""
    (run,) = world.started(made)
    found = world.runs.get(run.id, EVE)
    assert (found.inputs, found.trigger) == ({"text": "acme/shop at c0ffee"}, "event")
    world.firing.heard(event(world, branch="main", after="more", run=run.id))
    assert len(world.started(made)) == 1


def test_inputs_that_cannot_be_rendered_are_said_and_start_nothing(world):
    made = world.make(kind="event", event_type="repository.pushed", text="${{ event.data. }}", cron="")
    world.firing.heard(event(world, branch="main"))
    assert world.started(made) == []
    assert world.view(made).last_error


def test_the_last_firings_are_remembered_with_their_runs_and_why_one_started_nothing(world, monkeypatch):
    made = world.make(kind="event", cron="", event_type="repository.pushed", text="${{ event.data.branch }}")
    world.firing.heard(event(world, subject="acme/shop", branch="main"))
    world.moment += timedelta(minutes=1)
    world.people.add(ANN).disabled = True
    world.store.change(made.id, {"known_here": 1})
    refused = event(world, subject="acme/cart", branch="main")
    for _ in range(2):
        world.firing.heard(refused)
    last, first = world.view(made).firings
    assert (last.event_subject, last.run_id, "no account" in last.error) == ("acme/cart", None, True)
    (run,) = world.started(made)
    assert (first.event_type, first.event_subject, first.run_id) == ("repository.pushed", "acme/shop", run.id)
    monkeypatch.setattr(store, "KEPT", 5)
    for number in range(8):
        world.moment += timedelta(minutes=1)
        world.firing.heard(event(world, subject=f"acme/{number}", branch="main"))
    assert len(world.store.firings(made.id, 1000)) == 5
    assert world.view(made).firings[0].event_subject == "acme/7"
    world.triggers.delete(made.id, ANN)
    assert world.store.firings(made.id, 10) == []


def test_who_changes_what_it_runs_or_when_becomes_the_one_it_acts_as(world):
    made = world.make()
    world.at(1)
    world.firing.tick()
    with pytest.raises(Denied):
        world.triggers.change(made.id, TriggerChange(title="Mine now"), BOB)
    with pytest.raises(Invalid):
        world.triggers.change(made.id, TriggerChange(cron="never"), EVE)
    given = RunRequest.model_validate({**made_request("changed"), "secrets": {"token": "x"}})
    with pytest.raises(Invalid, match="secrets"):
        world.triggers.change(made.id, TriggerChange(request=given), EVE)
    assert world.view(made).cron == "0 * * * *"
    change = TriggerChange(cron="30 * * * *", request=RunRequest.model_validate(made_request("changed")))
    changed = world.triggers.change(made.id, change, EVE)
    assert (changed.actor, changed.title, changed.cron, changed.template_version) == (
        EVE.id,
        "Every hour",
        "30 * * * *",
        "v2",
    )
    assert (changed.inputs, changed.last_run) == ({"text": "changed"}, world.started(made)[0].id)
    world.at(1, 1801)
    assert world.firing.tick() == 1
    assert world.started(made)[0].actor == EVE.id
    world.triggers.pause(made.id, EVE, paused=True)
    assert world.triggers.change(made.id, TriggerChange(cron="0 1 * * *"), EVE).paused
    world.at(48)
    assert world.firing.tick() == 0


def made_request(text):
    steps = [{"id": "s", "name": "Say", "action": "speak", "input": {"text": "${{ parameters.text }}"}}]
    workflow = {"name": "test", "title": "A test", "version": "v2", "steps": steps}
    return {"workflow": workflow, "inputs": {"text": text}, "owner": OWNERS}


def test_a_run_is_named_after_its_event(world):
    request = made_request("${{ event.subject }}")
    request["workflow"]["title"] = "A test: ${{ event.subject }}"
    made = world.make(kind="event", cron="", event_type="repository.pushed", request=request)
    world.firing.heard(event(world, subject="acme/shop"))
    assert [run.title for run in world.started(made)] == ["A test: acme/shop"]
