"""Starting: what goes wrong says what, where and what to do; the rest goes on."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time

import httpx
import pytest

from flagstone.testing.server import ServerProcess, free_port, wait_until

pytestmark = pytest.mark.timeout(120)


def flagstone(*arguments, cwd, env=None):
    import os

    clean = {key: value for key, value in os.environ.items() if not key.startswith("FLAGSTONE_")}
    return subprocess.run(
        [sys.executable, "-m", "flagstone", *arguments],
        cwd=cwd,
        env={**clean, **(env or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_port_in_use_is_named_with_a_way_out(tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        done = flagstone("up", "--port", str(port), "--data", "data", cwd=tmp_path)
    assert done.returncode == 5
    assert f"Port {port}" in done.stderr
    assert "--port" in done.stderr


def test_a_data_folder_in_use_names_the_process_that_has_it(tmp_path):
    with ServerProcess(tmp_path) as server:
        done = flagstone("up", "--port", "0", "--data", str(server.data), cwd=tmp_path)
        assert done.returncode == 5
        assert str(server.pid) in done.stderr


BROKEN = {
    "not toml": ("[server\nport = 1\n", ["flagstone.toml", "line 1"]),
    "wrong type": ("[server]\nport = 'many'\n", ["flagstone.toml:2", "server.port"]),
    "out of range": ("[server]\n\nport = 70000\n", ["flagstone.toml:3", "server.port"]),
    "unknown setting": ("[server]\nprot = 1\n", ["flagstone.toml:2", "server.prot", "no such setting"]),
    "unknown section": ("[sever]\nport = 1\n", ["flagstone.toml:1", "sever"]),
    "not a section": ("server = 3\n", ["server"]),
    "bad choice": ("[server]\nlog_format = 'xml'\n", ["flagstone.toml:2", "log_format"]),
}


@pytest.mark.parametrize(("text", "wanted"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_settings_file_is_refused_with_file_and_line(tmp_path, text, wanted):
    (tmp_path / "flagstone.toml").write_text(text)
    began = time.monotonic()
    done = flagstone("up", "--data", "data", cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    for part in wanted:
        assert part in done.stderr.replace("\n", ""), done.stderr
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 20


def test_a_secret_can_come_from_a_file_and_a_missing_one_is_an_error(tmp_path):
    done = flagstone("config", "explain", "vault", cwd=tmp_path, env={"FLAGSTONE_VAULT__KEY_FILE": "/no/such/file"})
    assert done.returncode == 2
    assert "FLAGSTONE_VAULT__KEY_FILE" in done.stderr


def test_config_explain_tells_value_and_source_of_every_setting(tmp_path):
    (tmp_path / "flagstone.toml").write_text("[server]\nport = 7171\n")
    done = flagstone("config", "explain", "--json", cwd=tmp_path, env={"FLAGSTONE_SERVER__LOG_LEVEL": "debug"})
    assert done.returncode == 0, done.stderr
    rows = {row["key"]: row for row in json.loads(done.stdout)}
    assert rows["server.port"]["value"] == "7171"
    assert rows["server.port"]["source"].endswith("flagstone.toml:2")
    assert rows["server.log_level"]["source"] == "FLAGSTONE_SERVER__LOG_LEVEL"
    assert all(row["help"] for row in rows.values())


def test_an_empty_start_is_really_empty_and_answers_health_checks(tmp_path):
    with ServerProcess(tmp_path) as server:
        assert httpx.get(f"{server.url}/healthz").json()["status"] == "ok"
        assert httpx.get(f"{server.url}/readyz").json()["status"] == "ready"
        assert server.get("/api/v1/entities")["items"] == []
        with server.client() as client:
            for path in ("/", "/catalog", "/create", "/runs", "/admin"):
                assert client.get(path, headers={"Accept": "text/html"}).status_code == 200


def test_server_logs_are_json_on_request(tmp_path):
    env = {"FLAGSTONE_SERVER__LOG_FORMAT": "json"}
    with ServerProcess(tmp_path, command=("serve",), env=env) as server:
        server.get("/api/v1/me")
        lines = wait_until(
            lambda: [line for line in server.log.read_text().splitlines() if "/api/v1/me" in line], 5, "the line"
        )
    record = json.loads(lines[0])
    assert record["status"] == 200
    assert record["request_id"]
    for line in server.log.read_text().splitlines():
        json.loads(line)


def test_a_portal_alone_explains_itself(tmp_path):
    with ServerProcess(tmp_path, command=("serve", "--only", "portal")) as server, server.client() as client:
        html = client.get("/", headers={"Accept": "text/html"}).text
        assert "not connected to a platform" in html
        for path in ("/catalog", "/create", "/runs", "/admin"):
            assert client.get(path, headers={"Accept": "text/html"}).status_code == 200, path
        assert client.get("/api/v1/runs").status_code == 404


def test_a_platform_alone_works_without_a_portal(tmp_path):
    with ServerProcess(tmp_path, command=("serve", "--only", "platform")) as server:
        assert server.get("/api/v1/gateway")["connected"]
        workflow = {
            "name": "hello",
            "title": "Say hello",
            "steps": [{"id": "say", "name": "Say it", "action": "debug:log", "input": {"message": "good morning"}}],
        }
        run = server.wait_for_run(server.post("/api/v1/runs", {"workflow": workflow})["id"])
        assert run["state"] == "succeeded"
        with server.client() as client:
            assert client.get("/catalog").status_code == 404


def test_portal_and_platform_apart_work_as_one(tmp_path):
    secret = "a" * 40
    with ServerProcess(
        tmp_path / "platform", command=("serve", "--only", "platform"), env={"FLAGSTONE_PLATFORM__SECRET": secret}
    ) as platform:
        env = {"FLAGSTONE_PLATFORM__URL": platform.url, "FLAGSTONE_PLATFORM__SECRET": secret}
        with (
            ServerProcess(tmp_path / "portal", command=("serve", "--only", "portal"), env=env) as portal,
            portal.client() as client,
        ):
            page = client.get("/runs", headers={"Accept": "text/html"})
            assert page.status_code == 200
            assert "not connected" not in page.text
            workflow = {
                "name": "x",
                "title": "From afar",
                "steps": [{"id": "a", "name": "A", "action": "debug:log", "input": {"message": "hi"}}],
            }
            platform.wait_for_run(platform.post("/api/v1/runs", {"workflow": workflow})["id"])
            assert "From afar" in client.get("/runs", headers={"Accept": "text/html"}).text
            platform.stop()
            away = client.get("/runs", headers={"Accept": "text/html"})
            assert away.status_code in (200, 503)
            assert "does not answer" in away.text
            assert client.get("/catalog", headers={"Accept": "text/html"}).status_code == 200


def test_ctrl_c_stops_cleanly_and_soon(tmp_path):
    server = ServerProcess(tmp_path).start()
    began = time.monotonic()
    assert server.stop() in (0, 130)
    assert time.monotonic() - began < 10
    assert "Traceback" not in server.log.read_text()


def test_port_zero_picks_a_free_port_and_says_which(tmp_path):
    assert free_port() > 0
    process = subprocess.Popen(
        [sys.executable, "-m", "flagstone", "up", "--port", "0", "--data", "data", "--no-example"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        line = next(line for line in process.stderr if "Serving on" in line)
        url = line.split("Serving on ")[1].split()[0]
        assert httpx.get(f"{url}/healthz").status_code == 200
    finally:
        process.terminate()
        process.communicate(timeout=20)
