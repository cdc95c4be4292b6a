"""Killed at any instant, a run goes on at the next start and each side effect happens exactly once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from flagstone.platform.runs.service.crash import POINTS
from flagstone.platform.runs.tests import harness
from flagstone.platform.runs.tests.harness import ANN, Harness, lines

STEPS = [
    {"id": "one", "action": "count:probe", "input": {"name": "one"}},
    {"id": "two", "action": "count:key", "input": {"name": "two"}},
    {"id": "three", "action": "count:natural", "input": {"name": "three"}},
    {"id": "many", "action": "count:probe", "each": ["a", "b"], "input": {"name": "${{ each.value }}"}},
    {
        "id": "end",
        "input": {"text": "all ${{ steps.many.output.name }}", "outputs": {"x": "${{ steps.one.output.name }}"}},
    },
]


@pytest.fixture
def urls(backend, request):
    """Settings of a child for the database of this test, and how to get rid of it."""
    if backend == "sqlite":
        yield {}
        return
    server = request.getfixturevalue("postgres_server")
    url = server.create_database()
    yield {"url": url, "engine_url": url}
    server.drop_database(url)


def child(folder, steps, *, urls=None, secrets=None, undo="never", **settings):
    options = {"steps": steps, "settings": settings, "urls": urls or {}, "secrets": secrets or {}, "undo": undo}
    (folder / "options.json").write_text(json.dumps(options))
    environment = {**os.environ, "PYTHONPATH": str(harness.SRC.parent)}
    return subprocess.Popen(
        [sys.executable, "-m", "flagstone.platform.runs.tests.harness", str(folder), "key"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


def finish(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def after_crash(folder, urls, steps=STEPS, **settings):
    """Let a child die at the point in the settings, and a second one go on."""
    process = child(folder, steps, urls=urls, **settings)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 137, f"it did not reach the crash point: {err}"
    settings.pop("crash_at")
    return finish(child(folder, steps, urls=urls, **settings))


def counted(folder, urls):
    """(side effects by name, events in the outbox by name)."""
    seen = Harness(folder, **urls)
    events = Counter(event.subject for event in seen.outbox.read() if event.type == "counted")
    run = seen.runs.get("1", ANN)
    events_of_run = seen.runs.events("1", ANN, limit=5000)
    seen.db.close()
    assert [event.seq for event in events_of_run] == list(range(1, run.last_seq + 1))
    return Counter(line.split()[1] for line in lines(folder / "ledger")), events


@pytest.mark.parametrize(
    ("turn", "point"), [*((1, point) for point in POINTS if point != "after_undo"), (4, "after_effect")]
)
def test_a_run_killed_at_a_crash_point_does_each_side_effect_once(tmp_path, point, turn):
    result = after_crash(tmp_path, {}, crash_at=f"{point}:{turn}")
    assert result["state"] == "succeeded"
    assert result["output"][-1] == {"x": "one"}
    effects, events = counted(tmp_path, {})
    assert effects == Counter(one=1, two=1, a=1, b=1)
    assert events == Counter(one=1, two=1, three=1, a=1, b=1)


@pytest.mark.parametrize("backend", ["postgres"], indirect=True)
@pytest.mark.parametrize("point", ["after_intent", "before_result"])
def test_the_same_holds_on_postgresql(tmp_path, point, urls):
    assert after_crash(tmp_path, urls, crash_at=f"{point}:2")["state"] == "succeeded"
    effects, events = counted(tmp_path, urls)
    assert effects == Counter(one=1, two=1, a=1, b=1)
    assert events == Counter(one=1, two=1, three=1, a=1, b=1)


@pytest.mark.slow
def test_a_run_killed_at_random_again_and_again_does_each_side_effect_once(tmp_path):
    slow = [{**step, "input": {**step["input"], "seconds": 0.4}} for step in STEPS[:4]]
    seed = int(time.time())
    dice = random.Random(seed)
    # A few here; `make bench ARGS="runs crashes"` kills a server 200 times.
    for _ in range(int(os.environ.get("FLAGSTONE_TEST_KILLS", "3"))):
        process = child(tmp_path, slow, worker_deaths=50)
        try:
            process.communicate(timeout=1.2 + 1.5 * dice.random())
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=10)
    result = finish(child(tmp_path, slow, worker_deaths=50))
    assert result["state"] == "succeeded", f"seed {seed}"
    effects, events = counted(tmp_path, {})
    assert effects == Counter(one=1, two=1, a=1, b=1), f"seed {seed}"
    assert events == Counter(one=1, two=1, three=1, a=1, b=1), f"seed {seed}"


def test_an_undo_that_was_cut_off_goes_on_with_the_step_it_was_at(tmp_path):
    steps = [
        {"id": "one", "action": "count:undo", "input": {"name": "one"}},
        {"id": "two", "action": "count:undo", "input": {"name": "two"}},
        {"id": "bad", "input": {"fail": "bad"}},
    ]
    result = after_crash(tmp_path, {}, steps, crash_at="after_undo@two", undo="on_failure")
    assert result["state"] == "failed"
    assert [line.split()[1] for line in lines(tmp_path / "ledger")] == ["one", "two", "-two", "-one"]
    seen = Harness(tmp_path)
    assert [step.undone for step in seen.runs.get("1", ANN).steps] == [True, True, False]
    seen.db.close()


def test_a_step_that_can_neither_be_repeated_nor_asked_waits_for_a_person(tmp_path):
    steps = [{"id": "once", "action": "count:none", "input": {"name": "once"}}, {"id": "end"}]
    assert after_crash(tmp_path, {}, steps, crash_at="after_effect")["state"] == "unknown"
    seen = Harness(tmp_path).start()
    run = seen.runs.get("1", ANN)
    assert [step.state for step in run.steps] == ["unknown", "pending"]
    assert run.error["code"] == "runs.outcome_unknown"
    assert len(lines(tmp_path / "ledger")) == 1
    seen.runs.retry(run.id, ANN)
    assert seen.wait(run.id).state == "succeeded"
    assert len(lines(tmp_path / "ledger")) == 2, "the person said so"
    seen.stop()


def test_a_person_may_say_that_the_unknown_step_was_done(tmp_path):
    steps = [{"id": "once", "action": "count:none", "input": {"name": "once"}}, {"id": "end"}]
    after_crash(tmp_path, {}, steps, crash_at="after_effect")
    seen = Harness(tmp_path).start()
    seen.runs.retry("1", ANN, from_step="end")
    run = seen.wait("1")
    assert [step.state for step in run.steps] == ["skipped", "succeeded"]
    assert run.state == "succeeded"
    assert len(lines(tmp_path / "ledger")) == 1
    seen.stop()


def test_a_step_that_kills_the_server_every_time_is_given_up(tmp_path):
    for _ in range(3):
        process = child(tmp_path, STEPS, crash_at="after_intent")
        process.communicate(timeout=60)
        assert process.returncode == 137
    assert finish(child(tmp_path, STEPS, crash_at="after_intent"))["state"] == "failed"
    seen = Harness(tmp_path)
    assert seen.runs.get("1", ANN).error["code"] == "runs.worker_died"
    seen.db.close()


def test_a_run_committed_but_not_yet_given_to_the_engine_is_started_at_the_next_start(tmp_path):
    seen = Harness(tmp_path)
    run = seen.submit(STEPS)
    assert run.state == "queued"
    seen.db.close()
    seen = Harness(tmp_path).start()
    assert seen.wait(run.id).state == "succeeded"
    seen.stop()


def test_a_run_that_the_engine_lost_is_started_again(tmp_path):
    process = child(tmp_path, STEPS, crash_at="after_effect:2")
    process.communicate(timeout=60)
    for file in tmp_path.glob("engine.db*"):
        file.unlink()
    assert finish(child(tmp_path, STEPS))["state"] == "succeeded"
    effects, _ = counted(tmp_path, {})
    assert effects == Counter(one=1, two=1, a=1, b=1)
