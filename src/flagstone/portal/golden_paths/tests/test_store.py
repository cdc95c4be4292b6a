"""Drafts on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flagstone.portal.golden_paths.model import Draft
from flagstone.portal.golden_paths.store import DraftStore, metadata
from flagstone.testing.databases import migrated, schema_differences

FOLDER = Path(__file__).parent.parent / "migrations"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(database):
    return DraftStore(migrated(database, golden_paths=FOLDER))


def draft(ident="d", **values):
    given = {"user_id": "u", "template_ref": "t", "version": "1", "created_at": NOW, "updated_at": NOW}
    return Draft(ident, **{**given, **values})


def test_the_migration_makes_exactly_the_tables_of_the_code(database):
    assert schema_differences(migrated(database, golden_paths=FOLDER), metadata) == []


def test_a_draft_is_kept_changed_and_becomes_a_run(store):
    store.save(draft(values={"a": [1, None, "ü"]}, secrets=("token",)))
    assert store.get("d").values == {"a": [1, None, "ü"]}
    assert store.get("d").secrets == ("token",)
    store.save(draft(values={"a": 2}, step=3, created_at=NOW + timedelta(days=1)))
    assert (store.get("d").values, store.get("d").step, store.get("d").created_at) == ({"a": 2}, 3, NOW)
    assert [item.id for item in store.open_drafts("u", NOW, 5)] == ["d"]
    store.became("d", "run-1")
    assert store.get("d").run_id == "run-1"
    assert store.get("d").secrets == ()
    assert store.open_drafts("u", NOW, 5) == []


def test_a_draft_that_became_a_run_stays_that_run(store):
    store.save(draft())
    store.became("d", "run-1")
    store.save(draft(values={"late": True}))
    assert store.get("d").run_id == "run-1"


def test_old_drafts_are_found_and_deleted(store):
    store.save(draft("old", updated_at=NOW - timedelta(days=31)))
    store.save(draft("new"))
    (old,) = store.expired(NOW - timedelta(days=30), 5)
    store.delete(old.id)
    assert store.get("old") is None
    assert store.get("new") is not None
    assert store.open_drafts("somebody else", NOW, 5) == []
