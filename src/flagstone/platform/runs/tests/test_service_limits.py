"""Runs at their limits: queue, time-outs, stops, keys, secrets, logs, workspaces."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from flagstone.contracts.gateway import RunQuery
from flagstone.kernel.errors import Conflict, Invalid
from flagstone.platform.runs.service import ActionRegistry
from flagstone.platform.runs.store import RunStore
from flagstone.platform.runs.tests.harness import ANN, BOB, MAY, CountProbe, Speak, lines


def states(run):
    return {step.id: step.state for step in run.steps}


def test_a_run_is_accepted_before_the_engine_is_there(start):
    harness = start()
    assert harness.parts.engine.ready() == "the engine of runs is starting"
    before = time.monotonic()
    run = harness.submit([{"id": "one", "input": {"text": "hello"}}])
    assert time.monotonic() - before < 30  # seconds; it did not hang
    assert (run.state, run.number) == ("queued", 1)
    assert harness.wait(run.id).state == "succeeded"
    assert harness.log(run.id) == ["hello"]


def test_a_run_in_the_queue_is_cancelled_at_once(start):
    harness = start(concurrency=1)
    first = harness.submit([{"id": "one", "input": {"wait": 20}}])
    harness.wait(first.id, "running")
    second = harness.submit([{"id": "one"}])
    assert harness.runs.cancel(second.id, ANN).state == "cancelled"
    assert harness.runs.cancel(second.id, ANN).state == "cancelled", "asking twice is harmless"
    harness.runs.cancel(first.id, MAY)
    assert harness.wait(first.id).state == "cancelled"
    assert harness.runs.get(second.id, ANN).steps[0].state == "cancelled"


def test_a_step_that_takes_too_long_fails(start):
    harness = start(step_timeout_seconds=0.3)
    run = harness.wait(harness.submit([{"id": "one", "input": {"wait": 20}}]).id, timeout=10)
    assert (run.state, run.error["code"]) == ("failed", "runs.step_timeout")


def test_a_stopping_server_leaves_the_step_for_the_next_start(start, tmp_path):
    harness = start()
    run = harness.submit([{"id": "one", "input": {"wait": 3}}, {"id": "two"}])
    harness.wait(run.id, "running")
    time.sleep(0.3)
    before = time.monotonic()
    harness.stop()
    assert time.monotonic() - before < 30  # seconds; it did not hang
    again = start(tmp_path / "data")
    found = again.runs.get(run.id, ANN)
    assert (found.state, found.steps[0].state) == ("running", "pending")
    assert again.wait(run.id).state == "succeeded"


def test_the_same_key_gives_the_same_run(start):
    harness = start()
    found, errors = set(), []

    def submit():
        try:
            found.add(harness.submit([{"id": "one"}], idempotency_key="k", secrets={"token": "s3cr3t-s3cr3t"}).id)
        except Conflict as error:
            errors.append(error)

    threads = [threading.Thread(target=submit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
    assert not errors
    assert len(harness.runs.list_runs(RunQuery(), ANN).items) == 1
    assert harness.submit([{"id": "one"}], actor=BOB, idempotency_key="k").id not in found
    with pytest.raises(Conflict) as refused:
        harness.submit([{"id": "other"}], idempotency_key="k")
    assert refused.value.code == "runs.key_reused"


CANARY = "canary-7f3a9b-do-not-leak"


def test_a_secret_is_stored_nowhere_in_clear(start):
    harness = start()
    run = harness.submit(
        [
            {
                "id": "one",
                "input": {
                    "text": "the secret is ${{ secrets.token }}",
                    "outputs": {"x": "${{ secrets.token | upper }}", "y": "${{ secrets.token }}"},
                },
            },
            {"id": "two", "input": {"text": "${{ steps.one.output.y }}", "fail": "no ${{ secrets.token }}"}},
            {"id": "not", "if": "${{ secrets.token }}"},
        ],
        secrets={"token": CANARY},
        output={"x": "${{ secrets.token }}"},
    )
    run = harness.wait(run.id)
    assert run.state == "failed"
    shown = run.model_dump_json() + "\n".join(harness.log(run.id))
    assert CANARY not in shown
    assert "••••••" in run.steps[0].inputs["text"]
    assert states(run)["not"] == "skipped"
    harness.stop()
    for file in harness.folder.rglob("*"):
        if file.is_file():
            assert CANARY.encode() not in file.read_bytes(), file


def test_a_chatty_step_keeps_the_beginning_and_the_end_of_its_log(start):
    harness = start(log_lines_per_step=1000)
    run = harness.submit(
        [{"id": "one", "input": {"lines": 100_000, "text": "y"}}, {"id": "two", "input": {"text": "z"}}]
    )
    run = harness.wait(run.id, timeout=60)
    log = harness.log(run.id)
    assert len(log) == 1002
    assert log[1] == "line 0 y"
    assert log[-2] == "line 99999 y"
    assert [line for line in log if "runs.log_truncated" in line and "99,001 lines" in line]


def test_a_poisonous_log_line_is_made_harmless(start):
    harness = start()

    class Poison(Speak):
        id = "poison"

        def run(self, ctx, inputs):
            ctx.log("nul \x00 surrogate \udcff colour \x1b[31mred\x1b[0m\r\nsecond")
            ctx.log("x" * 20_000)

    harness.parts.registry._frozen = False
    harness.parts.registry.add(Poison(harness.folder), "tests")
    run = harness.wait(harness.submit([{"id": "one", "action": "poison"}]).id)
    log = harness.log(run.id)
    assert log[:2] == ["nul \ufffd surrogate ? colour \x1b[31mred\x1b[0m", "second"]
    assert log[2].endswith("… (12000 more characters)")


def test_a_follower_gets_everything_once_and_ends_with_the_run(start):
    harness = start()
    run = harness.submit([{"id": "one", "input": {"lines": 300, "wait": 0.6}}, {"id": "two"}])

    async def follow(after):
        return [event async for event in harness.runs.follow(run.id, ANN, after=after)]

    seen = asyncio.run(follow(0))
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    assert (seen[-1].type, seen[-1].state) == ("run", "succeeded")
    assert seen == harness.runs.events(run.id, ANN)
    assert [event.seq for event in asyncio.run(follow(10))] == list(range(11, len(seen) + 1))


def test_the_outbox_and_the_audit_tell_of_every_change(start):
    harness = start()
    run = harness.submit(
        [{"id": "one", "action": "count:probe", "input": {"name": "shop"}}], subjects=["Component:default/A"]
    )
    run = harness.wait(run.id)
    assert run.subjects == ("component:default/a", "component:default/shop")
    assert [item.id for item in harness.runs.list_runs(RunQuery(subject="component:default/shop"), ANN).items] == [
        run.id
    ]
    events = [(event.type, event.data.get("state")) for event in harness.outbox.read()]
    assert events == [
        ("run.changed", "queued"),
        ("run.changed", "running"),
        ("counted", None),
        ("run.changed", "succeeded"),
    ]
    assert [row.action for row in harness.audit.list().items] == ["runs.run.start"]


def test_a_request_that_is_too_large_is_refused(start):
    harness = start(max_request_bytes=2000)
    with pytest.raises(Invalid) as refused:
        harness.submit([{"id": "one", "input": {"text": "x" * 3000}}])
    assert refused.value.code == "runs.request_too_large"


def test_two_plugins_with_one_action_are_both_named(tmp_path):
    registry = ActionRegistry()
    registry.add(CountProbe(tmp_path), "acme")
    with pytest.raises(Conflict) as refused:
        registry.add(CountProbe(tmp_path), "evil")
    assert "acme and evil" in refused.value.message
    registry.freeze()
    with pytest.raises(Conflict):
        registry.add(Speak(tmp_path), "late")


def test_the_workspace_is_removed_when_its_time_is_over(start):
    harness = start(keep_workspaces=0)
    run = harness.wait(harness.submit([{"id": "one", "action": "count:natural", "input": {"name": "x"}}]).id)
    folder = harness.folder / "workspaces" / run.id
    until = time.monotonic() + 10
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not folder.exists()


def test_a_folder_that_cannot_be_made_is_a_clear_error(start):
    harness = start()
    (harness.folder / "workspaces").rmdir() if (harness.folder / "workspaces").exists() else None
    (harness.folder / "workspaces").write_text("in the way")
    run = harness.wait(harness.submit([{"id": "one", "action": "count:natural", "input": {"name": "x"}}]).id)
    assert run.error["code"] == "runs.no_workspace"
    assert "retry the run" in run.error["hint"]


def test_a_run_that_fills_its_workspace_fails_and_others_go_on(start):
    harness = start(workspace_bytes=2000)

    class Fill(Speak):
        id = "fill"

        def run(self, ctx, inputs):
            for number in range(100):
                ctx.workspace.write(f"{number}.txt", "x" * 100)

    harness.parts.registry._frozen = False
    harness.parts.registry.add(Fill(harness.folder), "tests")
    run = harness.wait(harness.submit([{"id": "one", "action": "fill"}]).id)
    assert (run.state, run.error["code"]) == ("failed", "files.quota")
    assert harness.wait(harness.submit([{"id": "one"}]).id).state == "succeeded"


def test_an_executor_that_lost_its_run_to_another_one_changes_nothing_more(start):
    harness = start()
    run = harness.submit(
        [
            {"id": "one", "action": "count:probe", "input": {"name": "slow", "seconds": 1.5}},
            {"id": "two", "input": {"text": "after"}},
        ]
    )
    harness.wait(run.id, "running")
    while not lines(harness.folder / "ledger"):
        time.sleep(0.02)
    assert RunStore(harness.db).reopen(run.id, ("running",), state=None) == 2, "as another process would"
    run = harness.wait(run.id)
    assert run.state == "succeeded"
    assert len(lines(harness.folder / "ledger")) == 1
    events = harness.runs.events(run.id, ANN)
    assert [event.seq for event in events] == list(range(1, run.last_seq + 1))
    assert [event.state for event in events if event.step == "one" and event.type == "step"].count("succeeded") == 1
    assert [event.type for event in harness.outbox.read()].count("counted") == 1


def test_without_its_database_the_engine_is_waited_for_and_runs_queue_up(start):
    harness = start(engine_url="postgresql://nobody@127.0.0.1:1/nothing")
    run = harness.submit([{"id": "one"}])
    time.sleep(2)
    assert harness.parts.engine.ready() == "the engine of runs is starting"
    assert harness.runs.get(run.id, ANN).state == "queued"
    before = time.monotonic()
    harness.stop()
    assert time.monotonic() - before < 60  # seconds; it did not hang
