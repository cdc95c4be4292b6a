"""Steps that fail: what passes is tried again, now or later; what a person can mend waits for one; all else fails."""

from __future__ import annotations

import pytest

from flagstone.contracts.runs import RunRequest
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Conflict, Denied, Invalid, Temporary, Unauthenticated, Unavailable
from flagstone.platform.runs.model import Intent, digest, step_key
from flagstone.platform.runs.tests.harness import ANN, EVE, MAY, Harness, append, lines
from flagstone.sdk import Action, Inputs, Outputs, Waiting


class Flaky(Action):
    """Fails as it is told, so many times."""

    id = "test:flaky"
    title = "Fail"
    idempotency = "natural"

    class Input(Inputs):
        name: str
        how: str
        times: int = 1
        after: float | None = None

    class Output(Outputs):
        calls: int = 0
        memory: dict = {}  # noqa: RUF012
        answer: dict = {}  # noqa: RUF012

    def __init__(self, folder):
        self.folder = folder

    def plan(self, ctx, inputs):
        return self.Output()

    def run(self, ctx, inputs):
        calls = lines(self.folder / "flaky").count(inputs.name)
        append(self.folder / "flaky", inputs.name)
        if inputs.how == "asks first" and not ctx.memory:
            raise Waiting("input", "Go on?", data={"asked": True})
        if calls < inputs.times:
            raise {
                "busy": Temporary("test.busy", "Busy.", retry_after=inputs.after),
                "asks first": Temporary("test.busy", "Busy.", retry_after=inputs.after),
                "away": Unavailable("test.away", "Away.", retry_after=inputs.after),
                "key": Unauthenticated("test.key", "Wrong key."),
            }[inputs.how]
        return self.Output(calls=calls + 1, memory=dict(ctx.memory), answer=dict(ctx.answer or {}))


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    made = Harness(
        tmp_path_factory.mktemp("data"),
        extend=lambda made: [Flaky(made.folder)],
        retry_in_place_seconds=0.1,
        retry_budget_seconds=60,
    ).start()
    yield made
    made.stop()


def flaky(harness, name, how, **inputs):
    return harness.submit([{"id": "one", "action": "test:flaky", "input": {"name": name, "how": how, **inputs}}])


def test_a_longer_pause_before_the_next_attempt_gives_the_place_to_others(harness):
    run = harness.wait(flaky(harness, "a", "busy", after=0.4).id, "waiting")
    step = run.steps[0]
    assert (step.wait.kind, step.error["code"]) == ("time", "test.busy")
    assert step.wait.until is not None
    assert harness.parts.executor._active == {}
    done = harness.wait(run.id)
    assert (done.state, done.steps[0].attempt, done.steps[0].error) == ("succeeded", 2, None)


def test_what_is_away_for_a_moment_is_tried_again(harness):
    assert harness.wait(flaky(harness, "b", "away", times=2).id).steps[0].outputs["calls"] == 3


def test_a_wait_for_another_attempt_forgets_neither_the_answer_nor_what_the_action_remembers(harness):
    run = harness.wait(flaky(harness, "c", "asks first", times=3, after=0.3).id, "waiting")
    harness.parts.waiting.answer(run.id, "one", {"size": 3}, ANN)
    outputs = harness.wait(run.id).steps[0].outputs
    assert outputs["memory"] == {"asked": True}
    assert outputs["answer"]["values"] == {"size": 3}


def test_who_asks_to_come_back_after_more_than_the_budget_is_not_waited_for(harness):
    run = harness.wait(flaky(harness, "d", "busy", after=3600).id)
    assert (run.state, run.error["code"]) == ("failed", "test.busy")


def test_a_credential_that_is_refused_pauses_the_run_until_a_person_lets_it_go_on(harness):
    run = harness.wait(flaky(harness, "e", "key").id, "waiting")
    assert run.steps[0].wait.kind == "input"
    assert "Wrong key" in run.steps[0].wait.message
    with pytest.raises(Denied):
        harness.parts.waiting.answer(run.id, "one", {}, EVE)
    harness.parts.waiting.answer(run.id, "one", {}, MAY)
    done = harness.wait(run.id)
    assert (done.state, done.steps[0].attempt) == ("succeeded", 2)


def test_a_step_has_a_time_limit_of_its_own(harness):
    step = {"id": "s", "name": "s", "action": "speak", "input": {"wait": 20}, "timeout_seconds": 0.2}
    body = {"workflow": {"name": "t", "title": "T", "steps": [step]}}
    run = harness.wait(harness.runs.start(RunRequest.model_validate(body), ANN).id)
    assert (run.state, run.error["code"]) == ("failed", "runs.step_timeout")


def unknown(harness, name):
    """A run whose step is neither done nor not done, as after a crash."""
    harness.parts.dispatcher.wake = lambda: None
    steps = [
        {"id": "once", "action": "count:none", "input": {"name": name}},
        {"id": "end", "input": {"text": "it was ${{ steps.once.output.count }}"}},
    ]
    with harness.db.write():
        run = harness.submit(steps)
        key = step_key(run.id, "once", 0, {"name": name})
        recorder = harness.parts.service._recorder
        recorder.steps.open_intent(Intent(key, run.id, "once", "count:none", digest({})), utc_now())
        recorder.steps.change(run.id, "once", state="running", attempt=1)
    return harness.wait(run.id, "unknown")


def test_a_person_says_that_an_unknown_step_was_done_and_with_which_result(harness):
    run = unknown(harness, "f")
    with pytest.raises(Denied):
        harness.parts.resolving.resolve(run.id, "once", "done", EVE)
    with pytest.raises(Invalid) as refused:
        harness.parts.resolving.resolve(run.id, "once", "done", ANN, outputs={"count": "many"})
    assert "outputs.count" in [problem.field for problem in refused.value.problems]
    harness.parts.resolving.resolve(run.id, "once", "done", ANN, outputs={"count": 7, "name": "f"})
    done = harness.wait(run.id)
    assert [step.state for step in done.steps] == ["succeeded", "succeeded"]
    assert done.steps[1].inputs["text"] == "it was 7"
    assert lines(harness.folder / "calls").count("f") == 0
    with pytest.raises(Conflict):
        harness.parts.resolving.resolve(run.id, "once", "done", ANN)
    row = next(row for row in harness.audit.list().items if row.action == "runs.step.resolve")
    assert row.detail["outcome"] == "done"


def test_a_person_says_that_an_unknown_step_was_not_done_and_it_is_done(harness):
    run = unknown(harness, "g")
    harness.parts.resolving.resolve(str(run.number), "once", "not_done", ANN)
    assert harness.wait(run.id).state == "succeeded"
    assert lines(harness.folder / "calls").count("g") == 1
