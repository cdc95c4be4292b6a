"""Logs: searched, bounded, kept as long as the settings say; followed by many at the cost of one."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from flagstone.kernel.clock import utc_now
from flagstone.platform.runs.tests.harness import ANN, Harness


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    made = Harness(folder, log_bytes_per_run=10_000, keep_logs_days=30).start()
    yield made
    made.stop()


def test_a_log_is_searched_by_text_and_by_step(harness):
    steps = [{"id": "one", "input": {"text": "Hello 100%"}}, {"id": "two", "input": {"text": "hello again"}}]
    run = harness.wait(harness.submit(steps).id)

    def found(**query):
        return [(line.step, line.text) for line in harness.runs.search_log(run.id, ANN, **query)]

    assert found(text="HELLO") == [("one", "Hello 100%"), ("two", "hello again")]
    assert found(text="hello", step="two") == [("two", "hello again")]
    assert found(text="0%") == [("one", "Hello 100%")]
    assert found(text="_") == [], "what is searched for is text, not a pattern"
    whole = "".join(harness.runs.log_lines(run.id, ANN, step="two"))
    assert "hello again" in whole
    assert "100%" not in whole


def test_a_run_that_writes_too_much_is_cut_off_with_the_limit_named(harness):
    steps = [{"id": "one", "input": {"lines": 3000, "text": "x" * 20}}, {"id": "two", "input": {"text": "after"}}]
    run = harness.wait(harness.submit(steps).id)
    assert run.state == "succeeded"
    log = harness.log(run.id)
    assert sum(len(line) for line in log) < 12_000
    assert any("runs.log_bytes_per_run" in line for line in log)
    assert [step.state for step in run.steps] == ["succeeded", "succeeded"]


def test_the_limit_of_a_log_holds_for_all_retries_of_a_run_together_and_is_said_once(harness):
    steps = [{"id": "one", "input": {"lines": 150, "text": "ä" * 10, "fail": "no"}}]
    run = harness.wait(harness.submit(steps).id)
    shorter = sum(len(line.encode()) + 1 for line in harness.log(run.id))
    assert 4_000 < shorter < 8_000
    for _ in range(3):
        harness.runs.retry(run.id, ANN)
        assert harness.wait(run.id).state == "failed"
    log = harness.log(run.id)
    assert 10_000 < sum(len(line.encode()) + 1 for line in log) < 11_000
    assert sum("runs.log_bytes_per_run" in line for line in log) == 1
    assert "runs.log_bytes_per_run" in log[-1]


def test_old_logs_are_deleted_and_what_happened_stays(harness):
    run = harness.wait(harness.submit([{"id": "one", "input": {"text": "old"}}]).id)
    store = harness.parts.service._runs
    store.change(run.id, {"ended_at": utc_now() - timedelta(days=31), "tidied": 1})
    harness.parts.dispatcher._tidy()
    assert harness.log(run.id) == []
    assert [event.state for event in harness.runs.events(run.id, ANN) if event.step == "one"] == [
        "running",
        "succeeded",
    ]


def test_many_follow_a_run_and_each_sees_everything_once_from_where_it_began(harness):
    reads = []
    store = harness.parts.service._events
    read = store.read
    store.read = lambda *args, **more: reads.append(1) or read(*args, **more)
    steps = [{"id": f"s{number}", "input": {"text": f"line {number}", "wait": 0.1}} for number in range(8)]
    run = harness.submit(steps)

    async def one(after):
        return [event.seq async for event in harness.runs.follow(run.id, ANN, after=after)]

    async def many():
        return await asyncio.gather(*(one(number % 5) for number in range(60)))

    try:
        found = asyncio.run(many())
    finally:
        store.read = read
    last = harness.runs.get(run.id, ANN).last_seq
    assert found == [list(range(number % 5 + 1, last + 1)) for number in range(60)]
    # Each alone would read at least once for each of the eight steps.
    assert len(reads) < 60 * 4


def test_a_run_is_streamed_as_server_sent_events(harness):
    run = harness.submit([{"id": "one", "input": {"text": "good morning"}}])

    async def whole():
        return b"".join([piece async for piece in harness.runs.stream(run.id, ANN)]).decode()

    text = asyncio.run(whole())
    last = harness.runs.get(run.id, ANN).last_seq
    assert [line for line in text.splitlines() if line.startswith("id:")] == [f"id: {n}" for n in range(1, last + 1)]
    assert "good morning" in text
    assert text.endswith("\n\n")
