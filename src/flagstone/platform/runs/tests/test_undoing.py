"""Taking back what a run did: the last step first, each once, also after a crash of the undo itself."""

from __future__ import annotations

import pytest

from flagstone.contracts.runs import RunRequest
from flagstone.platform.runs.tests.harness import ANN, Harness, append, lines
from flagstone.sdk import Action, Inputs, Outputs, UndoNotPossible, Waiting


class Build(Action):
    """Writes a line, and can take it back."""

    id = "test:build"
    title = "Build"
    idempotency = "natural"

    class Input(Inputs):
        name: str
        fail: bool = False
        ask: bool = False
        undo: str = "works"

    class Output(Outputs):
        built: str = ""

    def __init__(self, folder):
        self.folder = folder

    def plan(self, ctx, inputs):
        return self.Output(built=inputs.name)

    def run(self, ctx, inputs):
        if inputs.fail:
            raise ValueError("cannot build")
        if inputs.ask:
            raise Waiting("input", "Go on?")
        append(self.folder / "world", f"+{inputs.name}")
        return self.Output(built=inputs.name)

    def undo(self, ctx, inputs, outputs):
        if inputs.undo == "fails once" and f"?{inputs.name}" not in lines(self.folder / "world"):
            append(self.folder / "world", f"?{inputs.name}")
            raise ValueError("the world does not answer")
        if inputs.undo == "not here":
            raise UndoNotPossible("too late")
        append(self.folder / "world", f"-{outputs['built']}")


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    made = Harness(tmp_path_factory.mktemp("data"), extend=lambda made: [Build(made.folder)]).start()
    yield made
    made.stop()


def run(harness, *steps, undo="never"):
    found = [
        {"id": f"s{number}", "action": "test:build", "input": step} if isinstance(step, dict) else {"id": f"s{number}"}
        for number, step in enumerate(steps)
    ]
    (harness.folder / "world").unlink(missing_ok=True)
    return submit(harness, found, undo)


def submit(harness, steps, undo):
    body = {"workflow": {"name": "t", "title": "T", "undo": undo, "steps": [
        {"id": step["id"], "name": step["id"], "action": step.get("action", "speak"), "input": step.get("input", {})}
        for step in steps
    ]}}  # fmt: skip
    return harness.runs.start(RunRequest.model_validate(body), ANN)


def world(harness):
    return lines(harness.folder / "world")


def test_a_run_that_fails_is_taken_back_last_step_first_when_its_workflow_says_so(harness):
    made = run(harness, {"name": "a"}, {"name": "b"}, "speak", {"name": "c", "fail": True}, undo="on_failure")
    done = harness.wait(made.id)
    assert done.state == "failed"
    assert world(harness) == ["+a", "+b", "-b", "-a"]
    assert [step.undone for step in done.steps] == [True, True, False, False]
    assert any("has no undo" in line for line in harness.log(made.id))


def test_a_run_that_fails_stays_as_it_is_unless_somebody_says_otherwise(harness):
    made = harness.wait(run(harness, {"name": "a"}, {"name": "b", "fail": True}).id)
    assert world(harness) == ["+a"]
    assert not any(step.undone for step in made.steps)


def test_a_cancel_takes_back_what_is_done_when_asked_to_and_a_retry_does_it_again(harness):
    made = harness.wait(run(harness, {"name": "a"}, {"name": "q", "ask": True}).id, "waiting")
    assert harness.runs.cancel(made.id, ANN, undo=True).state == "cancelling"
    done = harness.wait(made.id)
    assert done.state == "cancelled"
    assert world(harness) == ["+a", "-a"]
    again = harness.runs.retry(made.id, ANN)
    assert [step.undone for step in again.steps] == [False, False]
    harness.wait(made.id, "waiting")
    assert world(harness) == ["+a", "-a", "+a"]
    harness.runs.cancel(made.id, ANN)
    assert world(harness) == ["+a", "-a", "+a"]


def test_an_undo_that_fails_is_told_and_the_others_go_on(harness):
    made = run(
        harness, {"name": "a"}, {"name": "b", "undo": "fails once"}, {"name": "c", "fail": True}, undo="on_failure"
    )
    done = harness.wait(made.id)
    assert world(harness) == ["+a", "+b", "?b", "-a"]
    assert done.error["code"] == "runs.undo_failed"
    assert "the world does not answer" in done.error["detail"]
    assert [step.undone for step in done.steps] == [True, False, False]


def test_what_cannot_be_taken_back_any_more_is_told(harness):
    made = run(harness, {"name": "a", "undo": "not here"}, {"name": "c", "fail": True}, undo="on_cancel")
    assert harness.wait(made.id).error["code"] == "runs.action_crashed"
    made = run(harness, {"name": "a", "undo": "not here"}, {"name": "c", "fail": True}, undo="on_failure")
    assert "cannot take this back" in harness.wait(made.id).error["detail"]
