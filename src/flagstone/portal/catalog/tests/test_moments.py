"""The whole catalog as of a moment, and what changed between two."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Invalid
from flagstone.portal.catalog.tests.conftest import COMPONENT

START = utc_now()


class Clock:
    """A day for each step."""

    def __init__(self, world):
        self.day = 0
        world.now = lambda: START + timedelta(days=self.day)

    def at(self, day):
        return START + timedelta(days=day, hours=1)


def component(name, owner="payments"):
    return COMPONENT.format(name=name, owner=owner)


def refs_at(world, moment, **options):
    found, cursor = [], None
    while True:
        page = world.moments.at(moment, cursor=cursor, limit=2, **options)
        found += [ref for ref, _ in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.fixture
def told(world):
    """Day 0: a and b. Day 1: b changes, c comes. Day 2: a goes, c changes. Day 3: a comes back."""
    clock = Clock(world)
    location = None
    for day, files in enumerate(
        (
            {"a": "payments", "b": "payments"},
            {"a": "payments", "b": "cards", "c": "payments"},
            {"b": "cards", "c": "cards"},
            {"a": "payments", "b": "cards", "c": "cards"},
        )
    ):
        clock.day = day
        world.write("catalog-info.yaml", "---".join(component(name, owner) for name, owner in files.items()))
        if location is None:
            location = world.add("catalog-info.yaml")
        else:
            world.read(location, force=True)
    return world, clock


def test_the_catalog_of_each_day_is_still_known(told):
    world, clock = told
    names = [
        [ref.rpartition("/")[2] for ref in refs_at(world, clock.at(day)) if ref.startswith("component:")]
        for day in range(-1, 4)
    ]
    assert names == [[], ["a", "b"], ["a", "b", "c"], ["b", "c"], ["a", "b", "c"]]
    assert [world.moments.count(clock.at(day), kind="component") for day in range(-1, 4)] == [0, 2, 3, 2, 3]


def test_each_entity_is_told_as_it_was_then(told):
    world, clock = told
    owners = []
    for day in range(4):
        found = {ref: json.loads(body) for ref, body in world.moments.at(clock.at(day)).items}
        owners.append(found["component:default/b"]["spec"]["owner"])
    assert owners == ["payments", "cards", "cards", "cards"]


def test_what_became_of_everything_between_two_days_is_told_once_for_each(told):
    world, clock = told
    became = {item.ref[18:]: item for item in world.moments.between(clock.at(0), clock.at(2), kind="component").items}
    assert {name: item.change for name, item in became.items()} == {"a": "removed", "b": "changed", "c": "added"}
    assert became["b"].fields == ("spec.owner",)
    assert became["c"].changes == 2
    whole = world.moments.between(clock.at(0), clock.at(3), kind="component").items
    assert {item.ref[18:]: item.change for item in whole}["a"] == "changed"  # it went and came back
    assert {item.change for item in world.moments.between(clock.at(1), clock.at(2), kind="component").items} == {
        "removed",
        "changed",
    }
    with pytest.raises(Invalid):
        world.moments.between(clock.at(2), clock.at(0))


def test_pages_and_the_api_show_the_past(told):
    world, clock = told
    client, _ = world.browser()
    body = client.get("/api/v1/catalog-past", params={"at": clock.at(0).isoformat(), "kind": "component"}).json()
    assert [item["metadata"]["name"] for item in body["items"]] == ["a", "b"]
    changes = client.get(
        "/api/v1/catalog-changes",
        params={"since": clock.at(0).isoformat(), "until": clock.at(3).isoformat(), "kind": "component"},
    )
    assert changes.status_code == 200, changes.text
    assert {item["ref"] for item in changes.json()["items"]} >= {"component:default/a", "component:default/c"}
    answer = client.get("/catalog/past", params={"at": f"{clock.at(2):%Y-%m-%dT%H:%M:%S}", "kind": "component"})
    page = BeautifulSoup(answer.text, "html.parser")
    assert [row.th.get_text(" ", strip=True).split()[0] for row in page.select("tbody tr")] == ["b", "c"]
    assert "at=" in page.select_one("tbody a")["href"]
    moments = {"since": clock.at(0).isoformat(), "until": clock.at(2).isoformat()}
    changed = BeautifulSoup(client.get("/catalog/changes", params=moments).text, "html.parser")
    assert "removed" in changed.get_text()
    assert client.get(changed.select_one("tbody tr td a")["href"]).status_code == 200


@pytest.mark.parametrize("path", ["/catalog/past?at=yesterday", "/catalog/changes?since=2026-13-01"])
def test_a_moment_that_is_none_is_explained_on_the_page(small, path):
    client, _ = small.browser()
    answer = client.get(path)
    assert answer.status_code == 200
    assert "is not a moment" in answer.text


STEPS = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(["x", "y"]), max_size=3), min_size=1, max_size=5
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_whatever_happened_the_past_is_what_was_seen_then(small, steps):
    clock = Clock(small)
    location, seen = None, []
    for day, files in enumerate([{"keep": "x", "keep-2": "x", **files} for files in steps]):
        clock.day = day
        small.write("all.yaml", "---".join(component(name, owner) for name, owner in files.items()))
        if location is None:
            location = small.add("all.yaml")
        small.read(location, force=True)
        seen.append(dict(small.moments.at(clock.at(day)).items))
    for day, state in enumerate(seen):
        again = dict(small.moments.at(clock.at(day)).items)
        assert {ref: json.loads(body)["spec"] for ref, body in again.items()} == {
            ref: json.loads(body)["spec"] for ref, body in state.items()
        }
