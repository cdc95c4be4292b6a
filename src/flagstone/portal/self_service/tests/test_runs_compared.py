"""When the steps of a run were at work, and two runs side by side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flagstone.contracts.runs import RunView
from flagstone.portal.self_service.model.timelines import compare, timeline

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds):
    return START + timedelta(seconds=seconds)


def run(number=1, inputs=None, steps=(), **more):
    body = {
        "id": f"r{number}", "number": number, "title": "Make", "workflow": "make", "state": "succeeded", "actor": "user:a",
        "actor_name": "Ann", "created_at": START, "started_at": START, "ended_at": at(10), "inputs": inputs or {},
        "steps": [
            {"id": name, "index": index, "name": name.title(), "action": "x", "state": state, "attempt": 1,
             "started_at": at(begin), "ended_at": at(end) if end else None, "outputs": outputs}
            for index, (name, state, begin, end, outputs) in enumerate(steps)
        ],
    }  # fmt: skip
    return RunView.model_validate(body | more)


def test_the_time_line_shows_where_the_time_went():
    made = run(
        steps=[("fetch", "succeeded", 0, 1, {}), ("publish", "succeeded", 1, 9, {}), ("tiny", "failed", 9, 9, {})]
    )
    line = timeline(made, at(99))
    assert [(bar.name, bar.start, bar.width) for bar in line.bars][:2] == [("Fetch", 0, 10), ("Publish", 10, 80)]
    assert line.bars[2].width > 0
    assert line.bars[2].start + line.bars[2].width <= 100
    assert line.length.startswith("10")


def test_a_step_that_is_at_work_grows_until_now():
    made = run(steps=[("fetch", "running", 5, None, {})], state="running", ended_at=None)
    (bar,) = timeline(made, at(20)).bars
    assert (bar.start, bar.width) == (25, 75)
    assert timeline(run(), at(1)).bars == ()


def test_two_runs_differ_in_what_they_were_told_and_what_their_steps_did():
    one = run(1, {"name": "a"}, [("fetch", "succeeded", 0, 1, {"files": 3}), ("old", "succeeded", 1, 2, {})])
    other = run(2, {"name": "b"}, [("fetch", "succeeded", 0, 4, {"files": 3}), ("new", "succeeded", 4, 5, {})])
    found = {part.title: part for part in compare(one, other, at(10))}
    assert not found["Answers"].same
    assert found["Fetch"].same
    assert found["Fetch"].other == "Succeeded, 4.0 s"
    assert found["Old"].other == found["New"].one == "not in this run"


def test_the_page_compares_runs_by_number_and_says_what_is_missing(owner, gateway):
    first = gateway.add_run(title="One", inputs={"name": "a"}, template_ref="template:default/x")
    second = gateway.add_run(title="Two", inputs={"name": "b"}, template_ref="template:default/x")
    page = owner.get(f"/runs/compare?one={first.number}&other=%23{second.number}")
    assert '"name": "b"' in page.text
    assert "The same in both" in page.text or "Nothing in either" in page.text
    assert "no run" in owner.get(f"/runs/compare?one={first.number}&other=99999").text.lower()
    assert owner.get("/runs/compare").select_one("input[name=one]")
