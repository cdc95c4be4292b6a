"""Plans, runs and actions over HTTP, as programs see them."""

from __future__ import annotations

import json
import time

import pytest
from fastapi import FastAPI, Request

from flagstone.kernel.actor import ANONYMOUS
from flagstone.platform.runs import api as runs_api
from flagstone.platform.runs.tests.harness import ANN, BOB, EVE, MAY
from flagstone.platform.workflows import api
from flagstone.testing.client import Client
from flagstone.toolkit.web.problems import install

PEOPLE = {"ann": ANN, "bob": BOB, "eve": EVE, "may": MAY}


@pytest.fixture(scope="module")
def client(world):
    app = FastAPI()
    app.state.access = world.access
    install(app, None)

    @app.middleware("http")
    async def sign_in(request: Request, call_next):
        request.state.principal = PEOPLE.get(request.headers.get("x-person", ""), ANONYMOUS)
        return await call_next(request)

    app.include_router(api.router(world.workflows))
    app.include_router(runs_api.router(world.parts))
    return Client(app, headers={"x-person": "ann"})


def body(world, steps, **more):
    return world.request(steps, **more).model_dump(mode="json")


def submit(client, world, steps, **more):
    answer = client.post("/api/v1/runs", json=body(world, steps, **more))
    assert answer.status_code == 201, answer.text
    return answer.json()


def ended(client, run):
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = client.get(f"/api/v1/runs/{run['id']}").json()
        if found["state"] in ("succeeded", "failed", "cancelled"):
            return found
        time.sleep(0.05)
    raise AssertionError(found)


def frames(text):
    """(id, event, data) of each server-sent event."""
    found = []
    for frame in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in frame.splitlines() if ": " in line and not line.startswith(":"))
        if "data" in fields:
            found.append((int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


def test_a_run_is_planned_started_followed_and_read(client, world):
    steps = [{"id": "one", "input": {"text": "hello", "lines": 3}}]
    plan = client.post("/api/v1/plans", json=body(world, steps)).json()
    assert plan["steps"][0]["changes"][0]["subject"] == "hello"
    run = submit(client, world, steps, plan_digest=plan["digest"])
    stream = client.get(f"/api/v1/runs/{run['id']}/stream")
    assert stream.headers["content-type"].startswith("text/event-stream")
    seen = frames(stream.text)
    assert [number for number, _, _ in seen] == list(range(1, len(seen) + 1))
    assert seen[-1][2]["state"] == "succeeded"
    again = frames(client.get(f"/api/v1/runs/{run['id']}/stream", headers={"Last-Event-ID": "3"}).text)
    assert again == seen[3:]
    assert frames(client.get(f"/api/v1/runs/{run['id']}/stream?after=5").text) == seen[5:]
    items = client.get(f"/api/v1/runs/{run['number']}/events?after=2&limit=2").json()["items"]
    assert [item["seq"] for item in items] == [3, 4]
    log = client.get(f"/api/v1/runs/{run['id']}/log.txt")
    assert log.headers["content-type"] == "text/plain; charset=utf-8"
    assert "one: line 2 hello\n" in log.text
    assert ended(client, run)["steps_done"] == 1


def test_runs_are_listed_with_filters_and_cursor(client, world):
    for _ in range(3):
        ended(client, submit(client, world, [{"id": "one"}], subjects=["component:default/listed"]))
    page = client.get("/api/v1/runs?subject=component:default/listed&limit=2&state=succeeded&state=failed").json()
    assert len(page["items"]) == 2
    rest = client.get(f"/api/v1/runs?subject=component:default/listed&limit=2&cursor={page['next_cursor']}").json()
    assert len(rest["items"]) == 1
    assert rest["next_cursor"] is None
    assert client.get("/api/v1/runs?subject=component:default/listed&state=queued").json()["items"] == []
    assert client.get("/api/v1/runs?cursor=nonsense").status_code == 422


def test_a_run_is_cancelled_and_retried(client, world):
    run = submit(client, world, [{"id": "one", "input": {"wait": 15}}])
    assert client.post(f"/api/v1/runs/{run['id']}/cancel").json()["state"] in ("cancelling", "cancelled")
    assert ended(client, run)["state"] == "cancelled"
    assert client.post(f"/api/v1/runs/{run['id']}/retry", json={"from_step": "nope"}).status_code == 422
    assert client.post(f"/api/v1/runs/{run['id']}/retry", json={"from_stepp": "one"}).status_code == 422
    assert client.post(f"/api/v1/runs/{run['id']}/retry").json()["state"] == "queued"
    client.post(f"/api/v1/runs/{run['id']}/cancel", headers={"x-person": "may"})
    assert ended(client, run)["state"] == "cancelled"


def test_errors_are_problem_json_with_every_fault(client, world):
    answer = client.post("/api/v1/runs", json=body(world, [{"id": "one", "action": "nope:nope"}]))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["problems"][0]["field"] == "steps.one.action"
    assert client.get("/api/v1/runs/424242").status_code == 404
    assert client.get("/api/v1/runs/424242/stream").status_code == 404
    assert client.get("/api/v1/runs/424242/log.txt").status_code == 404
    assert client.get("/api/v1/actions/nope").status_code == 404


def test_actions_describe_themselves(client):
    found = {item["id"]: item for item in client.get("/api/v1/actions").json()["items"]}
    assert {"fetch:template", "debug:log", "catalog:register", "publish:git"} <= set(found)
    one = client.get("/api/v1/actions/fetch:plain:file").json()
    assert one["input_schema"]["required"] == ["url", "targetPath"]
    assert one["source"] == "tests"


ROUTES = [
    ("GET", "/api/v1/runs", "eve"),
    ("POST", "/api/v1/runs", "ann"),
    ("POST", "/api/v1/plans", "eve"),
    ("GET", "/api/v1/runs/{id}", "eve"),
    ("GET", "/api/v1/runs/{id}/events", "eve"),
    ("GET", "/api/v1/runs/{id}/stream", "eve"),
    ("GET", "/api/v1/runs/{id}/log.txt", "eve"),
    ("POST", "/api/v1/runs/{id}/cancel", "ann"),
    ("POST", "/api/v1/runs/{id}/retry", "ann"),
    ("GET", "/api/v1/actions", "eve"),
    ("GET", "/api/v1/actions/{action}", "eve"),
]


@pytest.mark.parametrize(("method", "path", "least"), ROUTES)
def test_each_route_asks_who_is_there(client, world, method, path, least):
    run = submit(client, world, [{"id": "one"}])
    ended(client, run)
    url = path.format(id=run["id"], action="debug:log")
    body_of = {"json": body(world, [{"id": "one"}])} if path in ("/api/v1/runs", "/api/v1/plans") else {}
    arguments = body_of if method == "POST" else {}
    assert client.request(method, url, headers={"x-person": "nobody"}, **arguments).status_code == 401
    assert client.request(method, url, headers={"x-person": least}, **arguments).status_code in (200, 201, 409)
    if least == "ann":
        assert client.request(method, url, headers={"x-person": "eve"}, **arguments).status_code == 403
    if path.endswith(("cancel", "retry")):
        assert client.request(method, url, headers={"x-person": "bob"}, **arguments).status_code == 403
        assert client.request(method, url, headers={"x-person": "may"}, **arguments).status_code in (200, 409)


def test_a_secret_in_a_request_is_not_in_the_answer(client, world):
    canary = "canary-91fa-unseen"
    request = body(world, [{"id": "one", "input": {"text": "${{ secrets.token }}"}}])
    request["secrets"] = {"token": canary}
    answer = client.post("/api/v1/runs", json=request)
    assert answer.status_code == 201
    run = answer.json()
    ended(client, run)
    for url in ("", "/events", "/log.txt", "/stream"):
        assert canary not in client.get(f"/api/v1/runs/{run['id']}{url}").text
