"""When a schedule is due: time zones, changes of the clock, jitter, and which events fit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest

from flagstone.contracts.events import Event
from flagstone.contracts.runs import RunRequest
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid
from flagstone.platform.triggers.model import Trigger, check_time

ANN = Principal("user", "user:ann", "Ann", "developer", "user:default/ann", frozenset({"group:default/payments"}))
REQUEST = RunRequest.model_validate({"workflow": {"name": "test", "title": "A test", "steps": []}})


def trigger(ident="t1", **values):
    given = {
        "title": "Test",
        "kind": "schedule",
        "cron": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "jitter_seconds": 0,
        "missed": "once",
        "event_type": "",
        "conditions": {},
        "request": REQUEST,
        "principal": ANN,
        "known_here": False,
        "paused": False,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Trigger(ident, **{**given, **values})


def due(moment, count=3, **values):
    found = trigger(**values).due_times(datetime.fromisoformat(moment).replace(tzinfo=UTC))
    return [item.strftime("%m-%dT%H:%M") for item in islice(found, count)]


def test_the_hour_that_the_clock_skips_is_not_lost_and_the_one_it_repeats_comes_once():
    # 29 March 2026: 2:00 becomes 3:00. 25 October: 3:00 becomes 2:00.
    assert due("2026-03-28T00:00") == ["03-28T01:30", "03-29T01:00", "03-30T00:30"]
    assert due("2026-10-24T00:00") == ["10-24T00:30", "10-25T00:30", "10-26T01:30"]


def test_every_hour_stays_every_hour_when_the_clock_changes():
    assert due("2026-10-24T23:30", 4, cron="0 * * * *") == ["10-25T00:00", "10-25T01:00", "10-25T02:00", "10-25T03:00"]


def test_jitter_is_the_same_each_time_and_differs_between_schedules():
    start = datetime(2026, 6, 1, tzinfo=UTC)
    plain = list(islice(trigger().due_times(start), 3))
    late = [list(islice(trigger(f"t{n}", jitter_seconds=600).due_times(start), 3)) for n in range(20)]
    offsets = [{shifted - exact for shifted, exact in zip(times, plain, strict=True)} for times in late]
    assert all(len(item) == 1 for item in offsets)
    assert all(timedelta(0) <= min(item) <= timedelta(seconds=600) for item in offsets)
    assert len({min(item) for item in offsets}) > 10


def test_the_due_time_after_a_due_time_is_the_next_one_with_jitter_too():
    found = trigger(jitter_seconds=600)
    first, second = islice(found.due_times(datetime(2026, 6, 1, tzinfo=UTC)), 2)
    assert found.due_after(first) == second


@pytest.mark.parametrize(
    ("cron", "zone", "field"),
    [
        ("", "UTC", "cron"),
        ("* * * *", "UTC", "cron"),
        ("61 * * * *", "UTC", "cron"),
        ("0 0 31 2 *", "UTC", "cron"),
        ("* * * * * *", "UTC", "cron"),
        ("0 0 * * *", "Mars/Olympus", "timezone"),
        ("0 0 * * *", "../../etc/passwd", "timezone"),
    ],
)
def test_what_is_no_schedule_is_refused_at_its_field(cron, zone, field):
    with pytest.raises(Invalid) as refused:
        check_time(cron, zone)
    assert [problem.field for problem in refused.value.problems] == [field]


def test_an_event_fits_by_its_type_and_by_every_condition():
    event = Event(
        cursor=1,
        id="e",
        type="repository.pushed",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        subject="acme/shop",
        data={"branch": "main", "paths": ["a"], "count": 2},
    )

    def fits(**conditions):
        names = {name.replace("__", "."): value for name, value in conditions.items()}
        return trigger(kind="event", event_type="repository.pushed", conditions=names).fits(event)

    assert fits()
    assert fits(subject="acme/*", data__branch=["main", "release-*"], data__count=2)
    assert not fits(subject="acme/*", data__branch="release-*")
    assert not fits(data__missing="x")
    assert not fits(data__branch__deeper="x")
    assert not trigger(kind="event", event_type="repository.deleted").fits(event)
    assert not trigger(event_type="repository.pushed").fits(event)
