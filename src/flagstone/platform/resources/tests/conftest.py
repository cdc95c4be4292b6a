"""Worlds of resources."""

from __future__ import annotations

import pytest

from flagstone.platform.resources.tests.world import World


@pytest.fixture
def world(sqlite_database, tmp_path):
    """One on SQLite."""
    return World(sqlite_database, tmp_path)
