"""API, pages and the threads."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from flagstone.contracts.gateway import GatewayInfo
from flagstone.foundation.events import Event, EventLog
from flagstone.foundation.notifications import api
from flagstone.foundation.notifications.jobs import NotificationsJob
from flagstone.kernel.clock import utc_now
from flagstone.testing.client import Client


@pytest.fixture
def client(hooked):
    return Client(hooked.foundation.app(api.router(hooked.reading, hooked.notifier)))


def test_everybody_sees_their_own_and_marks_them_as_read(hooked, client):
    viewer, admin = hooked.people.viewer.headers, hooked.people.admin.headers
    hooked.tell(["role:admin"], title="For the admin", path="/runs/7")
    assert client.get("/api/v1/notifications", headers=viewer).json() == {"items": [], "next_cursor": None, "unread": 0}
    found = client.get("/api/v1/notifications", headers=admin).json()
    assert (found["unread"], found["items"][0]["title"], found["items"][0]["read"]) == (1, "For the admin", False)
    assert client.post("/api/v1/notifications/read", headers=admin).json() == {"count": 1}
    assert client.get("/api/v1/notifications", headers=admin).json()["items"][0]["read"] is True
    assert client.get("/api/v1/notifications").status_code == 401


def test_what_is_dead_is_seen_and_tried_again(hooked, client):
    keeper, viewer = hooked.people.maintainer.headers, hooked.people.viewer.headers
    base = "/api/v1/notifications"
    assert [item["name"] for item in client.get(f"{base}/channels", headers=keeper).json()] == ["hook", "chat"]
    assert client.post(f"{base}/channels/hook/test", headers=viewer).status_code == 403
    assert client.post(f"{base}/channels/hook/test", headers=keeper).status_code == 202
    hooked.deliverer.turn()
    found = client.get(f"{base}/deliveries?state=dead", headers=keeper).json()
    assert (found["dead"], found["items"][0]["error"].partition(":")[0]) == (1, "vault.no_secret")
    again = client.post(f"{base}/deliveries/{found['items'][0]['id']}/retry", headers=keeper)
    assert (again.status_code, again.json()["state"]) == (200, "pending")
    assert client.get(f"{base}/deliveries?state=dead", headers=keeper).json()["items"] == []
    assert client.get(f"{base}/deliveries", headers=viewer).status_code == 403


def test_what_happens_is_followed_from_the_outbox_and_sent_by_the_threads(hooked, receiver):
    hooked.secret("hook/key", "k")
    events = EventLog(hooked.store.db, hooked.foundation.signals)
    events.publish("run.changed", "old", {"state": "failed", "title": "Before", "number": 1}, actor="user:x")
    job = NotificationsJob(events, hooked.follower, hooked.deliverer, hooked.foundation.signals, 90)
    job.start()
    try:
        with hooked.store.db.write():
            events.publish("run.changed", "r", {"state": "failed", "title": "Now", "number": 2}, actor="user:x")
        while not receiver.got:
            events.wait(10**9, 0.02)
    finally:
        job.stop()
    assert b"Run 2 failed: Now" in receiver.got[0][1]
    assert len(receiver.got) == 1


class Platform:
    """What a portal alone sees of its platform."""

    def __init__(self):
        self.told = []

    def info(self):
        return GatewayInfo(name="http", connected=True)

    def happens(self, title, at):
        data = {"state": "failed", "title": title, "number": len(self.told) + 1}
        self.told.append(
            Event(
                cursor=len(self.told) + 1, id=title, type="run.changed", at=at, subject="r", actor="user:x", data=data
            )
        )

    def events(self, *, after, limit, wait):
        return self.told[after : after + limit]


def test_a_portal_alone_tells_its_people_what_happens_in_its_platform_and_nothing_twice(hooked, receiver):
    hooked.secret("hook/key", "k")
    platform, signals = Platform(), hooked.foundation.signals
    platform.happens("Long ago", utc_now() - timedelta(days=1))

    def follow_until(count):
        events = EventLog(hooked.store.db, signals)
        job = NotificationsJob(events, hooked.follower, hooked.deliverer, signals, 90, behind=lambda: platform)
        job.start()
        try:
            if count == 1:
                platform.happens("Now", utc_now() + timedelta(seconds=5))
            else:
                platform.happens("Missed", utc_now())
            while len(receiver.got) < count:
                events.wait(10**9, 0.02)
        finally:
            job.stop()

    follow_until(1)
    platform.happens("While it was down", utc_now() - timedelta(hours=3))
    follow_until(3)
    titles = [json.loads(body)["data"]["title"] for _, body in receiver.got]
    assert titles == ["Run 2 failed: Now", "Run 3 failed: While it was down", "Run 4 failed: Missed"]
