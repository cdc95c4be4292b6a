"""``flagstone worker`` beside a server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from flagstone.testing.server import ServerProcess, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


def start(folder, url, *arguments):
    command = [sys.executable, "-m", "flagstone", "worker", "--data", str(folder / "data"), *arguments]
    environment = {**os.environ, "FLAGSTONE_DATABASE__URL": url} if url else dict(os.environ)
    return subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_a_worker_takes_runs_from_the_queue_and_leaves_them_to_others_when_it_stops(tmp_path, postgres_server):
    url = postgres_server.create_database()
    environment = {"FLAGSTONE_DATABASE__URL": url, "FLAGSTONE_RUNS__CONCURRENCY": "1"}
    with ServerProcess(tmp_path, command=("serve", "--only", "platform"), env=environment) as server:
        worker = start(tmp_path, url, "--name", "second")
        try:

            def names():
                return [item["name"] for item in server.get("/api/v1/workers")["items"]]

            wait_until(lambda: names() == ["main", "second"], 30, "the worker")
            twin = start(tmp_path, url, "--name", "main")
            told = twin.communicate(timeout=60)[0].decode()
            assert twin.returncode == 5, told
            assert f"process {server.pid}" in told
            assert "runs.executor_id" in told
            assert names() == ["main", "second"]
            step = {"name": "wait", "action": "debug:wait", "input": {"seconds": 2.5}}
            body = {"workflow": {"name": "w", "title": "Wait", "steps": [{"id": "wait", **step}]}}
            runs = [server.post("/api/v1/runs", body)["id"] for _ in range(3)]
            wait_until(lambda: len(server.get("/api/v1/runs", state="running")["items"]) >= 2, 30, "two at once")
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(30) == 0, worker.stdout.read().decode()
            assert names() == ["main"]
            assert [server.wait_for_run(run)["state"] for run in runs] == ["succeeded"] * 3
        finally:
            worker.kill()
            worker.stdout.close()
    postgres_server.drop_database(url)


def test_a_worker_on_sqlite_says_what_it_needs(tmp_path):
    worker = start(tmp_path, "")
    text = worker.communicate(timeout=60)[0].decode()
    assert worker.returncode == 2
    assert "PostgreSQL" in text
