"""The JSON API of golden paths."""

from __future__ import annotations

import pytest

from flagstone.testing.client import Client

URL = "/api/v1/templates/default/python-web-service"
VALUES = {
    "name": "gift-wrapping",
    "description": "Wraps gifts",
    "owner": "group:default/platform-engineering",
    "repoUrl": "flagstone?owner=acme&repo=gift-wrapping",
    "tier": "tier-3",
    "greeting": "Hello",
}


@pytest.fixture
def api(portal, gateway):
    gateway.requests.clear()
    gateway.fails, gateway.salt = None, ""
    return lambda name="developer": Client(portal.application.asgi, headers=getattr(portal.people, name).headers)


def test_templates_are_listed_with_what_they_give(api):
    items = api().get("/api/v1/templates").json()["items"]
    assert items[0]["ref"] == "template:default/python-web-service"
    assert items[0]["recommended"]
    assert items[0]["what_you_get"]
    assert items[-1]["deprecated"]


def test_a_template_tells_its_form(api):
    body = api().get(URL).json()
    assert [step["title"] for step in body["steps"]] == ["Service", "Repository and running"]
    assert body["steps"][0]["schema"]["properties"]["name"]["pattern"]
    assert [step["id"] for step in body["actions"]] == ["fetch", "publish", "register", "deploy"]
    assert len(body["version"]) == 64


def test_a_plan_starts_nothing_and_its_digest_guards_the_start(api, gateway):
    plan = api().post(f"{URL}/plan", json={"values": VALUES}).json()
    assert plan["files"][0]["path"] == "app.py"
    assert gateway.requests == []
    gateway.salt = "changed"
    body = {"values": VALUES, "planDigest": plan["digest"]}
    assert api().post(f"{URL}/runs", json=body).status_code == 409
    gateway.salt = ""
    assert api().post(f"{URL}/runs", json=body).status_code == 201


def test_the_same_key_gives_the_same_run(api, gateway):
    body = {"values": VALUES, "idempotencyKey": "once"}
    first, second = (api().post(f"{URL}/runs", json=body).json() for _ in range(2))
    assert first["id"] == second["id"]
    assert len(gateway.requests) == 1


def test_wrong_values_are_all_named_and_nothing_starts(api, gateway):
    answer = api().post(f"{URL}/runs", json={"values": {"name": "Not A Name", "tier": 7}})
    assert answer.status_code == 422
    assert {item["field"] for item in answer.json()["problems"]} >= {"name", "description", "owner", "tier", "repoUrl"}
    assert gateway.requests == []


def test_a_viewer_may_read_and_nothing_else(api):
    assert api("viewer").get(URL).status_code == 200
    assert api("viewer").post(f"{URL}/plan", json={"values": VALUES}).status_code == 403
    assert api("viewer").post(f"{URL}/runs", json={"values": VALUES}).status_code == 403


def test_values_that_are_too_long_are_refused(api):
    answer = api().post(f"{URL}/runs", json={"values": {**VALUES, "description": "x" * 600_000}})
    assert answer.status_code in (413, 422)


def test_unknown_members_of_a_request_are_refused(api):
    assert api().post(f"{URL}/runs", json={"values": VALUES, "actor": "user:admin"}).status_code == 422
