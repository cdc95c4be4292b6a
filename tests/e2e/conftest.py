"""Real servers for the end-to-end tests, each in a process and a folder of its own."""

from __future__ import annotations

import subprocess

import pytest

from flagstone.testing.server import ServerProcess, wait_until

EXAMPLE = ("up", "--example")


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    """A server with the example organisation, for the tests of one module."""
    server = ServerProcess(tmp_path_factory.mktemp("acme"), command=EXAMPLE).start()
    wait_for_acme(server)
    yield server
    server.stop()


def wait_for_acme(server):
    """Wait until the example organisation is in the catalog."""
    found = wait_until(
        lambda: any(item["name"] == "python-web-service" for item in server.get("/api/v1/templates")["items"]),
        30,
        "the golden paths of the example",
    )
    assert found


def create_service(server, name, **values):
    """Run the golden path of the example; returns the finished run."""
    run = start_service(server, name, **values)
    return server.wait_for_run(run["id"])


def start_service(server, name, **values):
    """Start the golden path of the example with its defaults; returns the run."""
    path = "/api/v1/templates/default/python-web-service"
    given = {
        "name": name,
        "description": "Says hello",
        "owner": "group:default/platform-engineering",
        "repoUrl": f"flagstone?owner=acme&repo={name}",
    }
    for step in server.get(path)["steps"]:
        for key, item in step["schema"].get("properties", {}).items():
            if "default" in item:
                given.setdefault(key, item["default"])
    answer = server.post(f"{path}/runs", {"values": {**given, **values}})
    return answer.get("run", answer)


def git(*arguments, cwd, server=None, check=True):
    """Run git as a person would, with the token as the password."""
    extra = []
    if server is not None:
        extra = ["-c", "credential.helper=", "-c", f"http.extraHeader=Authorization: Bearer {server.token}"]
    done = subprocess.run(
        ["git", *extra, "-c", "user.name=Ada", "-c", "user.email=ada@acme.example", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if check:
        assert done.returncode == 0, done.stderr
    return done
