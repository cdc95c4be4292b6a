"""Publishing and reading events, on both databases."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flagstone.foundation.events import Event, EventLog, Following
from flagstone.foundation.events.model import MAX_TRIES
from flagstone.foundation.events.store import metadata
from flagstone.kernel.errors import NotFound
from flagstone.testing.databases import migrated, schema_differences
from flagstone.toolkit.signals import Signals

MIGRATIONS = Path(__file__).parents[1] / "migrations"


class Clock:
    def __init__(self):
        self.now = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)

    def __call__(self):
        return self.now

    def forward(self, **parts):
        self.now += timedelta(**parts)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log(database, clock):
    return EventLog(migrated(database, events=MIGRATIONS), Signals(), now=clock)


def publish(log, *names):
    for name in names:
        log.publish("thing.happened", name, {"name": name})


def subjects(events):
    return [event.subject for event in events]


def test_the_migration_makes_the_tables_of_the_code(database):
    assert schema_differences(migrated(database, events=MIGRATIONS), metadata) == []


def test_an_event_is_read_back_as_it_was_published(log, clock):
    event_id = log.publish("repository.pushed", "shop/web", {"branch": "main", "paths": ["ä.py"]}, actor="user:1")
    (event,) = log.read()
    assert event == Event(
        cursor=event.cursor,
        id=event_id,
        type="repository.pushed",
        subject="shop/web",
        at=clock.now,
        actor="user:1",
        data={"branch": "main", "paths": ["ä.py"]},
    )


def test_reading_goes_on_after_a_cursor(log):
    publish(log, "a", "b", "c")
    first = log.read(limit=2)
    assert subjects(first) == ["a", "b"]
    assert subjects(log.read(after=first[-1].cursor)) == ["c"]
    assert log.read(after=log.last_cursor()) == []


def test_an_event_shares_the_fate_of_the_change_that_it_tells_of(log, database):
    woken = threading.Event()
    log._signals.notify = lambda topic: woken.set()

    def fail():
        with database.write():
            publish(log, "lost")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert log.read() == []
    assert not woken.is_set()
    with database.write():
        publish(log, "kept")
        assert not woken.is_set()
    assert subjects(log.read()) == ["kept"]
    assert woken.is_set()


def test_a_reader_never_misses_an_event_of_a_slower_transaction(log, database):
    """The trap: A takes number 1, B takes number 2 and commits first, a reader goes on to 2, A commits, 1 is lost."""
    other = threading.Thread(target=publish, args=(log, "quick"))
    row = {"id": "1", "type": "t", "subject": "slow", "at": log._now(), "actor": "", "data": {}}
    seen, cursor = [], 0

    def look():
        nonlocal cursor
        for event in log.read(after=cursor):
            seen.append(event.subject)
            cursor = event.cursor

    with database.write() as conn:
        log._store.append(conn, row)
        other.start()
        other.join(0.5)
        assert other.is_alive(), "whoever appends waits until the one before has committed"
        reading = threading.Thread(target=look)
        reading.start()
        reading.join(10)
        assert seen == []
    other.join(10)
    look()
    assert seen == ["slow", "quick"]


def test_many_writers_and_one_reader_lose_nothing(log, database):
    def write(number):
        for step in range(10):
            with database.write():
                publish(log, f"{number}-{step}")
                time.sleep(0.001 * ((number + step) % 3))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    reader, seen, deadline = log.reader("all"), [], time.monotonic() + 30
    while len(seen) < 60 and time.monotonic() < deadline:
        reader.poll(lambda event: seen.append(event.subject), limit=7)
    for thread in threads:
        thread.join()
    assert len(seen) == 60
    assert len(set(seen)) == 60
    for number in range(6):
        assert [name for name in seen if name.startswith(f"{number}-")] == [f"{number}-{step}" for step in range(10)]


def test_waiting_ends_when_something_happens(log):
    assert log.wait(0, timeout=0.05) is False
    timer = threading.Timer(0.1, publish, args=(log, "a"))
    timer.start()
    started = time.monotonic()
    assert log.wait(0, timeout=10) is True
    assert time.monotonic() - started < 5
    timer.join()
    assert asyncio.run(log.wait_async(0, 1)) is True
    assert asyncio.run(log.wait_async(log.last_cursor(), 0.05)) is False


def test_a_reader_goes_on_where_it_stopped_even_after_a_restart(log):
    publish(log, "a", "b", "c")
    seen = []
    assert log.reader("index").poll(seen.append, limit=2) == 2
    assert log.reader("index").poll(seen.append) == 1
    assert log.reader("index").poll(seen.append) == 0
    assert subjects(seen) == ["a", "b", "c"]
    later = []
    log.reader("newcomer", start="now").poll(later.append)
    assert later == []


def test_two_processes_that_share_a_reader_never_move_it_back(log):
    publish(log, "a", "b", "c")
    one, two = log.reader("shared"), log.reader("shared")

    def meanwhile(event):
        if event.subject == "a":
            two.poll(lambda _: None)

    one.poll(meanwhile, limit=1)
    assert one.state.cursor == log.last_cursor()


def test_a_handler_that_fails_gets_the_same_event_again_and_nothing_after_it(log, clock):
    publish(log, "a", "b")
    reader, seen, broken = log.reader("index"), [], True

    def handler(event):
        if broken and event.subject == "a":
            raise ValueError("the index is away")
        seen.append(event.subject)

    assert reader.poll(handler) == 0
    assert seen == []
    assert (reader.state.tries, reader.state.error) == (1, "ValueError: the index is away")
    assert reader.retry_in() > 0
    broken = False
    assert reader.poll(handler) == 0, "it is not tried again before its time"
    clock.forward(seconds=1)
    assert reader.poll(handler) == 2
    assert seen == ["a", "b"]
    assert (reader.state.tries, reader.state.error, reader.retry_in()) == (0, "", 0.0)


def test_a_poison_event_is_parked_with_its_error_and_the_reader_goes_on(log, clock):
    publish(log, "good", "poison", "after")
    reader, seen, poison = log.reader("index"), [], True

    def handler(event):
        if poison and event.subject == "poison":
            raise ValueError("cannot read this")
        seen.append(event.subject)

    for _ in range(MAX_TRIES):
        reader.poll(handler)
        clock.forward(minutes=1)
    reader.poll(handler)
    assert seen == ["good", "after"]
    (parked,) = reader.parked()
    assert (parked.event.subject, parked.error) == ("poison", "ValueError: cannot read this")
    assert [item.reader for item in log.parked()] == ["index"]
    assert reader.retry_parked(handler) == 0
    poison = False
    assert reader.retry_parked(handler) == 1
    assert reader.parked() == []
    assert seen == ["good", "after", "poison"]


def test_old_events_go_but_not_those_that_a_reader_has_not_seen(log, clock):
    publish(log, "a", "b")
    slow, fast = log.reader("slow"), log.reader("fast")
    slow.poll(lambda _: None, limit=1)
    fast.poll(lambda _: None)
    clock.forward(days=40)
    publish(log, "new")
    before = log.last_cursor()
    assert log.prune(clock.now - timedelta(days=30)) == 1
    assert subjects(log.read()) == ["b", "new"]
    assert log.forget_reader("slow")
    assert log.prune(clock.now - timedelta(days=30)) == 1
    with pytest.raises(NotFound):
        _ = slow.state
    clock.forward(days=40)
    fast.poll(lambda _: None)
    log.prune(clock.now)
    assert log.read() == []
    publish(log, "next")
    assert log.last_cursor() > before, "a cursor is never handed out twice"


def test_a_reader_of_another_rooms_events_keeps_its_cursor_here_and_does_not_hold_ours(log, clock):
    publish(log, "ours")
    theirs = [
        Event(cursor=cursor, id=str(cursor), type="t", at=clock.now, subject=f"their {cursor}") for cursor in (3, 9)
    ]

    def source(after, limit):
        return [event for event in theirs if event.cursor > after][:limit]

    seen = []
    assert log.reader("portal", source=source).poll(seen.append, limit=1) == 1
    assert log.reader("portal", source=source).poll(seen.append) == 1
    assert subjects(seen) == ["their 3", "their 9"]
    clock.forward(days=1)
    assert log.prune(clock.now) == 1


def test_a_handler_sees_only_what_concerns_it_and_the_rest_counts_as_read(log):
    publish(log, "a", "mine", "b")
    reader, asked, seen = log.reader("index"), [], []

    def concerned(events):
        asked.append(subjects(events))
        return [event for event in events if event.subject == "mine"]

    assert reader.poll(seen.append, sift=concerned) == 3
    assert (asked, subjects(seen)) == ([["a", "mine", "b"]], ["mine"])
    assert reader.state.cursor == reader.cursor == log.last_cursor()


def test_what_cannot_be_sifted_is_not_lost(log):
    publish(log, "a")
    reader, seen = log.reader("index"), []

    def broken(events):
        raise ValueError("the table is away")

    with pytest.raises(ValueError, match="the table is away"):
        reader.poll(seen.append, sift=broken)
    reader.poll(seen.append)
    assert subjects(seen) == ["a"]


def test_a_following_handles_a_stream_of_events_in_order_and_goes_on_behind_one_that_fails(database):
    log = EventLog(migrated(database, events=MIGRATIONS), Signals())
    seen, looks, broken = [], [], ["17"]
    done = threading.Event()

    def handler(event):
        if event.subject in broken:
            broken.clear()
            raise ValueError("not now")
        seen.append(event.subject)
        if event.subject == "last":
            done.set()

    def look(events):
        looks.append(len(events))
        return events

    publish(log, "before")
    following = Following(log, "index", handler, start="now", sift=look)
    following.start()
    try:
        publish(log, *map(str, range(20)))
        with database.write():
            publish(log, *map(str, range(20, 40)))
        publish(log, "last")
        assert done.wait(30)
    finally:
        following.stop()
    assert seen == [*map(str, range(40)), "last"], "each once, in order, and nothing of before it began"
    assert max(looks) >= 20, "those that come together are taken together"
    publish(log, "later")
    assert log.reader("index").poll(lambda event: seen.append(event.subject)) == 1
