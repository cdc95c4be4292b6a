"""Failures of users' own making: each gets a clear error, and nothing else is disturbed by it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from pathlib import Path

import httpx
import psutil
import pytest

from flagstone.portal.catalog.tests.test_broken_files import BROKEN
from flagstone.testing.server import ServerProcess, wait_until
from tests.e2e import broken_templates
from tests.e2e.broken_templates import SERVICE_APP, SERVICE_SCORE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

SETTINGS = {
    "FLAGSTONE_DEPLOYMENTS__HEALTH_TIMEOUT": "3",
    "FLAGSTONE_RUNS__WORKSPACE_BYTES": "3000000",
    "FLAGSTONE_RUNS__STOP_GRACE_SECONDS": "0.3",
    "FLAGSTONE_RUNS__RETRY_CAP_SECONDS": "0.2",
    "FLAGSTONE_RUNS__STEP_ATTEMPTS": "2",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("failures")
    broken_templates.write(folder / "catalog")
    (folder / "entities").mkdir()
    server = ServerProcess(
        folder,
        "--location",
        str(folder / "catalog" / "*" / "template.yaml"),
        "--location",
        str(folder / "entities" / "*.yaml"),
        env=SETTINGS,
    )
    with server:
        wait_until(lambda: server.text("/api/v1/templates/default/service"), 20, "the golden paths")
        yield server


@pytest.fixture(scope="module")
def neighbour(server):
    """A service that runs, whatever happens to others."""
    assert make_service(server, "neighbour")["state"] == "succeeded"


@pytest.fixture
def undisturbed(server, neighbour):
    """While and after something fails: the service, the pages and other people's runs are as they were."""
    failures, done = [], threading.Event()
    before = server.get("/api/v1/templates")["items"]
    service = deployment(server, "neighbour")["url"]  # another port, when a restarted server found it taken

    def look() -> None:
        while not done.is_set():
            for address in (service, f"{server.url}/api/v1/entities?limit=5", f"{server.url}/healthz"):
                began = time.monotonic()
                headers = {"Authorization": f"Bearer {server.token}"} if address.startswith(server.url) else {}
                try:
                    status = httpx.get(address, headers=headers, timeout=10).status_code
                except httpx.HTTPError as error:
                    status = repr(error)
                if status != 200 or time.monotonic() - began > 5:
                    failures.append((address, status, time.monotonic() - began))
            done.wait(0.1)

    thread = threading.Thread(target=look)
    thread.start()
    yield
    done.set()
    thread.join()
    assert failures == []
    assert server.get("/api/v1/templates")["items"] == before
    assert run(server, "quick")["state"] == "succeeded"


def start(server, template, **values):
    answer = server.post(f"/api/v1/templates/default/{template}/runs", {"values": values})
    return answer.get("run", answer)


def run(server, template, **values):
    """Start a golden path without looking at its plan; returns the run when it has ended."""
    return server.wait_for_run(start(server, template, **values)["id"])


def service_values(name, *, app=SERVICE_APP, command='["python", "-u", "app.py"]', path="/", score=None):
    text = SERVICE_SCORE.format(name=name, command=command, path=path) if score is None else score
    return {"name": name, "app": app, "score": text}


def make_service(server, name, **options):
    return run(server, "service", **service_values(name, **options))


def deployment(server, name):
    return server.get("/api/v1/deployments", entity_ref=f"component:default/{name}")["items"][0]


def page(server, address):
    """The text of a page as a browser gets it."""
    with server.client() as client:
        response = client.get(address, headers={"Accept": "text/html"}, follow_redirects=True)
    assert response.status_code == 200
    return response.text


def everything_about(error):
    """All that a person is told of an error."""
    return " ".join(
        [error["detail"], error.get("hint") or ""]
        + [
            f"{item.get('file')}:{item.get('line')} {item['message']} {item.get('hint')}"
            for item in error.get("problems", ())
        ]
    )


# name: what the error must say
TEMPLATES = {
    "loops": ["endless.txt:1", "limit: ", "Make the loop"],
    "floods": ["large.txt:1", "longer than", "Make the loop"],
    "climbs": ["../../x", "goes up", "relative path"],
    "absolute": ["/flagstone-must-not-exist", "not relative", "relative path"],
    "names-climb": ["${{ values.up }}", "../../../x", "not a file inside", "Check the values"],
    "links-out": ["etc", "link", "Put a copy"],
    "unclosed": ["bad.txt:2", "line 2", "expected"],
    "missing-skeleton": ["./skeleton", "Check the url"],
    "bulky": ["workspace", "3000000", "runs.workspace_bytes"],
}


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_broken_template_fails_with_what_where_and_what_to_do(server, undisturbed, name):
    plan = server.post(f"/api/v1/templates/default/{name}/plan", {"values": {}})
    assert plan["problems"], "the plan says it before anything happens"
    ended = run(server, name)
    assert ended["state"] == "failed"
    told = everything_about(ended["error"])
    for part in TEMPLATES[name]:
        assert part in told, told
    shown = page(server, f"/runs/{ended['number']}")
    assert ended["error"]["detail"][:20].replace("'", "&#39;") in shown
    assert not list(server.folder.parent.rglob("flagstone-must-not-exist"))
    assert not Path("/flagstone-must-not-exist").exists()
    assert not (server.data / "x").exists()
    assert not (server.folder / "x").exists()


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("unknown-action", ["steps.fetch.action", "fetch:templat", "Did you mean fetch:template?"]),
        ("bad-schema", ["parameters[0].properties.size", "given schemas"]),
    ],
)
def test_a_template_that_cannot_run_is_refused_before_anything_starts(server, undisturbed, name, wanted):
    with server.client() as client:
        before = client.get("/api/v1/runs").json()["items"]
        for what in ("plan", "runs"):
            answer = client.post(f"/api/v1/templates/default/{name}/{what}", json={"values": {}})
            assert answer.status_code == 422
            for part in wanted:
                assert part in answer.text
        assert client.get("/api/v1/runs").json()["items"] == before
    assert page(server, f"/create/default/{name}")


def test_a_service_that_crashes_at_start_says_its_exit_code_and_last_lines_everywhere(server, undisturbed):
    app = "import sys\nprint('no flux capacitor found', flush=True)\nsys.exit(7)\n"
    ended = make_service(server, "crasher", app=app)
    assert ended["state"] == "failed"
    assert "exit code 7" in ended["error"]["detail"]
    assert "no flux capacitor found" in ended["error"]["last_log"]
    lines = [event["text"] for event in server.get(f"/api/v1/runs/{ended['id']}/events")["items"]]
    assert any("no flux capacitor found" in line for line in lines)
    found = deployment(server, "crasher")
    assert found["state"] == "failed"
    assert "exit code 7" in found["message"]
    log = server.get(f"/api/v1/deployments/{found['id']}/log")
    assert any("no flux capacitor found" in line["text"] for line in log.get("items", log))
    shown = page(server, f"/runs/{ended['number']}")
    assert "exit code 7" in shown
    assert "no flux capacitor found" in shown
    assert "exit code 7" in page(server, "/catalog/default/component/crasher")


def test_a_service_that_never_becomes_healthy_is_given_up_and_ended(server, undisturbed):
    ended = make_service(server, "sick", path="/sick")
    assert ended["state"] == "failed"
    for part in ("not healthy within 3 s", "GET /sick answered 503"):
        assert part in ended["error"]["detail"]
    assert "listening" in ended["error"]["last_log"]
    assert processes(server, "sick") == []


def test_a_command_that_does_not_exist_is_named(server, undisturbed):
    ended = make_service(server, "nocommand", command='["no-such-program"]')
    assert ended["state"] == "failed"
    assert "no-such-program" in ended["error"]["detail"]
    assert "Install no-such-program" in ended["error"]["hint"]


SCORES = {
    "open-bracket": ("apiVersion: [\n", 1, "flow node"),
    "other-version": (SERVICE_SCORE.replace("v1b1", "v9"), 1, "score.dev/v1b1"),
    "text-command": (SERVICE_SCORE.replace("{command}", '"python app.py"'), 7, "must be a list"),
    "text-port": (SERVICE_SCORE.replace("      port: 8080\n", "      port: many\n"), 15, "whole number"),
    "no-containers": ("apiVersion: score.dev/v1b1\nmetadata:\n  name: {name}\n", 1, "containers is required"),
    "unknown-member": (SERVICE_SCORE.replace("image:", "imgae:"), 6, "imgae"),
}


@pytest.mark.parametrize("name", SCORES)
def test_a_broken_score_file_is_told_with_its_line_before_and_at_the_deployment(server, neighbour, name):
    text, line, part = SCORES[name]
    score = text.replace("{name}", name).replace("{command}", '["python"]').replace("{path}", "/")
    values = service_values(name, score=score)
    plan = server.post("/api/v1/templates/default/service/plan", {"values": values})
    assert f"score.yaml:{line}" in " ".join(plan["problems"])
    ended = run(server, "service", **values)
    assert ended["state"] == "failed"
    told = everything_about(ended["error"])
    assert f"score.yaml:{line} " in told
    assert part in told
    assert answers(deployment(server, "neighbour")["url"])


def test_a_repository_without_a_score_file_says_what_to_add(server, undisturbed):
    ended = make_service(server, "unscored", score="")
    assert ended["state"] == "failed"
    assert "no score.yaml in acme/unscored" in ended["error"]["detail"]
    assert "Add a score.yaml" in ended["error"]["hint"]


def test_twenty_kinds_of_broken_entity_files_are_listed_and_the_good_ones_are_there(server, undisturbed):
    folder = server.folder / "entities"
    good = broken_templates.GOOD_ENTITY
    for number, (text, _, _) in enumerate(BROKEN.values()):
        (folder / f"broken-{number}.yaml").write_text(text)
        (folder / f"good-{number}.yaml").write_text(good.format(name=f"good-{number}"))
    assert len(BROKEN) >= 20
    location = next(item for item in server.get("/api/v1/locations")["items"] if "entities" in item["target"])
    server.post(f"/api/v1/locations/{location['id']}/refresh")
    for number in range(len(BROKEN)):
        assert server.get(f"/api/v1/entities/component/default/good-{number}")
    problems = server.get("/api/v1/catalog-problems", limit=200)["items"]
    for number, (_, line, part) in enumerate(BROKEN.values()):
        file = str(folder / f"broken-{number}.yaml")
        (found,) = [item for item in problems if item["file"] == file]
        assert part in found["message"]
        assert line is None or found["line"] == line
    assert "broken-3.yaml" in page(server, "/catalog/problems")


@contextlib.contextmanager
def small_disk(folder):
    """A disk of two megabytes mounted on a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True, check=False, text=True
        )
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"only root can mount a small disk: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_in_the_workspace_fails_the_run_and_a_retry_goes_on_when_there_is_space(server, undisturbed):
    with small_disk(server.data / "workspaces"):
        filler = server.data / "workspaces" / "filler"
        with contextlib.suppress(OSError):
            filler.write_bytes(b"x" * 3_000_000)
        ended = run(server, "service", **service_values("squeezed"))
        assert ended["state"] == "failed"
        told = everything_about(ended["error"])
        assert "space" in told.lower(), told
        filler.unlink()
        server.post(f"/api/v1/runs/{ended['id']}/retry", {})
        assert server.wait_for_run(ended["id"])["state"] == "succeeded"


def answers(url):
    try:
        return httpx.get(url, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


def processes(server, name=""):
    found = []
    for process in psutil.process_iter(["cwd"]):
        cwd = process.info["cwd"] or ""
        if cwd.startswith(str(server.data / "runtime")) and name in cwd and process.status() != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


def test_a_server_that_is_stopped_during_a_run_goes_on_with_it_afterwards(server, neighbour):
    begun = start(server, "patience")
    at_work = ("running", "waiting")
    wait_until(lambda: server.get(f"/api/v1/runs/{begun['id']}")["state"] in at_work, 30, "the run to begin")
    assert server._end(signal.SIGTERM) in (0, 143, -15)
    assert processes(server) == []
    server.start()
    ended = server.wait_for_run(begun["id"])
    assert [step["state"] for step in ended["steps"]] == ["succeeded", "succeeded"]
    wait_until(lambda: answers(deployment(server, "neighbour")["url"]), 20, "the service to be back")


def test_a_server_killed_while_a_deployment_waits_for_health_finishes_it_after_the_restart(server, neighbour):
    begun = start(server, "service", **service_values("waiting", path="/sick"))
    wait_until(lambda: processes(server, "waiting"), 20, "the new release to run")
    server.kill()
    wait_until(lambda: processes(server) == [], 10, "all processes to end with the server")
    server.start()
    ended = server.wait_for_run(begun["id"])
    assert ended["state"] == "failed"
    assert "not healthy within 3 s" in ended["error"]["detail"]
    assert processes(server, "waiting") == []
    wait_until(lambda: answers(deployment(server, "neighbour")["url"]), 20, "the service to be back")
    assert len(server.get("/api/v1/repositories/acme/waiting/commits")["items"]) == 1
