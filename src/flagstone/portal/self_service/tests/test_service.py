"""Streams that go on, break and end."""

from __future__ import annotations

import asyncio

from flagstone.contracts.deployments import LogLine
from flagstone.contracts.runs import RunEvent
from flagstone.portal.self_service.service import follow_log, follow_run
from flagstone.portal.self_service.service.following import with_pings
from flagstone.portal.self_service.tests.conftest import NOW
from flagstone.testing.portal import RecordingGateway


def collect(frames):
    async def all_of_it():
        return [item async for item in frames]

    return asyncio.run(all_of_it())


class Live(RecordingGateway):
    """A platform where something happens while somebody looks."""

    def __init__(self):
        super().__init__()
        self.coming = []

    async def follow_run(self, run_id, actor, *, after=0):
        for event in self.coming:
            if event.seq > after:
                yield event
        self.runs[-1] = self.runs[-1].model_copy(update={"state": "succeeded", "ended_at": NOW})

    async def follow_deployment_log(self, deployment_id, actor, *, after=-1):
        for line in self.coming:
            yield line


def log(seq, text="x"):
    return RunEvent(seq=seq, at=NOW, type="log", step="a", text=text)


def test_a_run_is_followed_from_what_there_is_to_its_end_without_a_gap_or_a_repetition():
    gateway = Live()
    run = gateway.add_run(state="running", steps_total=2)
    gateway.run_log[run.id] = [log(1), log(2)]
    step = {"at": NOW, "type": "step", "step": "b", "data": {"name": "Late", "action": "x:y"}}
    gateway.coming = [
        log(2),
        log(3),
        RunEvent(seq=4, state="running", **step),
        RunEvent(seq=5, state="succeeded", **step),
    ]
    text = "".join(collect(follow_run(gateway, None, run)))
    assert [f'"n":{n}' in text for n in (1, 2, 3)] == [True] * 3
    assert text.count('"n":2,') == 1
    assert '"title":"Late","note":"x:y"' in text
    assert '"duration":"0.0 s"' in text
    assert text.index('"word":"Running"') < text.index('"word":"Succeeded"')
    assert text.endswith("event: end\ndata: {}\n\n")


def test_more_events_than_one_portion_are_all_sent():
    gateway = Live()
    run = gateway.add_run(state="succeeded")
    gateway.run_log[run.id] = [log(number) for number in range(1, 2501)]
    text = "".join(collect(follow_run(gateway, None, run)))
    assert text.count("event: log") == 2500


def test_lines_of_a_workload_are_not_sent_twice():
    gateway = Live()
    gateway.log = [LogLine(seq=7, text="old")]
    gateway.coming = [LogLine(seq=7, text="old"), LogLine(seq=9, text="new", stream="runtime")]
    text = "".join(collect(follow_log(gateway, None, "d")))
    assert text.count('"text":"old"') == 1
    assert "id: 9.2" in text


def test_a_quiet_stream_shows_a_sign_of_life_and_is_closed_when_the_reader_leaves():
    closed = []

    async def quiet():
        try:
            yield "first"
            await asyncio.sleep(30)
            yield "never"
        finally:
            closed.append(True)

    async def reader():
        seen = []
        stream = with_pings(quiet(), seconds=0.01)
        async for item in stream:
            seen.append(item)
            if len(seen) == 3:
                break
        await stream.aclose()
        return seen

    assert asyncio.run(reader()) == ["first", ": ping\n\n", ": ping\n\n"]
    assert closed == [True]


def test_a_stream_that_breaks_ends_instead_of_hanging():
    async def broken():
        yield "first"
        raise RuntimeError("gone")

    async def reader():
        try:
            return [item async for item in with_pings(broken(), seconds=1)]
        except RuntimeError as error:
            return str(error)

    assert asyncio.run(reader()) == "gone"
