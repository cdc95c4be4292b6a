"""Approval of a whole run, bound to its plan; and what policies may say."""

from __future__ import annotations

import pytest

from flagstone.contracts.approvals import ApprovalRule
from flagstone.contracts.policy import Verdict
from flagstone.contracts.runs import RunRequest
from flagstone.kernel.errors import Denied, Invalid

from .conftest import ANN, BOB, CYD, EVE, TEAM

RULE = {"of": [TEAM], "reason": "The template says so"}


def test_a_template_may_ask_for_approval_before_the_first_step(world):
    run = world.wait(world.go([{"input": {"text": "hello"}}], approvals=[RULE]).id, "waiting")
    assert [(step.id, step.state) for step in run.steps] == [("approval", "waiting"), ("s1", "pending")]
    [request] = world.pending(run)
    plan = world.approvals.plan(request.id, BOB)
    assert (plan.digest, plan.steps[0].changes[0].subject) == (request.plan_digest, "hello")
    assert request.rule.reason == "The template says so"
    world.approvals.decide(request.id, BOB, "approve", plan_digest=request.plan_digest)
    assert world.wait(run.id).state == "succeeded"


def test_the_plan_shows_who_has_to_agree_and_the_confirmed_plan_is_what_is_asked(world, needs):
    world.policy.say = needs(count=2, reason="Production")
    request = RunRequest.model_validate(
        {"workflow": {"name": "t", "title": "T", "steps": [{"id": "approval", "name": "x", "action": "speak"}]}}
    )
    plan = world.workflows.plan(request, ANN)
    assert [rule.count for rule in plan.approvals] == [2]
    assert (plan.verdicts[0].policy, plan.allowed) == ("test:chosen", True)
    run = world.workflows.submit(request.model_copy(update={"plan_digest": plan.digest}), ANN)
    run = world.wait(run.id, "waiting")
    assert [step.id for step in run.steps] == ["approval-2", "approval"], "an id of the template is not taken"
    [asked] = world.pending(run)
    assert asked.plan_digest == plan.digest


def test_the_same_request_again_is_the_same_run_although_it_waits(world, needs):
    world.policy.say = needs()
    first = world.go([{}], idempotency_key="once")
    assert world.go([{}], idempotency_key="once").id == first.id


def test_a_plan_that_changed_voids_the_approval_and_asks_again(world):
    said = {"text": "one"}
    world.policy.say = lambda _case: [
        Verdict(policy="x", severity="warn", message=said["text"], approvals=(ApprovalRule(of=(TEAM,)),))
    ]
    run = world.wait(world.go([{}]).id, "waiting")
    [first] = world.pending(run)
    said["text"] = "two"
    world.approvals.decide(first.id, BOB, "approve")
    while not (found := world.pending(run)):
        world.wait(run.id, "waiting")
    assert found[0].plan_digest != first.plan_digest
    assert world.approvals.get(first.id, EVE).state == "void"
    world.wait(run.id, "waiting")
    world.approvals.decide(found[0].id, CYD, "approve")
    ended = world.wait(run.id)
    assert (ended.state, ended.steps[0].outputs["approvedBy"]) == ("succeeded", ["Cyd"])


def test_approvals_of_several_rules_are_asked_at_once_and_all_needed(world):
    rules = [RULE, {"of": ["role:maintainer"]}]
    run = world.wait(world.go([{}], approvals=rules).id, "waiting")
    team, role = sorted(world.pending(run), key=lambda item: item.rule.of)
    world.approvals.decide(team.id, BOB, "approve")
    assert world.runs.get(run.id, ANN).state == "waiting"
    world.approvals.decide(role.id, EVE, "approve")
    assert world.wait(run.id).steps[0].outputs["approvedBy"] == ["Bob", "Eve"]
    run = world.wait(world.go([{}], approvals=rules).id, "waiting")
    team, role = sorted(world.pending(run), key=lambda item: item.rule.of)
    world.approvals.decide(team.id, BOB, "reject")
    assert world.wait(run.id).state == "failed"
    assert world.approvals.get(role.id, EVE).state == "void"


def test_a_policy_that_denies_stops_the_run_before_it_starts(world):
    deny = Verdict(policy="x", severity="deny", message="Not on Fridays.", hint="Wait until Monday.")
    world.policy.say = lambda case: [deny] if case.plan.steps else []
    before = world.runs.counts(ANN)
    with pytest.raises(Denied) as refused:
        world.go([{}])
    assert refused.value.code == "workflows.denied_by_policy"
    assert "Not on Fridays." in refused.value.message
    assert refused.value.hint == "Wait until Monday."
    assert refused.value.problems[0].field == "test:chosen"
    assert world.runs.counts(ANN) == before


@pytest.mark.parametrize("broken", [lambda _case: 1 / 0, lambda _case: ["nonsense"], lambda _case: None])
def test_a_policy_that_breaks_forbids_the_run(world, broken):
    world.policy.say = broken
    with pytest.raises(Denied, match="cannot decide"):
        world.go([{}])


def test_a_policy_sees_changes_and_actor_and_no_secret(world):
    seen = []
    world.policy.say = lambda case: seen.append(case) or []
    world.go([{"input": {"text": "hi"}}], secrets={"token": "canary-77"})
    case = seen[0]
    assert (case.actor, [change.subject for change in case.changes]) == (ANN, ["hi"])
    assert case.request.secrets["token"].get_secret_value() != "canary-77"


def test_a_policy_that_denies_later_fails_the_run_that_waits(world):
    world.policy.say = lambda _case: [
        Verdict(policy="x", severity="warn", message="m", approvals=(ApprovalRule(of=(TEAM,)),))
    ]
    run = world.wait(world.go([{}]).id, "waiting")
    [request] = world.pending(run)
    world.policy.say = lambda _case: [Verdict(policy="x", severity="deny", message="Closed.")]
    world.approvals.decide(request.id, BOB, "approve")
    ended = world.wait(run.id)
    assert (ended.state, ended.error["code"]) == ("failed", "approvals.not_possible_any_more")


def test_a_rule_that_nobody_can_fulfil_is_a_problem_of_the_plan(world):
    for of, words in (("owner",), "nobody is named as the owner"), ((), "names nobody"):
        with pytest.raises(Invalid, match="would fail") as refused:
            world.go([{}], approvals=[{"of": list(of)}])
        assert words in str(refused.value)
