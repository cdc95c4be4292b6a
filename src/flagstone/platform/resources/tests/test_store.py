"""The table of resources on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from flagstone.contracts.resources import ResourceQuery
from flagstone.kernel.errors import Conflict, Invalid
from flagstone.kernel.paging import encode_cursor
from flagstone.platform.resources import Resource, ResourceStore, resource_uid
from flagstone.platform.resources.store import metadata
from flagstone.testing.databases import migrated, schema_differences

MIGRATIONS = Path(__file__).parents[1] / "migrations"
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def store(database):
    return ResourceStore(migrated(database, resources=MIGRATIONS))


def resource(name, *, entity="component:default/orders", environment="development", type_="queue", **more):
    members = {
        "id": resource_uid(entity, environment, type_, "default", name),
        "type": type_,
        "resource_class": "default",
        "name": name,
        "entity_ref": entity,
        "environment": environment,
        "owner": "group:default/checkout",
        "definition": "mine",
        "driver": "queues",
        "config": {"host": "h"},
        "state": "ready",
        "params": {"size": 1},
        "created_at": NOW,
        "created_by": "Omar",
        "updated_at": NOW,
    }
    return Resource(**{**members, **more})


def test_the_migration_makes_exactly_the_tables_of_the_code(database):
    assert schema_differences(migrated(database, resources=MIGRATIONS), metadata) == []


def test_what_is_stored_comes_back(store):
    wanted = resource("db", monthly_cost=Decimal("12.50"), secret_names=("password",), removed=("Gone.",), made=True)
    assert store.create(wanted)
    assert store.get(wanted.id) == wanted
    assert not store.create(replace(wanted, owner="somebody else"))
    assert store.get(wanted.id).owner == "group:default/checkout"
    assert store.get("nothing") is None


def test_pages_come_in_order_and_without_what_was_removed(store):
    for name in ("c", "a", "b"):
        store.create(resource(name))
    store.create(resource("shared", entity=None))
    store.create(resource("gone", state="removed"))
    store.create(resource("d", environment="staging", type_="volume", owner=None, state="failed"))
    found, query = [], ResourceQuery(limit=2)
    while True:
        page = store.list(query)
        found += [one.name for one in page.items]
        if page.next_cursor is None:
            break
        query = query.model_copy(update={"cursor": page.next_cursor})
    assert found == ["shared", "a", "b", "c", "d"]
    with pytest.raises(Invalid, match="cursor"):
        store.list(ResourceQuery(cursor=encode_cursor("from", "elsewhere")))


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"entity_ref": "Component:default/Orders"}, ["a", "d"]),
        ({"environment": "staging"}, ["d"]),
        ({"type": "volume"}, ["d"]),
        ({"state": ("failed", "removed")}, ["d", "gone"]),
        ({"owners": ("group:default/checkout",)}, ["shared", "a"]),
        ({"entity_ref": "component:default/orders", "type": "queue"}, ["a"]),
    ],
)
def test_lists_are_filtered(store, query, names):
    store.create(resource("a"))
    store.create(resource("shared", entity=None))
    store.create(resource("d", environment="staging", type_="volume", owner=None, state="failed"))
    store.create(resource("gone", entity="component:default/z", state="removed"))
    assert [one.name for one in store.list(ResourceQuery(**query)).items] == names
    assert store.counts() == {"mine": 3}


def test_one_holder_at_a_time_and_the_same_one_at_once(store):
    uid = resource("a").id
    store.create(resource("a"))
    first = store.acquire(uid, holder="one", holder_name="run 1", lease=30)
    assert store.acquire(uid, holder="two", holder_name="run 2", lease=30) is None
    assert store.holder(uid) == "run 1"
    again = store.acquire(uid, holder="one", holder_name="run 1", lease=30)
    assert again == first + 1
    with pytest.raises(Conflict, match="taken over"):
        store.change(uid, first, {"state": "ready"})
    store.release(uid, first)
    assert store.acquire(uid, holder="two", holder_name="run 2", lease=30) is None
    assert store.renew(uid, again, lease=-1)
    assert store.acquire(uid, holder="two", holder_name="run 2", lease=30) == again + 1
    assert not store.renew(uid, again, lease=30)
