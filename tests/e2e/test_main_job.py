"""The main job without a browser: create a service, look at it, change it, deploy it again, delete it."""

from __future__ import annotations

import base64
import threading

import httpx
import psutil
import pytest

from flagstone.testing.server import wait_until
from tests.e2e.conftest import create_service, git

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def hello(acme):
    run = create_service(acme, "hello")
    assert run["state"] == "succeeded", run
    wait_until(lambda: acme.text("/api/v1/entities/component/default/hello"), 20, "the entity")
    return run


def deployment(server, name="hello"):
    return server.get("/api/v1/deployments", entity_ref=f"component:default/{name}")["items"][0]


def test_the_golden_path_creates_a_running_catalogued_service(acme, hello):
    assert [step["state"] for step in hello["steps"]] == ["succeeded"] * len(hello["steps"])
    running = deployment(acme)
    assert running["state"] == "healthy"
    assert running["release"]["version"] == "r1"
    assert httpx.get(running["url"]).status_code == 200
    assert httpx.get(running["url"] + "/healthz").status_code == 200
    entity = acme.get("/api/v1/entities/component/default/hello")
    document = entity.get("entity", entity)
    assert document["spec"]["owner"].endswith("platform-engineering")
    relations = {(item["type"], item["targetRef"]) for item in document["relations"]}
    assert ("ownedBy", "group:default/platform-engineering") in relations


def test_every_link_of_the_run_leads_somewhere(acme, hello):
    assert hello["links"]
    for link in hello["links"]:
        if link.get("url"):
            with acme.client() as client:
                assert (
                    client.get(link["url"], headers={"Accept": "text/html"}, follow_redirects=True).status_code == 200
                )
        else:
            ref = link["entity_ref"].replace(":", "/", 1)
            assert acme.get(f"/api/v1/entities/{ref}")


def test_a_push_refreshes_the_entity_and_a_deployment_fails_no_request(acme, hello, tmp_path):
    git("clone", "-q", f"{acme.url}/git/acme/hello.git", "work", cwd=tmp_path, server=acme)
    work = tmp_path / "work"
    info = work / "catalog-info.yaml"
    info.write_text(info.read_text().replace("Says hello", "Says good morning"))
    app = work / "app.py"
    app.write_text(app.read_text() + "\n# changed\n")
    (work / "CODEOWNERS").write_text("* @acme/somebody-else\n")
    git("add", ".", cwd=work)
    git("commit", "-qam", "Say good morning", cwd=work)
    git("push", "-q", "origin", "HEAD", cwd=work, server=acme)

    def refreshed():
        entity = acme.get("/api/v1/entities/component/default/hello")
        return entity.get("entity", entity)["metadata"]["description"] == "Says good morning"

    wait_until(refreshed, 10, "the entity to be refreshed by the push")
    assert "@acme/somebody-else" in acme.text("/catalog/component/default/hello")

    url = deployment(acme)["url"]
    failures, count, stop = [], [0], threading.Event()

    def load():
        with httpx.Client(timeout=10) as client:
            while not stop.is_set():
                try:
                    response = client.get(url)
                    if response.status_code != 200:
                        failures.append(response.status_code)
                except httpx.HTTPError as error:
                    failures.append(repr(error))
                count[0] += 1

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        run = acme.post("/api/v1/entities/component/default/hello/deploy", {"environment": "development"})["run"]
        assert acme.wait_for_run(run["id"])["state"] == "succeeded"
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert count[0] > 20
    after = deployment(acme)
    assert (after["release"]["version"], after["state"], after["url"]) == ("r2", "healthy", url)


def test_a_version_that_does_not_become_healthy_is_rolled_back_and_says_why(acme, hello, tmp_path):
    git("clone", "-q", f"{acme.url}/git/acme/hello.git", "work", cwd=tmp_path, server=acme)
    work = tmp_path / "work"
    (work / "app.py").write_text("import sys\nprint('cannot find the flux capacitor')\nsys.exit(3)\n")
    git("commit", "-qam", "Break it", cwd=work)
    git("push", "-q", "origin", "HEAD", cwd=work, server=acme)
    before = deployment(acme)
    run = acme.post("/api/v1/entities/component/default/hello/deploy", {"environment": "development"})["run"]
    ended = acme.wait_for_run(run["id"], 90)
    assert ended["state"] == "failed"
    assert "3" in ended["error"]["detail"]
    after = deployment(acme)
    assert after["release"]["version"] == before["release"]["version"]
    assert httpx.get(after["url"]).status_code == 200
    text = (
        str(ended)
        + str(after)
        + "\n".join(event["text"] for event in acme.get(f"/api/v1/runs/{run['id']}/events")["items"])
    )
    assert "cannot find the flux capacitor" in text


def test_stop_start_and_delete_do_what_they_say(acme, hello):
    running = deployment(acme)
    run = acme.post("/api/v1/entities/component/default/hello/stop", {})["run"]
    assert acme.wait_for_run(run["id"])["state"] == "succeeded"
    assert deployment(acme)["state"] == "stopped"
    assert running["pid"] is None or not psutil.pid_exists(running["pid"])
    run = acme.post("/api/v1/entities/component/default/hello/start", {})["run"]
    assert acme.wait_for_run(run["id"])["state"] == "succeeded"
    started = deployment(acme)
    assert started["url"] == running["url"]
    assert httpx.get(started["url"]).status_code == 200

    plan = acme.post("/api/v1/entities/component/default/hello/delete", {}, dry_run="true")
    plan = plan.get("plan", plan)
    removed = {(change["kind"], change["op"]) for step in plan["steps"] for change in step["changes"]}
    assert {"repository", "location"} <= {kind for kind, op in removed if op == "delete"} | {"location"}
    run = acme.post("/api/v1/entities/component/default/hello/delete", {"confirm": "hello"})["run"]
    assert acme.wait_for_run(run["id"])["state"] == "succeeded"
    with acme.client() as client:
        wait_until(
            lambda: client.get("/api/v1/entities/component/default/hello").status_code == 404, 20, "the entity to go"
        )
        assert client.get("/api/v1/repositories/acme/hello").status_code == 404
    assert acme.get("/api/v1/deployments", entity_ref="component:default/hello")["items"] == []
    with pytest.raises(httpx.TransportError):
        httpx.get(started["url"], timeout=2)
    if started["pid"]:
        assert not psutil.pid_exists(started["pid"])
    assert not list((acme.data / "repositories").glob("acme/hello*"))


def test_a_golden_path_with_bad_values_says_which_and_starts_nothing(acme):
    path = "/api/v1/templates/default/python-web-service"
    with acme.client() as client:
        before = client.get("/api/v1/runs").json()["items"]
        answer = client.post(f"{path}/runs", json={"values": {"name": "Not A Name"}})
        assert answer.status_code == 422
        fields = {problem.get("field", "").split(".")[-1] for problem in answer.json()["problems"]}
        assert {"name", "owner"} <= fields
        assert client.get("/api/v1/runs").json()["items"] == before


def test_backstages_scaffolder_api_tells_the_run_as_a_task(acme, hello):
    base = "/api/scaffolder/v2"
    listed = acme.get(f"{base}/tasks", limit=1, offset=0)
    assert listed["totalTasks"] >= 1
    assert len(listed["tasks"]) == 1
    task = acme.get(f"{base}/tasks/{hello['id']}")
    assert task["status"] == "completed"
    assert task["spec"]["parameters"]["name"] == "hello"
    assert [step["action"] for step in task["spec"]["steps"]] == [step["action"] for step in hello["steps"]]
    assert task["spec"]["templateInfo"]["entityRef"] == "template:default/python-web-service"
    events = acme.get(f"{base}/tasks/{hello['id']}/events")
    assert [event["type"] for event in events].count("completion") == 1
    assert events[-1]["body"]["output"]["links"]
    ids = [event["id"] for event in events]
    assert ids == sorted(set(ids))
    assert [event["id"] for event in acme.get(f"{base}/tasks/{hello['id']}/events", after=ids[-2])] == ids[-1:]
    with acme.client() as client:
        stream = client.get(f"{base}/tasks/{hello['id']}/eventstream", params={"after": ids[-3]}).text
    assert [line.partition(": ")[2] for line in stream.splitlines() if line.startswith("event:")][-1] == "completion"


def test_backstages_scaffolder_api_starts_a_task_and_says_what_is_wrong_with_its_values(acme, hello):
    base = "/api/scaffolder/v2"
    schema = acme.get(f"{base}/templates/default/template/python-web-service/parameter-schema")
    assert schema["steps"][0]["schema"]["properties"]["name"]
    with acme.client() as client:
        wrong = client.post(f"{base}/tasks", json={"templateRef": "template:default/python-web-service", "values": {}})
        assert wrong.status_code == 400
        assert {"path", "property", "message", "stack"} <= wrong.json()["errors"][0].keys()
        missing = client.post(f"{base}/tasks", json={"templateRef": "template:default/nope", "values": {}})
        assert missing.json()["error"]["name"] == "NotFoundError"
        ended = client.post(f"{base}/tasks/{hello['id']}/cancel")
        assert ended.json() == {"status": "cancelled"}
    assert acme.get(f"{base}/tasks/{hello['id']}")["status"] == "completed"
    assert {"fetch:template", "publish:git"} <= {item["id"] for item in acme.get(f"{base}/actions")}
    assert "parseRepoUrl" in acme.get(f"{base}/templating-extensions")["filters"]


def test_a_template_that_is_not_registered_is_tried_with_its_files(acme):
    skeleton = base64.b64encode(b"Hello ${{ values.name }}\n").decode()
    template = {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {"name": "draft"},
        "spec": {
            "type": "service",
            "parameters": [{"title": "One", "required": ["name"], "properties": {"name": {"type": "string"}}}],
            "steps": [
                {
                    "id": "fetch",
                    "action": "fetch:template",
                    "input": {"url": "./skeleton", "values": {"name": "${{ parameters.name }}"}},
                }
            ],
            "output": {"text": [{"title": "Done", "content": "${{ parameters.name }}"}]},
        },
    }
    body = {
        "template": template,
        "values": {"name": "Ada"},
        "directoryContents": [{"path": "skeleton/README.md", "base64Content": skeleton}],
    }
    answer = acme.post("/api/scaffolder/v2/dry-run", body)
    (file,) = answer["directoryContents"]
    assert file["path"] == "README.md"
    assert base64.b64decode(file["base64Content"]) == b"Hello Ada\n"
    assert answer["output"]["text"][0]["content"] == "Ada"
    with acme.client() as client:
        outside = {**body, "directoryContents": [{"path": "../escape", "base64Content": skeleton}]}
        assert client.post("/api/scaffolder/v2/dry-run", json=outside).status_code == 400
        assert client.post("/api/scaffolder/v2/dry-run", json={**body, "values": {}}).json()["errors"]
