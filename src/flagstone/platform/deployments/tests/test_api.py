"""The API, with runs that are really executed."""

from __future__ import annotations

import threading

from flagstone.platform.deployments.tests.world import BROKEN, OWNER, app_files

ROUTES = [
    ("GET", "/api/v1/deployments"),
    ("POST", "/api/v1/deployments"),
    ("GET", "/api/v1/deployments/{id}"),
    ("DELETE", "/api/v1/deployments/{id}"),
    ("GET", "/api/v1/deployments/{id}/history"),
    ("GET", "/api/v1/deployments/{id}/releases"),
    ("GET", "/api/v1/deployments/{id}/log"),
    ("GET", "/api/v1/deployments/{id}/log/stream"),
    ("POST", "/api/v1/deployments/{id}/stop"),
    ("POST", "/api/v1/deployments/{id}/start"),
    ("POST", "/api/v1/deployments/{id}/redeploy"),
    ("POST", "/api/v1/deployments/{id}/rollback"),
    ("POST", "/api/v1/deployments/{id}/promote"),
    ("GET", "/api/v1/environments"),
    ("POST", "/api/v1/environments"),
]


def test_from_the_first_deployment_to_its_removal(service):
    first = service.world.commit(app_files("v1"), message="One")
    run = service.run("POST", "/api/v1/deployments", json={"repository": "shop/orders"})
    assert run.state == "succeeded", run.error
    assert run.title == "Deploy orders to development"
    assert run.subjects == ("component:default/orders",)
    (item,) = service.call("GET", "/api/v1/deployments", status=200)["items"]
    outputs = run.steps[0].outputs
    assert outputs == {"deployment": item["id"], "url": item["url"], "release": "r1", "commit": first}
    assert item["last_run_id"] == run.id
    assert run.links[0].url == item["url"]

    path = f"/api/v1/deployments/{item['id']}"
    service.world.commit(app_files("v2"), message="Two")
    assert service.run("POST", f"{path}/redeploy").steps[0].outputs["release"] == "r2"
    assert service.run("POST", f"{path}/rollback").steps[0].outputs["release"] == "r1"
    assert service.run("POST", f"{path}/rollback", json={"release": "r2"}).steps[0].outputs["release"] == "r2"
    assert service.run("POST", f"{path}/stop").state == "succeeded"
    assert service.call("GET", path)["state"] == "stopped"
    assert service.run("POST", f"{path}/start").state == "succeeded"
    assert service.call("GET", path)["state"] == "healthy"
    history = service.call("GET", f"{path}/history", status=200)["items"]
    assert [entry["operation"] for entry in history] == ["start", "stop", "rollback", "rollback", "deploy", "deploy"]
    assert history[0]["seconds"] >= 0
    assert history[0]["actor_name"] == "Omar"
    releases = service.call("GET", f"{path}/releases", status=200)["items"]
    assert [(entry["version"], entry["message"]) for entry in releases] == [("r2", "Two"), ("r1", "One")]

    run = service.run("DELETE", path)
    assert run.steps[0].outputs["removed"][-1] == "the files of 2 releases"
    assert "Checked: no process, no open port and no files of it are left." in service.log_of(run)
    assert service.call("GET", path, status=404)["code"] == "deployments.not_found"
    assert service.call("GET", f"{path}/history", status=200)["items"][0]["operation"] == "remove"


def test_the_release_that_was_tried_in_one_environment_is_the_one_that_moves_on(service):
    tried = service.world.commit(app_files("v1"))
    run = service.run("POST", "/api/v1/deployments", json={"repository": "shop/orders"})
    place = run.steps[0].outputs["deployment"]
    service.world.commit(app_files("v2"))
    path = f"/api/v1/deployments/{place}/promote"
    promoted = service.run("POST", path, json={"environment": "staging"})
    assert promoted.state == "succeeded", promoted.error
    assert promoted.title == "Promote orders from development to staging"
    assert (promoted.steps[0].outputs["commit"], promoted.steps[0].outputs["release"]) == (tried, "r1")
    items = service.call("GET", "/api/v1/deployments", status=200)["items"]
    assert {item["environment"]: item["release"]["version"] for item in items} == {"development": "r1", "staging": "r1"}
    back = next(item["id"] for item in items if item["environment"] == "staging")
    refused = service.run("POST", f"/api/v1/deployments/{back}/promote", json={"environment": "development"})
    assert refused.steps[0].error["code"] == "deployments.not_later"
    assert service.call("POST", path, who="stranger", json={"environment": "staging"}, status=403)
    assert service.call("POST", path, json={}, status=422)


def test_a_failed_rollout_fails_the_run_with_the_last_lines_in_its_log(service):
    service.world.commit(app_files("v1", extra=BROKEN))
    run = service.run("POST", "/api/v1/deployments", json={"repository": "shop/orders"})
    assert run.state == "failed"
    assert run.steps[0].error["code"] == "deployments.rollout_failed"
    assert "The last lines of its log:" in service.log_of(run)
    assert "  no such table: orders" in service.log_of(run)
    assert service.call("GET", "/api/v1/deployments")["items"][0]["last_log"][-1] == "no such table: orders"


def test_what_cannot_be_deployed_starts_no_run(service):
    service.world.commit(app_files("v1"))
    answer = service.call("POST", "/api/v1/deployments", who="stranger", status=403, json={"repository": "shop/orders"})
    assert "group:default/checkout" in answer["hint"]
    service.call("POST", "/api/v1/deployments", status=404, json={"repository": "shop/nothing"})
    service.call("POST", "/api/v1/deployments", status=422, json={"repository": "shop/orders", "surprise": 1})
    service.world.commit(app_files("v1", **{"score.yaml": "apiVersion: score.dev/v1b1\n"}))
    answer = service.call("POST", "/api/v1/deployments", status=422, json={"repository": "shop/orders"})
    assert {problem["field"] for problem in answer["problems"]} == {"metadata", "containers"}
    assert service.call("GET", "/api/v1/deployments")["items"] == []


def test_strangers_may_look_and_touch_nothing(service):
    service.world.commit(app_files("v1"))
    view = service.world.deploy()
    path = f"/api/v1/deployments/{view.id}"
    assert service.call("GET", path, who="stranger", status=200)["id"] == view.id
    for method, action in (
        ("POST", "/stop"),
        ("POST", "/start"),
        ("POST", "/redeploy"),
        ("POST", "/rollback"),
        ("DELETE", ""),
    ):
        service.call(method, path + action, who="stranger", status=403)


def test_nobody_gets_in_without_signing_in(service):
    body = {"repository": "a/b", "name": "x", "type": "y"}
    for method, path in ROUTES:
        service.call(method, path.format(id="orders"), who="nobody", status=401, json=body)


def test_the_log_is_read_from_a_cursor_and_followed(service):
    service.world.commit(app_files("v1", extra='print("two", flush=True); print("three", flush=True)'))
    view = service.world.deploy()
    path = f"/api/v1/deployments/{view.id}/log"
    assert [line["text"] for line in service.call("GET", path, status=200)["items"]] == ["starting v1", "two", "three"]
    assert [line["text"] for line in service.call("GET", f"{path}?after=0&limit=1")["items"]] == ["two"]
    service.call("GET", f"{path}?limit=0", status=422)
    world = service.world
    threading.Timer(0.5, lambda: world.service.remove(OWNER, view.id, execution=world.execution())).start()
    headers = {"x-person": "owner", "Last-Event-ID": "1"}
    answer = service.client.get(f"{path}/stream", headers=headers)
    text = answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert '"text":"three"' in text
    assert "id: 2" in text
    assert '"text":"two"' not in text


def test_lists_are_filtered_by_owner_state_and_environment(service):
    service.world.commit(app_files("v1"))
    service.world.deploy()
    service.world.deploy(environment="staging")
    places = "/api/v1/deployments"
    assert len(service.call("GET", f"{places}?owners=group:default/checkout&owners=group:default/x")["items"]) == 2
    assert service.call("GET", f"{places}?owners=group:default/x")["items"] == []
    found = service.call("GET", f"{places}?environment=staging&state=healthy&entity_ref=component:default/orders")
    assert [item["environment"] for item in found["items"]] == ["staging"]
    page = service.call("GET", f"{places}?limit=1")
    rest = service.call("GET", f"{places}?limit=1&cursor={page['next_cursor']}")
    assert [page["items"][0]["environment"], rest["items"][0]["environment"]] == ["development", "staging"]
    service.call("GET", f"{places}?cursor=x", status=422)


def test_environments_are_listed_with_their_deployments_and_added_by_administrators(service):
    service.world.commit(app_files("v1"))
    service.world.deploy()
    items = service.call("GET", "/api/v1/environments", status=200)["items"]
    assert [(item["name"], item["deployments"]) for item in items] == [("development", 1), ("staging", 0)]
    body = {"name": "pr-1", "type": "development"}
    service.call("POST", "/api/v1/environments", status=403, json=body)
    assert service.call("POST", "/api/v1/environments", who="admin", status=201, json=body)["runtime"] == "local"
