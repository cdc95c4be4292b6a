"""Something again and again."""

from __future__ import annotations

import threading

from flagstone.toolkit.schedule import Every


def test_it_is_done_again_and_again_even_when_it_fails_until_it_is_stopped(caplog):
    calls, enough = [], threading.Event()

    def call():
        calls.append(len(calls))
        if len(calls) == 2:
            raise RuntimeError("the disk is full")
        if len(calls) >= 4:
            enough.set()

    job = Every("tidy", 0.01, call, first=0)
    job.start()
    assert enough.wait(10)
    job.stop()
    count = len(calls)
    assert not job._thread.is_alive()
    assert "tidy failed" in caplog.text
    threading.Event().wait(0.05)
    assert len(calls) == count


def test_stopping_does_not_wait_for_the_next_time():
    job = Every("rare", 3600, lambda: None, first=3600)
    job.start()
    job.stop(timeout=5)
    assert not job._thread.is_alive()
    Every("never started", 1, lambda: None).stop()
