"""The tables of environments on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from flagstone.platform.environments import Environment, EnvironmentStore, EnvironmentType
from flagstone.platform.environments.store import metadata
from flagstone.testing.databases import migrated, schema_differences

MIGRATIONS = Path(__file__).parents[1] / "migrations"


@pytest.fixture
def store(database):
    return EnvironmentStore(migrated(database, environments=MIGRATIONS))


def environment(name, kind, position=0, origin="settings"):
    return Environment(name, kind, name.title(), "", "local", position, origin)


def test_the_migration_makes_exactly_the_tables_of_the_code(database):
    assert schema_differences(migrated(database, environments=MIGRATIONS), metadata) == []


def test_environments_come_in_the_order_of_promotion(store):
    store.put_types(
        [
            EnvironmentType("production", "Production", "", 1, "settings"),
            EnvironmentType("development", "Dev", "", 0, "settings"),
        ]
    )
    store.put_environments(
        [
            environment("live", "production"),
            environment("dev-b", "development", 1),
            environment("dev-a", "development", 0),
        ]
    )
    assert [item.name for item in store.list_environments()] == ["dev-a", "dev-b", "live"]
    assert [item.name for item in store.list_types()] == ["development", "production"]


def test_putting_an_environment_twice_changes_it(store):
    store.put_types([EnvironmentType("development", "Dev", "", 0, "settings")])
    store.put_environments([environment("dev", "development")])
    store.put_environments([environment("dev", "development", 7)])
    assert store.get("dev").position == 7
    assert store.next_position("development") == 8
    assert store.next_position("nothing") == 0


def test_deleted_environments_and_types_are_gone(store):
    store.put_types([EnvironmentType("development", "Dev", "", 0, "settings")])
    store.put_environments([environment("dev", "development"), environment("other", "development")])
    store.delete_environments(["dev"])
    store.delete_types(["development"])
    assert [item.name for item in store.list_environments()] == ["other"]
    assert store.list_types() == []
    assert store.get("dev") is None
