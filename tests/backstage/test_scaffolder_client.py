"""Backstage's own scaffolder client, pinned and unchanged, makes, follows, lists, stops and retries tasks."""

from __future__ import annotations

import base64

import pytest

from flagstone.testing.server import ServerProcess, wait_until
from tests.backstage.world import CATALOG, BackstageClient, ClientError

pytestmark = pytest.mark.slow

SECRET = "canary-of-a-task"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tasks")
    templates = folder / "templates.yaml"
    templates.write_text(CATALOG.with_name("tasks.yaml").read_text())
    with ServerProcess(folder, "--location", str(templates), command=("up", "--no-example")) as running:
        schema = "/api/scaffolder/v2/templates/default/template/unlucky/parameter-schema"
        wait_until(lambda: _answers(running, schema), 30, "the templates to be read")
        yield running


def _answers(running, path):
    try:
        return running.get(path)
    except AssertionError:
        return None


@pytest.fixture(scope="module")
def client(node_modules, server):
    found = BackstageClient(node_modules, f"{server.url}/api/scaffolder", server.token, "scaffolder", user=me(server))
    yield found
    found.close()


@pytest.fixture(scope="module")
def poller(node_modules, server):
    options = {"user": me(server), "polling": True}
    found = BackstageClient(node_modules, f"{server.url}/api/scaffolder", server.token, "scaffolder", **options)
    yield found
    found.close()


def me(server):
    return server.get("/api/v1/me").get("entity_ref") or "user:default/nobody"


def started(client, name, values=None, secrets=None):
    asked = {"templateRef": f"template:default/{name}", "values": values or {}, "secrets": secrets or {}}
    return client.call("scaffold", asked)["taskId"]


def followed(client, task_id, **more):
    return client.call("streamLogs", {"taskId": task_id, **more}, stream=True)


def test_the_form_of_a_template_has_its_pages(client):
    form = client.call("getTemplateParameterSchema", "template:default/greeting")
    assert form["title"] == "A greeting"
    assert form["description"] == "Says hello"
    assert [step["title"] for step in form["steps"]] == ["Whom", "How"]
    assert form["steps"][0]["schema"]["properties"]["name"]["maxLength"] == 12
    assert form["steps"][0]["schema"]["required"] == ["name"]


def test_a_template_that_is_not_there_is_not_found(client):
    for ref in ("template:default/never", "component:default/greeting"):
        with pytest.raises(ClientError) as refused:
            client.call("getTemplateParameterSchema", ref)
        assert (refused.value.status, refused.value.name) == (404, "NotFoundError")


def test_a_task_is_made_followed_to_its_end_and_told(client, server):
    task_id = started(client, "greeting", {"name": "ana"}, {"token": SECRET})
    events = followed(client, task_id)
    assert [event["type"] for event in events[-1:]] == ["completion"]
    assert {event["type"] for event in events[:-1]} == {"log"}
    assert [event["id"] for event in events] == sorted(event["id"] for event in events)
    assert {event["taskId"] for event in events} == {task_id}
    told = [(event["body"].get("stepId"), event["body"].get("status"), event["body"]["message"]) for event in events]
    assert ("greet", "processing", "Beginning step Greet") in told
    assert ("greet", "completed", "Finished step Greet") in told
    assert any(step == "greet" and text.startswith("Hello ana, ") for step, _, text in told)
    assert ("shout", "skipped", "Skipping step shout because its if condition was false") in told
    end = events[-1]["body"]
    assert end["output"]["links"] == [{"title": "Home", "url": "https://acme.example/ana"}]
    assert end["output"]["text"] == [{"title": "Times", "content": "2 times"}]

    task = client.call("getTask", task_id)
    assert (task["id"], task["status"]) == (task_id, "completed")
    assert task["spec"]["templateInfo"]["entityRef"] == "template:default/greeting"
    assert task["spec"]["parameters"]["name"] == "ana"
    assert [step["id"] for step in task["spec"]["steps"]] == ["greet", "shout"]
    assert SECRET not in str([events, task])


def test_a_reader_goes_on_where_it_was(client, poller):
    task_id = started(client, "greeting", {"name": "bo"})
    events = followed(client, task_id)
    assert followed(client, task_id, after=events[1]["id"]) == events[2:]
    assert followed(poller, task_id) == events
    assert followed(poller, task_id, after=events[1]["id"]) == events[2:]


def test_values_that_do_not_fit_are_refused_with_every_fault_of_the_page(client):
    with pytest.raises(ClientError) as refused:
        started(client, "greeting", {"name": "NOT VALID AND LONG", "times": "often"})
    text = str(refused.value)
    assert "Backend request failed, 400" in text
    for path in ("instance.name", "instance.times"):
        assert path in text


def test_tasks_are_listed_newest_first_in_pages_with_their_number(client):
    made = [started(client, "greeting", {"name": name}) for name in ("cy", "di", "eva")]
    for task_id in made:
        followed(client, task_id)
    whole = client.call("listTasks", {"filterByOwnership": "all"})
    assert [task["id"] for task in whole["tasks"]][:3] == made[::-1]
    assert whole["totalTasks"] == len(whole["tasks"])
    page = client.call("listTasks", {"filterByOwnership": "all", "limit": 2, "offset": 1})
    assert [task["id"] for task in page["tasks"]] == made[1::-1]
    assert page["totalTasks"] == whole["totalTasks"]
    assert client.call("listTasks", {"filterByOwnership": "all", "limit": 5, "offset": 1000})["tasks"] == []
    mine = client.call("listTasks", {"filterByOwnership": "owned"})
    assert {task.get("createdBy") for task in mine["tasks"]} <= {mine["tasks"][0]["createdBy"] if mine["tasks"] else ""}


def test_tasks_are_ordered_and_filtered_as_the_backend_of_backstage_does(client, server):
    finished = started(client, "greeting", {"name": "fay"})
    followed(client, finished)
    oldest = server.get("/api/scaffolder/v2/tasks", order="asc:created_at", limit=1)
    newest = server.get("/api/scaffolder/v2/tasks", order="desc:created_at", status="completed", limit=1)
    assert newest["tasks"][0]["id"] == finished
    assert oldest["tasks"][0]["id"] != finished
    assert oldest["totalTasks"] >= newest["totalTasks"] > 1
    assert server.get("/api/scaffolder/v2/tasks", status="nonsense") == {"tasks": [], "totalTasks": 0}
    with pytest.raises(AssertionError, match=r"-> 400.*InputError"):
        server.get("/api/scaffolder/v2/tasks", order="desc:mood")


def test_a_task_at_work_is_stopped(client):
    task_id = started(client, "patient")
    wait_until(lambda: client.call("getTask", task_id)["status"] == "processing", 20, "the task to begin")
    assert client.call("cancelTask", task_id) == {"status": "cancelled"}
    events = followed(client, task_id)
    assert events[-1]["type"] == "completion"
    assert client.call("getTask", task_id)["status"] == "cancelled"


def test_a_task_that_failed_says_where_and_why_and_is_retried(client):
    task_id = started(client, "unlucky")
    first = followed(client, task_id)
    end = first[-1]["body"]
    assert "nowhere" in end["error"]["message"]
    assert client.call("getTask", task_id)["status"] == "failed"
    again = client.call("retry", task_id)
    assert again["id"] == task_id
    later = followed(client, task_id, after=first[-1]["id"])
    assert later[-1]["type"] == "completion"
    # What was done is not done again.
    assert not [event for event in later if event["body"].get("stepId") == "begin"]


def test_kinds_of_step_and_filters_are_described(client):
    actions = {action["id"]: action for action in client.call("listActions")}
    assert {"fetch:template", "catalog:register", "publish:github", "debug:log", "fs:rename"} <= set(actions)
    assert "url" in actions["fetch:template"]["schema"]["input"]["properties"]
    extensions = client.call("listTemplatingExtensions")
    assert {"parseRepoUrl", "parseEntityRef", "pick", "projectName"} <= set(extensions["filters"])


def test_a_template_in_the_making_is_tried_without_changing_anything(client, server):
    template = {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "kind": "Template",
        "metadata": {"name": "draft"},
        "spec": {
            "type": "service",
            "owner": "team-a",
            "parameters": {"properties": {"name": {"type": "string"}}},
            "steps": [
                {
                    "id": "fetch",
                    "name": "Fetch",
                    "action": "fetch:template",
                    "input": {"url": "./skeleton", "values": {"name": "${{ parameters.name }}"}},
                },
                {"id": "say", "name": "Say", "action": "debug:log", "input": {"message": "${{ parameters.name }}"}},
            ],
            "output": {"links": [{"title": "It", "url": "https://acme.example/${{ parameters.name }}"}]},
        },
    }
    content = base64.b64encode(b"# ${{ values.name }}\n").decode()
    before = server.get("/api/scaffolder/v2/tasks")["totalTasks"]
    tried = client.call(
        "dryRun",
        {
            "template": template,
            "values": {"name": "gus"},
            "secrets": {},
            "directoryContents": [{"path": "skeleton/README.md", "base64Content": content}],
        },
    )
    (file,) = tried["directoryContents"]
    assert (file["path"], base64.b64decode(file["base64Content"])) == ("README.md", b"# gus\n")
    assert [step["id"] for step in tried["steps"]] == ["fetch", "say"]
    assert tried["output"]["links"] == [{"title": "It", "url": "https://acme.example/gus"}]
    assert {line["body"].get("stepId") for line in tried["log"]} >= {"fetch", "say"}
    assert server.get("/api/scaffolder/v2/tasks")["totalTasks"] == before


def test_what_no_other_service_completes_is_not_found(client):
    with pytest.raises(ClientError) as refused:
        client.call("autocomplete", {"token": "x", "provider": "github", "resource": "branches", "context": {}})
    assert refused.value.status == 404


def test_a_task_that_is_not_there_is_not_found(client):
    for method in ("getTask", "cancelTask", "retry"):
        with pytest.raises(ClientError) as refused:
            client.call(method, "00000000-0000-4000-8000-000000000000")
        assert (refused.value.status, refused.value.name) == (404, "NotFoundError")
