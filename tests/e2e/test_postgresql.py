"""The whole product on PostgreSQL: the main job, a crash, a second start."""

from __future__ import annotations

import httpx
import pytest

from flagstone.testing.server import ServerProcess, wait_until
from tests.e2e.conftest import EXAMPLE, create_service, start_service, wait_for_acme

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


def test_the_main_job_and_a_crash_on_postgresql(tmp_path, postgres_server):
    url = postgres_server.create_database()
    env = {"FLAGSTONE_DATABASE__URL": url.replace("postgresql+psycopg://", "postgresql://")}
    server = ServerProcess(tmp_path, command=EXAMPLE, env=env).start()
    try:
        wait_for_acme(server)
        assert not list(server.data.glob("*.db")), "nothing is kept in SQLite"
        run = create_service(server, "elephant")
        assert run["state"] == "succeeded", run
        address = server.get("/api/v1/deployments")["items"][0]["url"]
        assert httpx.get(address).status_code == 200
        wait_until(lambda: server.text("/api/v1/entities/component/default/elephant"), 20, "the entity")

        second = start_service(server, "mammoth")
        server.kill()
        server.start()
        assert server.wait_for_run(second["id"])["state"] == "succeeded"
        wait_until(lambda: httpx.get(address).status_code == 200, 20, "the first workload to be back")
        names = {item["workload"]: item["release"]["version"] for item in server.get("/api/v1/deployments")["items"]}
        assert names == {"elephant": "r1", "mammoth": "r1"}
        assert server.get("/api/v1/audit/verify")["ok"]
    finally:
        server.stop()
        postgres_server.drop_database(url)
