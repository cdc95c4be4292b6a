"""Servers for the tests, and their end."""

from __future__ import annotations

import pytest

from flagstone.platform.deployments.tests.clients import Api
from flagstone.platform.deployments.tests.small_runtime import SmallRuntime
from flagstone.platform.deployments.tests.world import World


@pytest.fixture
def worlds(sqlite_database, tmp_path):
    """Starts servers over one database and one data folder."""
    made = []

    def start(runtime=None, **settings):
        world = World(sqlite_database, tmp_path / "data", runtime or SmallRuntime(), **settings)
        made.append(world)
        world.parts.supervisor.start()
        return world

    yield start
    for world in made:
        world.close()


@pytest.fixture
def world(worlds):
    """One server."""
    return worlds()


@pytest.fixture
def service(world, tmp_path):
    """The API over that server."""
    made = Api(world, tmp_path)
    yield made
    made.close()
