"""The refresh loop and the platform's events, against a gateway with hosted repositories."""

from __future__ import annotations

import time
from typing import Any

import pytest

from flagstone.contracts.events import Event
from flagstone.contracts.gateway import GatewayInfo, NoPlatform
from flagstone.contracts.repositories import FileContent, RepositoryView, TreeEntry
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Denied, NotFound, Unavailable
from flagstone.portal.catalog.jobs import EventJob, RefreshJob


class Hosting(NoPlatform):
    """A platform with repositories and an outbox, in memory."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, str]] = {}
        self.commits: dict[str, int] = {}
        self.outbox: list[Event] = []
        self.down = False

    def info(self) -> GatewayInfo:
        return GatewayInfo(name="test", connected=True)

    def push(self, name: str, **files: str) -> None:
        self.repositories[name] = {path.replace("__", "/"): text for path, text in files.items()}
        self.commits[name] = self.commits.get(name, 0) + 1
        self.tell("repository.pushed", name, {"repository": name, "branch": "main", "paths": list(files)})

    def tell(self, type_: str, subject: str, data: dict[str, Any]) -> None:
        cursor = len(self.outbox) + 1
        self.outbox.append(
            Event(cursor=cursor, id=f"e{cursor}", type=type_, at=utc_now(), subject=subject, actor="user:1", data=data)
        )

    def get_repository(self, name, actor):
        if name not in self.repositories:
            raise NotFound("git.none", f"no repository {name}")
        return RepositoryView(name=name, clone_url="x", web_url="x", head=f"c{self.commits[name]}")

    def repository_tree(self, name, actor, *, commit=None):
        return [TreeEntry(path=path, type="blob") for path in self.repositories[name]]

    def repository_file(self, name, path, actor, *, commit=None):
        if path not in self.repositories.get(name, {}):
            raise NotFound("git.none", f"no file {path}")
        return FileContent(path=path, commit=f"c{self.commits[name]}", text=self.repositories[name][path], size=1)

    def events(self, *, after=0, limit=500, wait=0.0):
        if self.down:
            raise Unavailable("gateway.down", "The platform is away.")
        found = [event for event in self.outbox if event.cursor > after][:limit]
        if not found:
            time.sleep(min(wait, 0.05))
        return found


@pytest.fixture
def running(world):
    world.gateway = Hosting()
    refresh = RefreshJob(world.ingest)
    events = EventJob(world.gateway, world.foundation.events, world.ingest, world.locations, refresh.wake)
    refresh.start()
    events.start()
    yield world
    events.stop()
    refresh.stop()


def until(check, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come about in time")


CATALOG = "catalog-info.yaml"


def test_what_a_run_registers_appears_and_a_push_changes_it_soon(running, component):
    running.gateway.push("acme/shop", **{CATALOG: component("shop")})
    target = f"acme/shop/{CATALOG}"
    running.gateway.tell("catalog.location.requested", target, {"type": "hosted", "target": target, "entity_refs": []})
    until(lambda: running.catalog.find("component:shop"))
    assert running.catalog.get("component:shop").source.commit == "c1"
    running.gateway.push("acme/shop", **{CATALOG: component("shop", "search")})
    started = time.monotonic()
    until(lambda: running.catalog.get("component:shop").owner == "group:default/search")
    print(f"visible after {time.monotonic() - started:.2f} s")
    assert running.catalog.get("component:shop").source.commit == "c2"


def test_a_repository_that_is_deleted_takes_its_entities_along(running, component):
    running.gateway.push("acme/shop", **{CATALOG: component("shop")})
    for name in ("shop", "shop-two"):
        running.gateway.push(f"acme/{name}", **{CATALOG: component(name)})
        target = f"acme/{name}/{CATALOG}"
        running.gateway.tell("catalog.location.requested", target, {"type": "hosted", "target": target})
    until(lambda: len(running.refs()) == 2)
    del running.gateway.repositories["acme/shop"]
    running.gateway.tell("repository.deleted", "acme/shop", {"repository": "acme/shop"})
    until(lambda: running.refs() == ["component:default/shop-two"])


def test_what_is_withdrawn_goes_and_withdrawing_twice_is_fine(running, component):
    running.gateway.push("acme/shop", **{CATALOG: component("shop")})
    data = {"type": "hosted", "target": f"acme/shop/{CATALOG}"}
    running.gateway.tell("catalog.location.requested", "x", data)
    until(running.refs)
    data["role"] = "maintainer"
    running.gateway.tell("catalog.location.withdrawn", "x", data)
    running.gateway.tell("catalog.location.withdrawn", "x", data)
    until(lambda: not running.refs())
    reader = running.foundation.events.reader("catalog", source=lambda _after, _limit: [])
    until(lambda: reader.state.cursor == 4)


def test_what_belongs_to_others_cannot_be_withdrawn_by_claiming_another_owner(running, component):
    running.gateway.push("acme/shop", **{CATALOG: component("shop")})
    data = {"type": "hosted", "target": f"acme/shop/{CATALOG}"}
    running.gateway.tell("catalog.location.requested", "x", data)
    until(running.refs)
    running.gateway.tell(
        "catalog.location.withdrawn", "x", {**data, "owner": "group:default/strangers", "role": "developer"}
    )
    reader = running.foundation.events.reader("catalog", source=lambda _after, _limit: [])
    until(lambda: reader.state.cursor >= 3)
    assert running.refs() == ["component:default/shop"]


def test_a_location_that_cannot_be_read_yet_is_registered_and_read_when_it_can(running, component):
    data = {"type": "hosted", "target": f"acme/late/{CATALOG}"}
    running.gateway.tell("catalog.location.requested", "x", data)
    until(lambda: running.locations.list().items)
    until(lambda: running.locations.list().items[0].state == "failed")
    running.gateway.push("acme/late", **{CATALOG: component("late")})
    until(lambda: running.refs() == ["component:default/late"])


def test_events_that_mean_nothing_are_passed_over(running, component):
    running.gateway.tell("catalog.location.requested", "x", {"type": "nonsense", "target": "x"})
    running.gateway.tell("catalog.location.requested", "x", {"type": "", "target": ""})
    running.gateway.tell("something.else", "x", {})
    running.gateway.push("acme/shop", **{CATALOG: component("shop")})
    running.gateway.tell("catalog.location.requested", "x", {"type": "hosted", "target": f"acme/shop/{CATALOG}"})
    until(lambda: running.refs() == ["component:default/shop"])


def test_a_platform_that_is_away_is_asked_again(world, component, monkeypatch):
    monkeypatch.setattr("flagstone.portal.catalog.jobs._PAUSE_AFTER_FAILURE", 0.05)
    world.gateway = Hosting()
    world.gateway.down = True
    events = EventJob(world.gateway, world.foundation.events, world.ingest, world.locations, lambda: None)
    events.start()
    try:
        world.gateway.push("acme/shop", **{CATALOG: component("shop")})
        world.gateway.tell("catalog.location.requested", "x", {"type": "hosted", "target": f"acme/shop/{CATALOG}"})
        time.sleep(0.2)
        world.gateway.down = False
        until(lambda: world.refs() == ["component:default/shop"])
    finally:
        events.stop()


def test_the_loop_goes_on_after_a_fault_and_stops_when_told(small, component, monkeypatch):
    monkeypatch.setattr("flagstone.portal.catalog.jobs._PAUSE_AFTER_FAILURE", 0.05)
    tries = []

    def prepare():
        tries.append(1)
        if len(tries) == 1:
            raise ZeroDivisionError
        small.write("a.yaml", component("a"))
        small.store.locations.add("file", str(small.folder / "a.yaml"), origin="settings", actor="t", now=utc_now())

    job = RefreshJob(small.ingest, prepare)
    job.start()
    until(lambda: small.refs() == ["component:default/a"])
    assert job.prepared
    job.stop()


def test_a_refused_withdrawal_is_audited_and_what_the_settings_name_is_never_withdrawn(small, component):
    small.write("a.yaml", component("a"))
    settings = small.add("a.yaml")
    small.write("b.yaml", component("b"))
    user = small.add("b.yaml", origin="event")
    for location, code, role in (
        (settings, "catalog.location_in_settings", "admin"),
        (user, "catalog.not_the_owner", "developer"),
    ):
        with pytest.raises(Denied) as caught:
            small.locations.withdraw(location.type, location.target, actor="run:1", owner="group:default/x", role=role)
        assert caught.value.code == code
        (row,) = [item for item in small.foundation.audit.list().items if item.resource == location.ref]
        assert (row.action, row.outcome, row.detail["requested_by"]) == ("catalog.location.delete", "denied", "run:1")
    assert small.refs() == ["component:default/a", "component:default/b"]
    assert small.locations.withdraw(user.type, user.target, actor="run:1", owner="x", role="maintainer") == 1
