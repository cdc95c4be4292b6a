"""Steps that wait: for an answer, for another slice, for a moment. They cost a row, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta

import pytest

from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Conflict, Denied, Invalid, NotFound
from flagstone.platform.runs.tests.harness import ANN, BOB, EVE, MAY, Harness, append, lines
from flagstone.sdk import Action, Inputs, Outputs, Waiting

SCHEMA = {
    "type": "object",
    "required": ["size"],
    "properties": {"size": {"type": "integer", "minimum": 1}, "note": {"type": "string", "default": "none"}},
}


class Ask(Action):
    """Asks, waits for a moment, or both; counts how often it was called."""

    id = "test:ask"
    title = "Ask"
    idempotency = "none"

    class Input(Inputs):
        name: str = "x"
        asked: list[str] = []  # noqa: RUF012
        kind: str = "input"
        seconds: float | None = None
        times: int = 1

    class Output(Outputs):
        answer: dict = {}  # noqa: RUF012
        calls: int = 0

    def __init__(self, folder):
        self.folder = folder

    def plan(self, ctx, inputs):
        return self.Output()

    def run(self, ctx, inputs):
        append(self.folder / "asked", inputs.name)
        calls = int(ctx.memory.get("calls", 0)) + 1
        if calls <= inputs.times and not ctx.cancelled():
            until = None if inputs.seconds is None else utc_now() + timedelta(seconds=inputs.seconds)
            raise Waiting(
                inputs.kind, f"How large is {inputs.name}?", until=until, schema=SCHEMA, asked=tuple(inputs.asked),
                data={"calls": calls},
            )  # fmt: skip
        return self.Output(answer=dict(ctx.answer or {}), calls=calls)


def extend(harness):
    return [Ask(harness.folder)]


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    made = Harness(tmp_path_factory.mktemp("data"), extend=extend).start()
    yield made
    made.stop()


def ask(harness, name, *, after="", actor=ANN, **inputs):
    steps = [
        {"id": "before", "input": {"text": "before"}},
        {"id": "ask", "action": "test:ask", "input": {"name": name, **inputs}},
        {"id": "after", "input": {"text": after or "size ${{ steps.ask.output.answer.values.size }}"}},
    ]
    return harness.submit(steps, actor=actor)


def test_a_step_that_asks_waits_until_it_is_answered_and_the_run_goes_on(harness):
    run = harness.wait(ask(harness, "one").id, "waiting")
    step = run.steps[1]
    assert (step.state, step.wait.kind, step.wait.message) == ("waiting", "input", "How large is one?")
    assert step.wait.answer_schema == SCHEMA
    assert run.steps[2].state == "pending"
    assert harness.parts.executor._active == {}
    harness.parts.waiting.answer(run.id, "ask", {"size": 3}, ANN)
    done = harness.wait(run.id)
    assert done.state == "succeeded"
    assert done.steps[1].outputs["answer"]["values"] == {"size": 3, "note": "none"}
    assert done.steps[2].inputs["text"] == "size 3"
    assert done.steps[1].wait is None
    assert lines(harness.folder / "asked").count("one") == 2


def test_an_answer_that_is_wrong_is_refused_with_its_field_and_the_step_goes_on_waiting(harness):
    run = harness.wait(ask(harness, "two").id, "waiting")
    with pytest.raises(Invalid) as caught:
        harness.parts.waiting.answer(run.id, "ask", {"size": 0}, ANN)
    assert caught.value.problems[0].field == "size"
    assert harness.runs.get(run.id, ANN).state == "waiting"
    harness.parts.waiting.answer(run.id, "ask", {"size": 1}, ANN)
    assert harness.wait(run.id).state == "succeeded"
    with pytest.raises((Conflict, NotFound)):
        harness.parts.waiting.answer(run.id, "ask", {"size": 1}, ANN)


def test_only_those_who_are_asked_may_answer(harness):
    asked = harness.wait(ask(harness, "three", asked=["user:default/bob", "role:maintainer"]).id, "waiting")
    for stranger in (ANN, EVE):
        with pytest.raises(Denied):
            harness.parts.waiting.answer(asked.id, "ask", {"size": 1}, stranger)
    harness.parts.waiting.answer(asked.id, "ask", {"size": 1}, BOB)
    nobody = harness.wait(ask(harness, "four").id, "waiting")
    with pytest.raises(Denied):
        harness.parts.waiting.answer(nobody.id, "ask", {"size": 1}, BOB)
    harness.parts.waiting.answer(nobody.id, "ask", {"size": 1}, MAY)
    assert harness.wait(asked.id).state == harness.wait(nobody.id).state == "succeeded"


def test_a_step_is_woken_when_its_time_has_come_and_may_wait_again(harness):
    run = harness.wait(ask(harness, "five", kind="poll", seconds=0.05, times=3, after="done").id, timeout=30)
    assert run.state == "succeeded"
    assert run.steps[1].outputs["calls"] == 4
    assert lines(harness.folder / "asked").count("five") == 4


def test_a_waiting_run_is_cancelled_at_once(harness):
    run = harness.wait(ask(harness, "six").id, "waiting")
    cancelled = harness.runs.cancel(run.id, ANN)
    assert cancelled.state == "cancelled"
    assert [step.state for step in cancelled.steps] == ["succeeded", "cancelled", "cancelled"]
    with pytest.raises((Conflict, NotFound)):
        harness.parts.waiting.answer(run.id, "ask", {"size": 1}, ANN)
    again = harness.runs.retry(run.id, ANN)
    assert harness.wait(again.id, "waiting").steps[1].wait is not None
    harness.runs.cancel(run.id, ANN)


def test_an_answer_that_comes_while_the_run_is_put_away_is_not_lost(harness):
    for number in range(10):
        run = ask(harness, f"quick-{number}", after="done")
        while True:
            try:
                harness.parts.waiting.signal(run.id, "ask", {"values": {"size": number}})
                break
            except Conflict:
                continue
        done = harness.wait(run.id)
        assert (done.state, done.steps[1].outputs["answer"]["values"]) == ("succeeded", {"size": number})


def test_each_turn_waits_for_its_own_answer(harness):
    step = {"id": "ask", "action": "test:ask", "input": {"name": "turn-${{ each.value }}"}, "each": ["a", "b"]}
    run = harness.wait(harness.submit([step]).id, "waiting")
    for number, key in enumerate(("0", "1")):
        run = harness.wait(run.id, "waiting")
        assert [item.state for item in run.steps] == (["waiting", "pending"], ["succeeded", "waiting"])[number]
        harness.parts.waiting.answer(run.id, f"ask[{key}]", {"size": number + 1}, ANN)
        harness.wait(run.id, "queued", "running", "succeeded", "waiting")
        if number == 0:
            harness.wait(run.id, "waiting")
    assert harness.wait(run.id).state == "succeeded"


def test_a_thousand_waiting_runs_hold_neither_threads_nor_memory(harness):
    code = """
import sys, json, resource, threading, time
from pathlib import Path
from flagstone.platform.runs.tests.harness import ANN, Harness
from flagstone.platform.runs.tests.test_waiting import extend
harness = Harness(Path(sys.argv[1]), extend=extend).start()
def many(count):
    step = {"id": "ask", "action": "test:ask", "input": {}}
    ids = [harness.submit([step]).id for _ in range(count)]
    for each in ids: harness.wait(each, "waiting", timeout=100)
def size(): return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6
many(20)
before = size(), threading.active_count()
many(int(sys.argv[2]))
print(json.dumps([size() - before[0], threading.active_count() - before[1]]))
harness.stop()
"""
    count = 100
    done = subprocess.run(
        [sys.executable, "-c", code, str(harness.folder / "many"), str(count)],
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    megabytes, threads = json.loads(done.stdout.splitlines()[-1])
    assert threads <= 8
    assert (
        megabytes / count * 1000 < 200
    )  # it does not grow with them: what is left is warm-up, measured by the benchmark
