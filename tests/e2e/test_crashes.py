"""kill -9 at every step of a run: after a restart the run goes on, and each side effect happened exactly once."""

from __future__ import annotations

import psutil
import pytest

from flagstone.testing.server import ServerProcess, wait_until
from tests.e2e.conftest import EXAMPLE, create_service, start_service, wait_for_acme

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

STEPS = ("fetch", "publish", "register", "deploy")
POINTS = ("before_intent", "after_intent", "after_effect", "before_result", "between_steps")


def workloads(server):
    """Processes that serve a workload of this server's data folder."""
    found = []
    for process in psutil.process_iter(["pid", "cwd", "cmdline"]):
        cwd = process.info["cwd"] or ""
        if cwd.startswith(str(server.data / "runtime")) and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def check_exactly_once(server, name, run):
    assert run["state"] == "succeeded", (run, server.tail())
    commits = server.get(f"/api/v1/repositories/acme/{name}/commits")
    assert len(commits.get("items", commits) if isinstance(commits, dict) else commits) == 1
    entity = wait_until(lambda: server.text(f"/api/v1/entities/component/default/{name}"), 20, "the entity")
    assert entity
    targets = [item["target"] for item in server.get("/api/v1/locations")["items"] if name in item["target"]]
    assert len(targets) == 1
    (deployment,) = server.get("/api/v1/deployments", entity_ref=f"component:default/{name}")["items"]
    assert deployment["state"] == "healthy"
    assert deployment["release"]["version"] == "r1"
    assert len(workloads(server)) == 1


@pytest.mark.parametrize("point", POINTS)
def test_a_run_killed_in_every_step_resumes_each_time_and_does_everything_once(tmp_path, point):
    server = ServerProcess(tmp_path, command=EXAMPLE)
    # Nothing comes after the last step, so it cannot be killed between that and the next one.
    steps = STEPS[:-1] if point == "between_steps" else STEPS
    try:
        run = None
        for step in steps:
            server._env["FLAGSTONE_RUNS__CRASH_AT"] = f"{point}@{step}"
            server.start(wait=run is None)  # it may be dead again before it is asked whether it is ready
            if run is None:
                wait_for_acme(server)
                run = start_service(server, "phoenix")
            wait_until(lambda: server._process.poll() is not None, 60, f"the server to be killed in {step}")
            assert server._process.poll() in (137, -9)
        server._env.clear()
        server.start()
        check_exactly_once(server, "phoenix", server.wait_for_run(run["id"]))
    finally:
        server.stop()
    assert workloads(server) == []


def test_a_server_killed_from_outside_leaves_no_process_and_brings_the_workload_back(tmp_path):
    server = ServerProcess(tmp_path, command=EXAMPLE).start()
    try:
        wait_for_acme(server)
        assert create_service(server, "lazarus")["state"] == "succeeded"
        url = server.get("/api/v1/deployments")["items"][0]["url"]
        (before,) = workloads(server)
        server.kill()
        wait_until(lambda: not workloads(server), 10, "the workload to end with the server")
        server.start()
        wait_until(
            lambda: server.get("/api/v1/deployments")["items"][0]["state"] == "healthy", 20, "the workload to be back"
        )
        (after,) = workloads(server)
        assert after != before
        assert server.get("/api/v1/deployments")["items"][0]["url"] == url
    finally:
        server.stop()
    assert workloads(server) == []


def test_a_server_that_is_stopped_takes_its_workloads_along_and_brings_them_back(tmp_path):
    server = ServerProcess(tmp_path, command=EXAMPLE).start()
    try:
        wait_for_acme(server)
        assert create_service(server, "sleeper")["state"] == "succeeded"
        assert server.stop() in (0, 130)
        assert workloads(server) == []
        server.start()
        wait_until(
            lambda: server.get("/api/v1/deployments")["items"][0]["state"] == "healthy", 20, "the workload to be back"
        )
    finally:
        server.stop()
