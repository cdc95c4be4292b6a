"""The actions through the conformance suite, and what is particular to them."""

from __future__ import annotations

import pytest

from flagstone.contracts.plans import Change, PlannedStep
from flagstone.kernel.errors import Denied, NotFound
from flagstone.platform.resources.actions import RemoveResource, RequestResource, actions
from flagstone.platform.resources.tests.world import CANARY, CHECKOUT, ORDERS, OWNER, STRANGER, World, definition
from flagstone.testing.actions import ActionBench
from flagstone.testing.suites.action_cases import ActionCase
from flagstone.testing.suites.action_suite import ActionSuite

WANTED = {"type": "queue", "name": "jobs", "entityRef": ORDERS, "owner": CHECKOUT, "params": {"size": 2}}


@pytest.fixture
def costly(sqlite_database, tmp_path):
    return World(sqlite_database, tmp_path / "world", None, definition(monthly_cost="3.20", currency="EUR"))


@pytest.fixture
def bench(tmp_path):
    return ActionBench(tmp_path / "bench", actor=OWNER)


class TestRequest(ActionSuite):
    @pytest.fixture
    def case(self):
        return ActionCase(
            lambda bench: RequestResource(bench.service), WANTED, wrong={"params": {"size": 0}}, wrong_field="size"
        )

    @pytest.fixture
    def bench(self, costly, bench):
        bench.service = costly.service
        return bench

    @pytest.fixture
    def secrets(self):
        return {"made by the driver": CANARY}


class TestRemove(ActionSuite):
    @pytest.fixture
    def case(self, costly):
        return ActionCase(
            lambda bench: RemoveResource(bench.service),
            {"resource": costly.request().id},
            wrong={"deleteData": "perhaps"},
            wrong_field="deleteData",
        )

    @pytest.fixture
    def bench(self, costly, bench):
        bench.service = costly.service
        return bench


def test_the_plan_says_who_makes_it_and_what_it_costs(costly, bench):
    costs = []
    action = RequestResource(costly.service)
    plan = action.plan

    def watched(ctx, inputs):
        ctx.cost = lambda amount, currency: costs.append(f"{amount} {currency}")
        return plan(ctx, inputs)

    action.plan = watched
    planned = bench.plan(action, WANTED)
    (change,) = planned.changes
    assert (change.kind, change.op) == ("resource", "create")
    assert change.facts["Definition"] == "mine"
    assert change.facts["Owner"] == CHECKOUT
    assert costs == ["3.20 EUR"]
    bench.run(action, WANTED)
    assert bench.plan(action, WANTED).changes[0].op == "none"
    changed = bench.plan(action, {**WANTED, "params": {"size": 3}}).changes[0]
    assert (changed.op, changed.facts["params.size"]) == ("change", "2 → 3")
    assert costs == ["3.20 EUR", "0.00 EUR"]
    (gone,) = bench.plan(RemoveResource(costly.service), {"resource": costly.all()[0].id}).changes
    assert (gone.op, gone.facts["Data"]) == ("delete", "are kept aside")


def test_an_environment_that_an_earlier_step_makes_is_noted_and_any_other_a_mistake(costly, bench):
    with pytest.raises(NotFound, match="try-it"):
        bench.plan(RequestResource(costly.service), {**WANTED, "environment": "try-it"})
    making = Change(kind="environment", op="create", subject="try-it")
    bench.before = (PlannedStep(id="env", name="Make it", action="flagstone:environment:create", changes=(making,)),)
    planned = bench.plan(RequestResource(costly.service), {**WANTED, "environment": "try-it"})
    assert planned.changes == ()
    assert "known when there is an environment try-it" in planned.notes[0]
    assert planned.outputs["id"].startswith("queue-jobs-try-it-")


def test_the_owner_of_the_run_owns_what_is_new(costly, bench):
    bench.owner = CHECKOUT
    ran = bench.run(RequestResource(costly.service), {key: value for key, value in WANTED.items() if key != "owner"})
    assert costly.get(ran.outputs["id"]).owner == CHECKOUT
    assert ran.links == (ORDERS,)


def test_strangers_are_told_in_the_plan(costly, tmp_path):
    bench = ActionBench(tmp_path / "other", actor=STRANGER)
    with pytest.raises(Denied):
        bench.plan(RequestResource(costly.service), WANTED)
    uid = costly.request().id
    with pytest.raises(Denied):
        bench.plan(RemoveResource(costly.service), {"resource": uid})


class Context:
    """What undo is given."""

    def __init__(self, key):
        self.step_key, self.run_id, self.actor, self.said = key, "run", OWNER, []

    def log(self, text):
        self.said.append(text)

    def cancelled(self):
        return False


def test_undo_removes_what_the_step_made_and_keeps_its_data(costly, bench):
    action = RequestResource(costly.service)
    ran = bench.run(action, WANTED, step_key="mine")
    bench.run(action, {**WANTED, "params": {"size": 5}}, step_key="other")
    other = Context("other")
    action.undo(other, None, ran.outputs)
    assert other.said == ["It was there before this step, and stays."]
    action.undo(Context("mine"), None, ran.outputs)
    action.undo(Context("mine"), None, ran.outputs)
    assert costly.get(ran.outputs["id"]).state == "removed"
    assert list(costly.driver.kept) == [f"{ran.outputs['id']}.1"]


def test_both_are_there(costly):
    assert [action.id for action in actions(costly.service)] == [
        "flagstone:resource:request",
        "flagstone:resource:remove",
    ]
