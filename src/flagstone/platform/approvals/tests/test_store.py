"""On SQLite and PostgreSQL: exactly one ends a request, and the tables are what the migrations make."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from flagstone.contracts.approvals import ApprovalRule
from flagstone.contracts.plans import Plan
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Conflict, FlagstoneError
from flagstone.kernel.ids import new_id
from flagstone.platform.approvals.model import ApprovalRecord
from flagstone.platform.approvals.store import Wanted, metadata
from flagstone.testing.databases import schema_differences

from .conftest import ANN, BOB, CYD, TEAM, World, person


@pytest.fixture
def world(database, tmp_path):
    made = World(tmp_path / "data", url=database.url.render_as_string(hide_password=False))
    yield made
    made.db.close()


def record(**changes):
    now = utc_now()
    values = {
        "id": new_id(),
        "state": "pending",
        "run_id": "run",
        "run_number": 1,
        "run_title": "A run",
        "step_id": "approval",
        "rule": ApprovalRule(of=(TEAM,)),
        "plan_digest": "",
        "message": "",
        "owner": None,
        "subjects": (),
        "requested_by": ANN.id,
        "requested_by_ref": ANN.entity_ref,
        "requested_by_name": ANN.name,
        "created_at": now,
        "expires_at": now + timedelta(hours=1),
    }
    return ApprovalRecord(**{**values, **changes})


def test_a_request_comes_back_as_it_was_stored_and_the_tables_are_those_of_the_migrations(world):
    assert schema_differences(world.db, metadata) == []
    plan = Plan(title="A run").sealed()
    wanted = record(plan_digest=plan.digest, subjects=("component:default/a",))
    world.store.add(wanted, plan)
    assert world.store.get(wanted.id) == wanted
    assert world.store.plan(plan.digest) == plan
    later = world.now() + timedelta(days=400)
    assert world.store.prune_plans(later) == 0, "something waits for it"
    world.store.turn([wanted.id], "pending", "void", later)
    assert world.store.prune_plans(later) == 1


def test_of_many_who_decide_at_once_each_is_heard_once_and_one_ends_it(world):
    wanted = record(rule=ApprovalRule(of=(TEAM,), count=3))
    world.store.add(wanted, None)
    people = [person(f"p{number}", "viewer", TEAM) for number in range(5)]

    def decide(who):
        try:
            return world.approvals.decide(wanted.id, who, "approve").state
        except FlagstoneError as error:
            return error.code

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(decide, [who for who in people for _ in range(2)]))
    found = world.store.get(wanted.id)
    assert (found.state, len(found.decisions)) == ("approved", 3)
    assert answers.count("approvals.not_pending") == 4, answers
    ended = [event for event in world.outbox.read() if event.type == "approval.decided"]
    assert len(ended) == 1


def test_approve_and_reject_at_once_end_in_one_of_both(world):
    for _ in range(5):
        wanted = record()
        world.store.add(wanted, None)

        def decide(what, wanted=wanted):
            try:
                world.approvals.decide(wanted.id, *what)
            except Conflict as error:
                return error.code
            return "ok"

        with ThreadPoolExecutor(2) as pool:
            answers = sorted(pool.map(decide, [(BOB, "approve"), (CYD, "reject")]))
        assert answers == ["approvals.not_pending", "ok"]
        found = world.store.get(wanted.id)
        assert len(found.decisions) == 1
        assert (found.state == "approved") == (found.decisions[0].verdict == "approve")


def test_many_requests_are_listed_by_pages_and_counted_without_reading_them(world):
    made = [record(run_id=f"r{number}") for number in range(30)]
    made += [record(requested_by="user:zed", requested_by_ref=None, owner="group:default/shop",
                    rule=ApprovalRule(of=("owner", "role:maintainer")))]  # fmt: skip
    for item in made:
        world.store.add(item, None)
    mine = Wanted(may_decide=BOB)
    now = world.now()
    assert world.store.count(mine, now) == 30
    first = world.store.page(mine, now, None, 20)
    rest = world.store.page(mine, now, first[-1].id, 20)
    assert [item.id for item in (*first, *rest)] == [item.id for item in reversed(made[:30])]
    assert world.store.count(Wanted(may_decide=person("kim", "viewer", "group:default/Shop")), now) == 1
    assert world.store.count(Wanted(may_decide=person("max", "admin")), now) == 1
    assert world.store.count(Wanted(may_decide=ANN), now) == 0
    assert world.store.count(Wanted(asked_by=ANN), now) == 30
    assert world.store.count(mine, now + timedelta(hours=2)) == 0
