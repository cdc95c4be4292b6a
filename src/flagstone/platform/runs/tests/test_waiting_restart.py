"""Waiting steps over a restart. One engine lives in a process, so this is apart from the tests that share one."""

from __future__ import annotations

from flagstone.platform.runs.tests.harness import ANN, Harness
from flagstone.platform.runs.tests.test_waiting import ask, extend


def test_a_restart_loses_no_waiting_step_and_no_answer(tmp_path):
    first = Harness(tmp_path / "data", extend=extend).start()
    waiting = first.wait(ask(first, "seven", after="done").id, "waiting")
    answered = first.wait(ask(first, "eight", after="done").id, "waiting")
    first.parts.dispatcher.stop()
    first.parts.waiting.answer(answered.id, "ask", {"size": 8}, ANN)
    first.stop()
    second = Harness(tmp_path / "data", extend=extend).start()
    assert second.wait(answered.id).steps[1].outputs["answer"]["values"]["size"] == 8
    assert second.runs.get(waiting.id, ANN).state == "waiting"
    second.parts.waiting.answer(waiting.id, "ask", {"size": 7}, ANN)
    assert second.wait(waiting.id).state == "succeeded"
    second.stop()
