"""From a query of the catalog to runs: every entity fills in the form for itself, and only what was seen is started."""

from __future__ import annotations

import pytest

from flagstone.contracts.runs import RunRequest
from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound
from flagstone.portal.batches.model import Answers, BatchOptions, EntityQuery, Judged
from flagstone.portal.batches.service import previews
from flagstone.portal.batches.tests.conftest import ADA

ALL = EntityQuery(kind=("component",))
LOW = Answers({"level": "low"}, {"tier": "metadata.annotations.acme.example/tier"})


def prepare(world, query=ALL, answers=LOW, path="probe", actor=ADA):
    return world.previews.prepare(actor, world.path(path), query, answers)


def start(world, preview, **values):
    given = {"at_once": 5, "stop_after_failures": 0, **values}
    return world.previews.start(ADA, preview, BatchOptions(**given), digest=preview.digest)


def test_every_entity_fills_in_its_own_answers_and_those_for_all_win(world):
    found = prepare(world)
    given = {item.ref: item.request.inputs for item in found.valid}
    assert given["component:default/fraud"] == {
        "component": "component:default/fraud",
        "tier": "5",
        "level": "low",
        "loud": True,
    }
    assert found.varying == {"component", "tier"}
    assert found.valid[0].request.subjects == ("component:default/cart",)
    fixed = Answers({"level": "low", "component": "component:default/cart"}, {"name": "title", "tier": "spec.none"})
    assert {item.ref for item in prepare(world, answers=fixed).invalid} == {item.ref for item in found.valid}
    emptied = prepare(world, answers=Answers({"level": "low", "component": None}))
    assert "component: Fill in this field." in emptied.candidates[0].problems[0]


def test_each_entity_gets_one_run_with_its_answers_that_says_which_batch_it_is_of(world):
    made = start(world, prepare(world))
    ended = world.settled(made.id)
    assert (ended.state, ended.counts.succeeded) == ("succeeded", 5)
    runs = [world.gateway.get_run(item.run_id, ADA) for item in world.items(made.id)]
    assert [run.inputs["component"] for run in runs] == [item.subject for item in world.items(made.id)]
    assert {(run.trigger, run.triggered_by, run.actor) for run in runs} == {("batch", made.id, ADA.id)}
    assert made.query == "kind=component"


def test_entities_that_cannot_be_run_are_told_and_left_out_only_when_somebody_says_so(world):
    found = prepare(world, answers=Answers({"level": "low"}, {"name": "name"}))
    assert [item.ref for item in found.invalid] == ["component:default/orders"]
    assert "pattern" in found.invalid[0].problems[0]
    with pytest.raises(Invalid) as refused:
        start(world, found)
    assert [problem.field for problem in refused.value.problems] == ["component:default/orders"]
    options = BatchOptions(at_once=5, stop_after_failures=0)
    made = world.previews.start(ADA, found, options, digest=found.digest, leave_out_invalid=True)
    ended = world.settled(made.id)
    assert (ended.counts.total, ended.counts.succeeded, ended.counts.failed) == (4, 3, 1)
    with pytest.raises(Invalid, match="None"):
        none = prepare(world, answers=Answers({"level": "odd"}))
        world.previews.start(ADA, none, options, digest=none.digest, leave_out_invalid=True)


def test_what_is_another_than_in_the_preview_is_not_started(world):
    before = prepare(world)
    try:
        world.catalog("returns")
        now = world.until(lambda: len((found := prepare(world)).candidates) == 6 and found)
        with pytest.raises(Conflict) as refused:
            world.previews.start(ADA, now, BatchOptions(), digest=before.digest)
        assert refused.value.code == "batches.preview_changed"
    finally:
        world.catalog()
        world.until(lambda: prepare(world).digest == before.digest)
    assert prepare(world, answers=Answers({"level": "high"}, LOW.mapped)).digest != before.digest


def test_a_day_2_action_is_for_what_it_is_attached_to(world):
    path = world.path("attached")
    query = world.previews.narrowed(path, EntityQuery())
    assert [row.name for row in world.previews.find(ADA, query)] == ["cart", "fraud"]
    found = prepare(world, path="attached")
    assert {item.ref.rpartition("/")[2] for item in found.valid} == {"cart", "fraud"}
    assert "is not for component:default/search" in " ".join(
        problem for item in found.invalid for problem in item.problems
    )


def test_no_entity_or_too_many_are_refused_with_a_way_out(world, monkeypatch):
    with pytest.raises(Invalid, match="Nothing in the catalog fits"):
        prepare(world, EntityQuery(q="nowhere"))
    with pytest.raises(Invalid):
        EntityQuery.of_pairs([("view", "odd")])
    with pytest.raises(Invalid):
        prepare(world, EntityQuery(filter=("=x",)))
    with pytest.raises(NotFound):
        world.previews.candidate(ADA, world.path(), ALL, LOW, "component:default/none")
    monkeypatch.setattr(previews, "MAX_ITEMS", 4)
    with pytest.raises(Invalid, match="5 entities fit"):
        prepare(world)


def test_who_may_start_nothing_previews_nothing(world):
    viewer = world.people.viewer.principal
    with pytest.raises(Denied):
        prepare(world, actor=viewer)


def test_a_run_of_a_batch_waits_for_its_approval_as_any_other_and_takes_a_place(world):
    found = prepare(world, path="careful")
    judged = world.previews.judge(ADA, found.candidates[0])
    assert (judged.word, "must agree" in judged.reasons[0]) == ("approval", True)
    made = start(world, found, at_once=2)
    waiting = world.until(lambda: (batch := world.reader.get(ADA, made.id)).counts.waiting == 2 and batch)
    assert (waiting.state, waiting.counts.pending) == ("running", 3)
    world.reader.change(ADA, made.id, "cancel")
    assert world.settled(made.id).state == "cancelled"
    assert [item.state for item in world.items(made.id)] == ["cancelled"] * 2 + ["skipped"] * 3


def test_an_entity_that_cannot_be_run_has_no_plan_but_reasons(world):
    found = prepare(world, answers=Answers({"level": "odd"}))
    judged = world.previews.judge(ADA, found.candidates[0])
    assert (judged.word, bool(judged.reasons)) == ("invalid", True)
    assert Judged(found.candidates[0], error="away").reasons
    assert isinstance(prepare(world).candidates[0].request, RunRequest)
