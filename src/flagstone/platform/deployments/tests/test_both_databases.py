"""One life of a deployment on SQLite and on PostgreSQL: locks, fences and transactions are the databases' own there."""

from __future__ import annotations

import threading

import pytest

from flagstone.kernel.errors import Conflict
from flagstone.platform.deployments.tests.small_runtime import SmallRuntime
from flagstone.platform.deployments.tests.world import BROKEN, OWNER, World, app_files, until
from flagstone.sdk import RolloutFailed


@pytest.fixture
def world(database, tmp_path):
    made = World(database, tmp_path / "data", SmallRuntime(), lock_wait=0.2)
    made.parts.supervisor.start()
    yield made
    made.close()


def test_a_deployment_lives_and_goes_on_both_databases(world):
    world.commit(app_files("v1"))
    view = world.deploy()
    world.commit(app_files("v2", extra=BROKEN))
    with pytest.raises(RolloutFailed):
        world.deploy()
    assert world.service.get(view.id, OWNER).state == "healthy"
    world.commit(app_files("v3"))
    world.runtime.pause = threading.Event()
    world.runtime.entered.clear()
    rollout = threading.Thread(target=world.deploy)
    rollout.start()
    world.runtime.entered.wait(10)
    with pytest.raises(Conflict, match="is being changed by run"):
        world.service.stop(OWNER, view.id, execution=world.execution())
    world.runtime.pause.set()
    rollout.join(20)
    until(lambda: world.service.get(view.id, OWNER).state == "healthy")
    assert world.service.get(view.id, OWNER).release.version == "r3"
    world.service.stop(OWNER, view.id, execution=world.execution())
    world.service.start(OWNER, view.id, execution=world.execution())
    world.service.remove(OWNER, view.id, execution=world.execution())
    assert world.all() == []
    operations = [(item.operation, item.outcome) for item in world.service.history(view.id, OWNER).items]
    assert operations == [
        ("remove", "succeeded"),
        ("start", "succeeded"),
        ("stop", "succeeded"),
        ("deploy", "succeeded"),
        ("deploy", "failed"),
        ("deploy", "succeeded"),
    ]
