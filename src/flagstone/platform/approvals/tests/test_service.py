"""Waiting for people, deciding, delegating, expiring: whole runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from flagstone.contracts.approvals import ApprovalQuery
from flagstone.foundation.audit import AuditQuery
from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound

from .conftest import ANN, BOB, CYD, EVE, TEAM, person


def states(world, run):
    return {item.state for item in world.approvals.list(ApprovalQuery(run_id=run.id), EVE).items}


def audit(world):
    return world.audit.list(AuditQuery(limit=100)).items


def test_a_step_waits_until_somebody_of_the_group_agrees_and_the_run_goes_on(world):
    run, request = world.ask(message="May it go on?")
    step = run.steps[1]
    assert (step.state, step.wait.kind, step.wait.approval_id) == ("waiting", "approval", request.id)
    assert TEAM in step.wait.message
    assert (request.run_number, request.message, request.requested_by) == (run.number, "May it go on?", ANN.id)
    decided = world.approvals.decide(request.id, BOB, "approve", comment="Looks good.")
    assert (decided.state, decided.decisions[0].comment) == ("approved", "Looks good.")
    ended = world.wait(run.id)
    assert ended.state == "succeeded", ended.error
    assert ended.steps[1].outputs["approvedBy"] == ["Bob"]
    assert ended.steps[1].outputs["comments"] == ["Looks good."]
    assert ended.steps[2].inputs["text"] == "by Bob"


def test_a_rejection_fails_the_run_with_who_and_why(world):
    run, request = world.ask()
    assert world.approvals.decide(request.id, BOB, "reject", comment="Not today").state == "rejected"
    ended = world.wait(run.id)
    assert (ended.state, ended.error["code"]) == ("failed", "approvals.rejected")
    assert "Bob rejected it: Not today" in ended.error["detail"]
    again = world.wait(world.runs.retry(run.id, ANN).id, "waiting")
    [asked] = world.pending(again)
    assert asked.id != request.id
    with pytest.raises(Invalid, match="cannot go on from"):
        world.runs.cancel(run.id, ANN)
        world.wait(run.id)
        world.runs.retry(run.id, ANN, from_step="s3")


def test_so_many_different_people_have_to_agree(world):
    run, request = world.ask(count=2)
    assert world.approvals.decide(request.id, BOB, "approve").state == "pending"
    again = world.approvals.decide(request.id, BOB, "approve")
    assert (again.state, len(again.decisions)) == ("pending", 1), "a double click is one decision"
    with pytest.raises(Conflict, match="decided already"):
        world.approvals.decide(request.id, BOB, "reject")
    other_account = person("bob", "developer", TEAM, account="bob-at-night")
    assert world.approvals.decide(request.id, other_account, "approve").state == "pending"
    assert world.approvals.decide(request.id, CYD, "approve").state == "approved", "a viewer who is asked may"
    assert world.wait(run.id).steps[1].outputs["approvedBy"] == ["Bob", "Cyd"]
    assert world.approvals.decide(request.id, CYD, "approve").state == "approved", "late clicks change nothing"


def test_nobody_approves_what_they_asked_for_nor_what_they_are_not_asked(world):
    _, request = world.ask()
    token = replace(ANN, via="token")
    other_account = person("ann", "admin", TEAM, account="ann-2")
    without_user = replace(ANN, entity_ref=None, groups=frozenset({TEAM}))
    for who in (ANN, token, other_account, without_user):
        with pytest.raises(Denied, match="asked for it yourself") as refused:
            world.approvals.decide(request.id, who, "approve")
        assert refused.value.code == "approvals.own_request"
        with pytest.raises(Denied):
            world.approvals.delegate(request.id, who, "user:default/friend")
    with pytest.raises(Denied, match="It asks group:default/platform"):
        world.approvals.decide(request.id, EVE, "approve")
    with pytest.raises(Denied, match="Only people"):
        world.approvals.decide(request.id, replace(BOB, kind="run"), "approve")
    with pytest.raises(Denied):
        world.approvals.decide(request.id, replace(BOB, scopes=frozenset({"read"})), "approve")
    assert world.approvals.get(request.id, BOB).may_decide
    assert world.approvals.get(request.id, ANN).why_not.startswith("You asked for it yourself")
    denied = [row for row in audit(world) if row.outcome == "denied"]
    assert any(row.actor_id == ANN.id and request.id in row.resource for row in denied)


def test_who_was_asked_may_let_somebody_else_decide(world):
    zoe = person("zoe", "viewer")
    run, request = world.ask(count=2)
    with pytest.raises(Denied):
        world.approvals.decide(request.id, zoe, "approve")
    view = world.approvals.delegate(request.id, BOB, "zoe")
    assert [(item.by, item.to) for item in view.delegations] == [("user:default/bob", "user:default/zoe")]
    assert world.approvals.count(zoe) == 1
    with pytest.raises(Denied, match="delegate further"):
        world.approvals.delegate(request.id, zoe, "user:default/yan")
    done = world.approvals.decide(request.id, zoe, "approve")
    assert (done.state, done.decisions[0].on_behalf_of) == ("pending", "user:default/bob")
    with pytest.raises(Conflict, match="Zoe has decided in your place"):
        world.approvals.decide(request.id, BOB, "approve")
    assert world.approvals.count(zoe) == 0
    world.approvals.decide(request.id, CYD, "approve")
    assert world.wait(run.id).state == "succeeded"


@pytest.mark.parametrize("to", ["user:default/ann", "user:default/bob", "group:default/platform", "a:b:c", ""])
def test_some_cannot_be_delegated_to(world, to):
    _, request = world.ask()
    with pytest.raises(Invalid):
        world.approvals.delegate(request.id, BOB, to)


def test_the_inbox_shows_what_one_may_decide_and_what_one_asked_for(world):
    run, request = world.ask()
    mine = ApprovalQuery(mine=True, run_id=run.id)
    by_me = ApprovalQuery(by_me=True, run_id=run.id)
    service = world.approvals
    assert [item.id for item in service.list(mine, BOB).items] == [request.id]
    assert service.list(mine, ANN).items == ()
    assert [item.id for item in service.list(by_me, ANN).items] == [request.id]
    assert service.list(by_me, BOB).items == ()
    before = service.count(BOB)
    service.decide(request.id, BOB, "approve")
    assert service.count(BOB) == before - 1
    assert service.list(mine, BOB).items == ()
    with pytest.raises(NotFound):
        service.get("nope", BOB)


def test_roles_and_owners_are_asked(world):
    run = world.go([{"action": "flagstone:approval", "input": {"approvers": ["owner"]}}], owner="group:default/shop")
    world.wait(run.id, "waiting")
    [request] = world.pending(run)
    keeper = person("kim", "viewer", "group:default/shop")
    assert world.approvals.count(keeper) == 1
    world.approvals.decide(request.id, keeper, "approve")
    assert world.wait(run.id).state == "succeeded"
    _, request = world.ask(approvers=["role:maintainer"])
    with pytest.raises(Denied):
        world.approvals.decide(request.id, BOB, "approve")
    world.approvals.decide(request.id, EVE, "approve")


def test_nobody_who_could_agree_is_told_before_the_run(world):
    for approvers, words in ((["owner"], "known to own"), ([], "names no approvers"), (["role:king"], "role:king")):
        step = {"action": "flagstone:approval", "input": {"approvers": approvers}}
        with pytest.raises(Invalid) as refused:
            world.go([step])
        assert words in str(refused.value)


def test_what_nobody_decides_in_time_fails_the_run(world):
    run, request = world.ask(expiresHours=0.0001)
    ended = world.wait(run.id)
    assert (ended.state, ended.error["code"]) == ("failed", "approvals.expired")
    assert world.approvals.get(request.id, BOB).state == "expired"


def test_a_request_whose_time_is_over_takes_no_decision_even_if_nobody_noticed_yet(world):
    run, request = world.ask(expiresHours=1)
    world.moved = timedelta(hours=2)
    with pytest.raises(Conflict, match="expired"):
        world.approvals.decide(request.id, BOB, "approve")
    assert world.approvals.get(request.id, BOB).state == "expired"
    assert world.approvals.list(ApprovalQuery(mine=True, run_id=run.id), BOB).items == ()
    assert world.approvals.list(ApprovalQuery(state=("expired",), run_id=run.id), BOB).items


def test_a_run_that_was_cancelled_needs_no_approval_any_more(world):
    run, request = world.ask()
    world.runs.cancel(run.id, ANN)
    world.settler.settle(run.id)
    assert states(world, run) == {"void"}
    with pytest.raises(Conflict, match="void"):
        world.approvals.decide(request.id, BOB, "approve")


def test_a_decision_that_comes_before_the_step_is_put_away_is_not_lost(world):
    run, request = world.ask()
    # As if the step had not been put away when it was decided: nobody was woken.
    world.store.turn([request.id], "pending", "approved", world.now())
    assert world.runs.get(run.id, ANN).state == "waiting"
    world.settler.sweep()
    world.settler.settle(run.id)
    assert world.wait(run.id).state == "succeeded"


def test_every_decision_is_in_the_audit_and_in_the_outbox(world):
    _, request = world.ask()
    world.approvals.delegate(request.id, BOB, "user:default/zoe")
    world.approvals.decide(request.id, CYD, "approve", comment="fine")
    rows = [row for row in audit(world) if row.resource == f"approval:{request.id}"]
    assert {(row.actor_id, row.action.rpartition(".")[2]) for row in rows} == {
        (ANN.id, "ask"),
        (BOB.id, "delegate"),
        (CYD.id, "decide"),
    }
    events = [event for event in world.outbox.read(limit=5000) if event.subject == request.id]
    assert [event.type for event in events] == ["approval.requested", "approval.delegated", "approval.decided"]
    assert (events[0].data["of"], events[0].data["by_name"]) == ([TEAM], "Ann")
    told = [events[1].data[name] for name in ("to", "by_name", "delegated_by_name")]
    assert told == ["user:default/zoe", "Ann", "Bob"]
    said = [events[2].data[name] for name in ("state", "requested_by", "by_name", "comment")]
    assert said == ["approved", ANN.id, "Cyd", "fine"]
