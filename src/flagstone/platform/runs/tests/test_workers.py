"""Several processes that execute runs: one that is gone is replaced, and what it still writes is refused."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import update

from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Conflict
from flagstone.platform.runs.service.workers import Workers
from flagstone.platform.runs.settings import RunsSettings
from flagstone.platform.runs.store import WorkerStore, tables
from flagstone.platform.runs.tests.harness import ANN, Harness, lines
from flagstone.platform.runs.tests.test_service_crash import child, counted, finish
from flagstone.toolkit.db import NameClaim

STEPS = [
    {"id": "one", "action": "count:target", "input": {"name": "one", "seconds": 1.5}},
    {"id": "two", "action": "count:target", "input": {"name": "two"}},
]


class Clock:
    """Two processes in one test: what they see of time is what the test says."""

    def __init__(self, monkeypatch):
        self.now = 1000.0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)


@pytest.fixture
def stopped(tmp_path):
    """Everything but an engine."""
    made = Harness(tmp_path / "data")
    yield made
    made.db.close()


def workers(harness, name, lease=3):
    settings = RunsSettings(executor_id=name, lease_seconds=lease)
    recorder = harness.parts.service._recorder
    made = Workers(WorkerStore(harness.db, recorder.now), recorder, settings, NameClaim(harness.db, name))
    made.moved = []
    made.taken_over = lambda new, old: made.moved.append(([item.execution for item in new], list(old)))
    made._register()
    return made


def past(harness, seconds):
    """As if it were so much earlier when the workers were heard of last."""
    with harness.db.write() as conn:
        conn.execute(update(tables.workers).values(seen_at=utc_now() - timedelta(seconds=seconds)))


def test_who_is_silent_for_its_lease_loses_its_runs_and_can_write_no_more(stopped, monkeypatch):
    first, second = workers(stopped, "first"), workers(stopped, "second")
    run = stopped.submit([{"id": "one"}])
    recorder = stopped.parts.service._recorder
    taken = recorder.runs.begin(run.id, 1, recorder.now(), "first")
    clock = Clock(monkeypatch)
    for _ in range(8):
        clock.now += 0.5
        second.beat()
    assert second.moved == [], "the database heard of it a moment ago"
    past(stopped, 10)
    for _ in range(8):
        clock.now += 0.5
        second.beat()
    assert second.moved == [([f"{run.id}.2"], [f"{run.id}.1"])]
    assert second.living() == {"second"}
    with pytest.raises(Conflict) as refused:
        recorder.append(run.id, [recorder.run_event("succeeded")], taken.fence)
    assert refused.value.code == "runs.fenced"
    assert any("first is gone" in line for line in stopped.log(run.id))
    first.beat()
    assert first.living() == {"first", "second"}, "who comes back takes part again"


def test_a_second_process_of_the_same_name_is_refused_and_told_who_has_it(stopped):
    first, second = workers(stopped, "main"), workers(stopped, "main")
    first.claim()
    with pytest.raises(Conflict) as refused:
        second.claim(wait=0)
    assert refused.value.code == "runs.name_in_use"
    assert f"process {os.getpid()}" in refused.value.message
    assert "runs.executor_id" in refused.value.hint
    first.beat()
    other = workers(stopped, "other")
    other.claim(wait=0)
    first.stop()
    second.claim(wait=0)
    other.stop()
    second.stop()


def test_who_was_stopped_itself_does_not_blame_the_others(stopped, monkeypatch):
    workers(stopped, "first")
    second = workers(stopped, "second")
    past(stopped, 10)
    clock = Clock(monkeypatch)
    second.beat()
    clock.now += 100
    second.beat()
    assert second.moved == []
    assert second.living() == {"first", "second"}


def test_a_worker_that_stops_hands_its_runs_to_the_others(stopped):
    first = workers(stopped, "first")
    run = stopped.submit([{"id": "one"}])
    recorder = stopped.parts.service._recorder
    recorder.runs.begin(run.id, 1, recorder.now(), "first")
    first._thread = first._thread or type("Ended", (), {"join": lambda self, _: None})()
    first.stop()
    assert first.moved == [], "without others it is left to the next start"
    second = workers(stopped, "second")
    first.stop()
    assert first.moved == [([f"{run.id}.2"], [f"{run.id}.1"])]
    assert second.living() == {"second"}


def test_a_paused_worker_is_replaced_and_does_nothing_twice_when_it_goes_on(tmp_path, postgres_server):
    url = postgres_server.create_database()
    urls = {"url": url, "engine_url": url}
    first = child(tmp_path, STEPS, urls=urls, executor_id="first", lease_seconds=1)
    try:
        until = time.monotonic() + 30
        while "one" not in lines(tmp_path / "calls") and time.monotonic() < until:
            time.sleep(0.02)
        os.kill(first.pid, signal.SIGSTOP)
        second = child(tmp_path, STEPS, urls=urls, executor_id="second", lease_seconds=1)
        assert finish(second)["state"] == "succeeded"
    finally:
        os.kill(first.pid, signal.SIGCONT)
    assert finish(first)["state"] == "succeeded"
    effects, events = counted(tmp_path, urls)
    assert effects == Counter(one=1, two=1)
    assert events == Counter(one=1, two=1)
    seen = Harness(tmp_path, **urls)
    done = [event.step for event in seen.runs.events("1", ANN) if event.state == "succeeded"]
    assert done == ["one", "two", ""]
    seen.db.close()
    postgres_server.drop_database(url)
