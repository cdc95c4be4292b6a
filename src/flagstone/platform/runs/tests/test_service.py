"""Executing runs: conditions, each, failures, cancel, retry, permissions."""

from __future__ import annotations

import time

import pytest

from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound
from flagstone.platform.runs.tests.harness import ANN, BOB, EVE, MAY, Harness, lines


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    """One running harness for all of these tests: each looks at its own runs only."""
    made = Harness(tmp_path_factory.mktemp("data")).start()
    yield made
    made.stop()


def states(run):
    return {step.id: step.state for step in run.steps}


def counted(harness, *names):
    """How often each was counted."""
    found = [line.split()[1] for line in lines(harness.folder / "ledger")]
    return {name: found.count(name) for name in names}


def test_outputs_feed_later_steps_and_the_output_of_the_run(harness):
    run = harness.submit(
        [
            {"id": "make", "input": {"outputs": {"url": "http://x/${{ parameters.name }}", "list": [1, {"a": 2}]}}},
            {"id": "use", "input": {"text": "got ${{ steps.make.output.url }} as ${{ user.ref }}"}},
        ],
        {"name": "shop"},
        output={
            "links": [
                {"title": "Open", "url": "${{ steps.make.output.url }}", "icon": "web"},
                {"title": "Catalog", "entityRef": "component:default/${{ parameters.name }}"},
                {"title": "Never", "url": "http://never", "if": "${{ parameters.nope }}"},
                {"title": "Nowhere", "url": "${{ steps.nope.output.url }}"},
            ],
            "text": [{"title": "Next", "content": "Clone ${{ parameters.name }}."}],
            "list": "${{ steps.make.output.list }}",
        },
    )
    run = harness.wait(run.id)
    assert run.steps[1].inputs == {"text": "got http://x/shop as user:default/ann"}
    assert [(link.title, link.url, link.entity_ref) for link in run.links] == [
        ("Open", "http://x/shop", None),
        ("Catalog", None, "component:default/shop"),
    ]
    assert run.output["list"] == [1, {"a": 2}]
    assert run.output["text"] == [{"title": "Next", "content": "Clone shop."}]
    assert (run.steps_done, run.steps_total) == (2, 2)


def test_conditions_and_turns_follow_the_template_rules(harness):
    run = harness.submit(
        [
            {"id": "no", "if": "${{ parameters.off }}"},
            {"id": "no-literal", "if": False},
            {"id": "yes-text", "if": "false"},
            {
                "id": "list",
                "each": "${{ parameters.names }}",
                "input": {"outputs": {"is": "${{ each.key }}-${{ each.value }}"}},
            },
            {
                "id": "object",
                "each": {"x": 1, "y": 2},
                "if": "${{ each.key == 'y' }}",
                "input": {"outputs": {"is": "${{ each.value }}"}},
            },
            {"id": "empty", "each": "${{ [] }}"},
            {"id": "skipped-each", "each": "${{ parameters.nothing }}", "if": "${{ parameters.off }}"},
            {
                "id": "end",
                "input": {"outputs": {"all": "${{ steps.list.output.is }}", "one": "${{ steps.object.output.is }}"}},
            },
        ],
        {"off": False, "names": ["a", "b"]},
    )
    run = harness.wait(run.id)
    assert states(run) == {
        "no": "skipped",
        "no-literal": "skipped",
        "yes-text": "succeeded",
        "list[0]": "succeeded",
        "list[1]": "succeeded",
        "object[x]": "skipped",
        "object[y]": "succeeded",
        "empty": "skipped",
        "skipped-each": "skipped",
        "end": "succeeded",
    }
    assert run.steps[-1].outputs == {"all": ["0-a", "1-b"], "one": [2]}


def test_after_a_failure_only_steps_that_ask_for_it_run(harness):
    run = harness.submit(
        [
            {"id": "one", "input": {"fail": "broken pipe"}},
            {"id": "two"},
            {"id": "tidy", "if": "${{ always() }}", "input": {"text": "tidying"}},
            {"id": "tell", "if": "${{ failure() }}", "input": {"text": "it failed"}},
            {"id": "maybe", "if": "${{ always() and parameters.nope }}"},
            {"id": "last", "if": "${{ true }}"},
        ]
    )
    run = harness.wait(run.id)
    assert run.state == "failed"
    assert states(run) == {
        "one": "failed",
        "two": "skipped",
        "tidy": "succeeded",
        "tell": "succeeded",
        "maybe": "skipped",
        "last": "skipped",
    }
    assert run.error["code"] == "runs.action_crashed"
    assert "ValueError: broken pipe" in run.error["detail"]
    assert "tidying" in harness.log(run.id)


def test_bad_inputs_name_every_field_at_once(harness):
    run = harness.submit([{"id": "one", "input": {"text": 3, "lines": "many", "colour": "red"}}])
    run = harness.wait(run.id)
    fields = {problem["field"]: problem["message"] for problem in run.steps[0].error["problems"]}
    assert set(fields) == {"steps.one.input.text", "steps.one.input.lines", "steps.one.input.colour"}
    assert fields["steps.one.input.colour"] == "there is no such field"
    assert run.steps[0].attempt == 0


def test_an_action_that_is_gone_fails_its_step_with_the_nearest_name(harness):
    run = harness.wait(harness.submit([{"id": "one", "action": "count:prob"}]).id)
    assert run.error["code"] == "runs.unknown_action"
    assert run.error["hint"] == "Did you mean count:probe?"


def test_an_expression_that_is_wrong_stays_as_text_and_is_told(harness):
    run = harness.wait(harness.submit([{"id": "one", "input": {"text": "${{ 'a' | nofilter }}"}}]).id)
    assert run.state == "succeeded"
    assert run.steps[0].inputs == {"text": "${{ 'a' | nofilter }}"}
    assert "nofilter" in harness.log(run.id)[0]


def test_an_expression_that_never_ends_fails_its_step(harness):
    text = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}"
    run = harness.wait(
        harness.submit([{"id": "one", "input": {"text": text}}, {"id": "two", "if": "${{ always() }}"}]).id
    )
    assert run.error["code"] == "templating.limit"
    assert states(run)["two"] == "succeeded"


def test_the_permission_of_each_action_is_asked_again_when_it_runs(harness):
    run = harness.wait(harness.submit([{"id": "one", "action": "admin:speak"}]).id)
    assert (run.state, run.error["code"]) == ("failed", "access.denied")
    assert harness.wait(harness.submit([{"id": "one", "action": "admin:speak"}], actor=MAY).id).state == "succeeded"
    owned = harness.submit([{"id": "one", "action": "admin:speak"}], owner="user:default/ann")
    assert harness.wait(owned.id).state == "succeeded"


def test_a_viewer_cannot_start_but_can_look(harness):
    with pytest.raises(Denied):
        harness.submit([{"id": "one"}], actor=EVE)
    run = harness.submit([{"id": "one"}])
    harness.wait(run.id)
    assert harness.runs.get(str(run.number), EVE).id == run.id
    for change in (harness.runs.cancel, harness.runs.retry):
        with pytest.raises(Denied):
            change(run.id, EVE)
        with pytest.raises(Denied):
            change(run.id, BOB)
    with pytest.raises(NotFound):
        harness.runs.get("99", EVE)


def test_what_may_pass_by_itself_is_tried_again(harness):
    run = harness.wait(harness.submit([{"id": "one", "input": {"temporary": 2}}]).id)
    assert (run.state, run.steps[0].attempt) == ("succeeded", 3)
    seen = [event.state for event in harness.runs.events(run.id, ANN) if event.type == "step"]
    assert seen == ["running", "waiting", "running", "waiting", "running", "succeeded"]
    run = harness.wait(harness.submit([{"id": "one", "input": {"temporary": 9}}]).id)
    assert (run.state, run.steps[0].attempt, run.error["code"]) == ("failed", 5, "speak.busy")


def test_a_retry_goes_on_from_the_failed_step_and_keeps_what_was_done(harness):
    steps = [
        {"id": "one", "action": "count:probe", "input": {"name": "one"}},
        {"id": "turn", "each": [1, 2, 3], "action": "count:probe", "input": {"name": "t${{ each.value }}"}},
        {"id": "two", "input": {"temporary": 5}},
        {"id": "three", "if": "${{ always() }}", "action": "count:probe", "input": {"name": "three"}},
    ]
    run = harness.wait(harness.submit(steps).id)
    assert run.state == "failed"
    with pytest.raises(Invalid) as refused:
        harness.runs.retry(run.id, ANN, from_step="three")
    assert "'two' before it did not succeed" in refused.value.message
    with pytest.raises(Invalid):
        harness.runs.retry(run.id, ANN, from_step="nope")
    assert harness.runs.get(run.id, ANN).state == "failed", "a refused retry changes nothing"
    again = harness.runs.retry(run.id, ANN)
    assert (again.state, again.steps[0].state, again.steps[-1].state) == ("queued", "succeeded", "pending")
    run = harness.wait(run.id)
    assert run.state == "succeeded"
    assert run.steps[4].attempt == 6
    expected = {"one": 1, "t1": 1, "t2": 1, "t3": 1, "three": 2}
    assert counted(harness, *expected) == expected, "what ran after the failure is done anew"
    with pytest.raises(Conflict):
        harness.runs.retry(run.id, ANN)


def test_a_retry_from_an_earlier_step_does_it_anew(harness):
    steps = [
        {"id": "one", "action": "count:probe", "input": {"name": "un"}},
        {"id": "turn", "each": [1, 2], "action": "count:probe", "input": {"name": "u${{ each.value }}"}},
        {"id": "two", "input": {"temporary": 5}},
    ]
    run = harness.wait(harness.submit(steps).id)
    harness.runs.retry(run.id, ANN, from_step="turn[1]")
    assert harness.wait(run.id).state == "succeeded"
    assert counted(harness, "un", "u1", "u2") == {"un": 1, "u1": 1, "u2": 2}


def test_a_step_at_work_stops_when_the_run_is_cancelled(harness):
    run = harness.submit(
        [{"id": "one", "input": {"wait": 20}}, {"id": "two"}, {"id": "three", "if": "${{ always() }}"}]
    )
    harness.wait(run.id, "running")
    time.sleep(0.3)
    assert harness.runs.cancel(run.id, ANN).state in ("cancelling", "cancelled")
    run = harness.wait(run.id, timeout=5)
    assert (run.state, set(states(run).values())) == ("cancelled", {"cancelled"})
    harness.runs.retry(run.id, ANN)
    harness.wait(run.id, "running")
    harness.runs.cancel(run.id, ANN)
    assert harness.wait(run.id).state == "cancelled"


def test_a_step_that_does_not_stop_is_left_and_what_it_does_later_does_not_count(harness):
    run = harness.submit([{"id": "one", "input": {"wait": 2.5, "deaf": True, "outputs": {"x": "1"}}}])
    harness.wait(run.id, "running")
    time.sleep(0.3)
    harness.runs.cancel(run.id, ANN)
    run = harness.wait(run.id, timeout=2)
    assert (run.state, run.steps[0].state) == ("cancelled", "cancelled")
    time.sleep(2.5)
    assert lines(harness.folder / "deaf") == [""]
    after = harness.runs.get(run.id, ANN)
    assert after.steps[0].outputs == {}
    assert "too late" not in harness.log(run.id)
