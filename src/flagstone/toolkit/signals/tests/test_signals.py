"""Waking each other up within a process."""

from __future__ import annotations

import asyncio
import threading
import time

from flagstone.toolkit.signals import Signals


def test_who_waits_is_woken_by_the_topic_and_by_no_other():
    signals = Signals()
    woken = []
    waiting = threading.Thread(target=lambda: woken.append(signals.wait("runs", 30)))
    waiting.start()
    while waiting.is_alive():
        signals.notify("other")
        signals.notify("runs")
        time.sleep(0.001)
    assert woken == [True]
    assert signals.wait("runs", 0.01) is False


def test_a_process_that_stops_lets_nobody_wait():
    signals = Signals()
    waiting = [threading.Thread(target=signals.wait, args=("runs", 600)) for _ in range(3)]
    for thread in waiting:
        thread.start()

    async def task():
        return await signals.wait_async("logs", 600)

    async def both():
        other = asyncio.create_task(task())
        await asyncio.sleep(0)
        signals.close()
        return await other

    asyncio.run(both())
    for thread in waiting:
        thread.join(30)
        assert not thread.is_alive()
    assert signals.closed
    assert signals.wait("runs", 600) is False
    assert asyncio.run(task()) is False
