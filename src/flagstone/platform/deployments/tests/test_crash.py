"""The server is killed with SIGKILL at different moments of a rollout; the step goes on in a new one."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from flagstone.platform.deployments.tests import child
from flagstone.platform.deployments.tests.world import OWNER, app_files, until
from flagstone.sdk import RolloutFailed

FIRST_PORT = 22100 + os.getpid() % 500 * 8
SLOW = "time.sleep(1.5)"

pytestmark = pytest.mark.slow


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def server(data):
    made = []

    def start():
        data.mkdir(exist_ok=True)
        world = child.open_world(data, (FIRST_PORT, FIRST_PORT + 7))
        made.append(world)
        return world

    yield start
    for world in made:
        world.close()
        world.db.close()


def killed_when(data, key, word):
    """Deploy in a child process, and kill it when it says a word; returns what it said."""
    root = Path(child.__file__).parents[4]
    command = [sys.executable, "-W", "error", child.__file__, str(data), str(FIRST_PORT), key]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)})
    said = []
    for line in process.stdout:
        said.append(line.strip())
        if word in line:
            break
    process.kill()
    process.wait()
    process.stdout.close()
    return said


def workload_processes(data):
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd().startswith(str(data)) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


@pytest.mark.parametrize("word", ["Copied the files", "Started r1", "Waiting until", "is healthy after", "done"])
def test_a_first_rollout_that_was_killed_happens_once(data, server, word):
    before = server()
    before.commit(app_files("v1", extra=SLOW))
    before.close()
    said = killed_when(data, "step", word)
    assert word in said[-1]
    world = server()
    world.parts.supervisor.start()
    view = world.deploy(key="step")
    assert view.release.version == "r1"
    until(lambda: world.service.get(view.id, OWNER).state == "healthy")
    assert get(view.url) == "v1"
    assert len(workload_processes(data)) == 1
    assert [item.version for item in world.service.list_releases(view.id, OWNER).items] == ["r1"]
    assert [(item.operation, item.outcome) for item in world.service.history(view.id, OWNER).items] == [
        ("deploy", "succeeded")
    ]


@pytest.mark.parametrize("word", ["Started r2", "is healthy after", "Ended r1", "done"])
def test_a_second_rollout_that_was_killed_ends_with_the_second_release(data, server, word):
    before = server()
    before.commit(app_files("v1"))
    first = before.deploy()
    before.commit(app_files("v2", extra=SLOW))
    before.close()
    killed_when(data, "step", word)
    world = server()
    world.parts.supervisor.start()
    view = world.deploy(key="step")
    assert (view.release.version, view.url) == ("r2", first.url)
    until(lambda: world.service.get(view.id, OWNER).state == "healthy")
    assert get(view.url) == "v2"
    until(lambda: len(workload_processes(data)) == 1)
    assert [item.outcome for item in world.service.history(view.id, OWNER).items] == ["succeeded", "succeeded"]


def test_a_second_rollout_that_was_killed_and_then_fails_leaves_the_first_release(data, server):
    before = server()
    before.commit(app_files("v1"))
    first = before.deploy()
    before.commit(app_files("v2", extra="time.sleep(1.5); sys.exit(3)"))
    before.close()
    killed_when(data, "step", "Started r2")
    world = server()
    with pytest.raises(RolloutFailed):
        world.deploy(key="step")
    until(lambda: world.service.get(first.id, OWNER).state == "healthy")
    assert get(first.url) == "v1"
    assert len(workload_processes(data)) == 1


def test_a_rollout_that_nobody_goes_on_with_is_given_up_and_the_old_release_serves(data, server, monkeypatch):
    from flagstone.platform.deployments.service import supervisor, turns

    before = server()
    before.commit(app_files("v1"))
    first = before.deploy()
    before.commit(app_files("v2", extra=SLOW))
    before.close()
    killed_when(data, "step", "Started r2")
    world = server()
    monkeypatch.setattr(supervisor, "_SWEEP", 0.5)
    with world.db.write() as conn:
        conn.exec_driver_sql("UPDATE deployments_deployments SET holder_until = 1")
    world.parts.supervisor.start()
    view = until(lambda: (found := world.service.get(first.id, OWNER)).state == "healthy" and found, 20)
    assert "cut off" in view.message
    assert view.release.version == "r1"
    assert get(view.url) == "v1"
    assert turns.LEASE == 30
