"""Memories on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flagstone.portal.upgrades.model import Memory, Proposed
from flagstone.portal.upgrades.store import UpgradeStore, metadata
from flagstone.testing.databases import migrated, schema_differences

FOLDER = Path(__file__).parent.parent / "migrations"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PATH = "template:default/web"


@pytest.fixture
def store(database):
    return UpgradeStore(migrated(database, upgrades=FOLDER))


def memory(name, **values):
    given = {"template_ref": PATH, "version": "v1", "inputs": {"name": name}, "repository": f"acme/{name}"}
    ref = f"component:default/{name}"
    return Memory(ref, **{**given, "commit": "c" * 40, "run_number": 7, "made_at": NOW, **values})


def test_the_migration_makes_exactly_the_tables_of_the_code(database):
    assert schema_differences(migrated(database, upgrades=FOLDER), metadata) == []


def test_an_event_that_is_told_again_does_not_take_an_upgrade_back(store):
    store.remember([memory("cart")])
    store.propose(Proposed("acme/cart", 3, "v2", {"name": "cart", "port": 1}, "d" * 40, 8, 2))
    assert store.get("component:default/cart").pending.conflicts == 2
    store.ended("acme/cart", 9, merged=True)
    store.remember([memory("cart")])
    assert store.get("component:default/cart").version == "v1"
    store.ended("acme/cart", 3, merged=True)
    store.remember([memory("cart")])
    found = store.get("component:default/cart")
    assert (found.version, found.commit, found.inputs["port"], found.pending) == ("v2", "d" * 40, 1, None)


def test_an_upgrade_with_nothing_to_change_is_done_at_once(store):
    store.remember([memory("cart")])
    store.propose(Proposed("acme/cart", None, "v2", {}, "d" * 40, 8))
    assert (store.get("component:default/cart").version, store.get("component:default/cart").pending) == ("v2", None)


def test_pages_filter_by_template_and_by_what_is_behind(store):
    store.remember([memory("cart"), memory("orders", version="v2"), memory("docs", template_ref="template:default/x")])
    names = lambda found: [item.entity_ref.rpartition("/")[2] for item in found]  # noqa: E731  short
    assert names(store.page("", 10)) == ["cart", "docs", "orders"]
    assert names(store.page("component:default/cart", 1)) == ["docs"]
    assert names(store.page("", 10, template_ref=PATH)) == ["cart", "orders"]
    assert names(store.page("", 10, current={PATH: "v2"})) == ["cart"]
    assert store.page("", 10, current={}) == []
    assert store.templates() == {PATH: 2, "template:default/x": 1}


def test_what_was_in_a_deleted_repository_is_forgotten_and_versions_are_kept_in_order(store):
    store.remember([memory("cart")])
    store.saw(PATH, "v0", NOW + timedelta(days=1))
    store.saw(PATH, "v1", NOW + timedelta(days=2))
    assert store.versions(PATH) == ["v1", "v0"]
    store.forget_repository("acme/cart")
    assert store.get("component:default/cart") is None
