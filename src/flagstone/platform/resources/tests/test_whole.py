"""The API and the commands, over a whole platform in this process."""

from __future__ import annotations

import importlib
import json
import time
from pathlib import Path

import httpx
import pytest
import typer
from typer.testing import CliRunner

from flagstone.app.build import build
from flagstone.app.rooms import load_settings
from flagstone.contracts.claims import HEADER, sign_actor
from flagstone.platform.resources import cli
from flagstone.platform.resources.tests.world import CHECKOUT, OWNER, STRANGER
from flagstone.testing.client import Client

SECRET = "lanterns-over-quiet-water-and-no-wind"
PEOPLE = {"omar": OWNER, "sam": STRANGER}
SETTINGS = """\
[[resources.definitions]]
name = "costly-volumes"
type = "volume"
driver = "local-volume"
criteria = { environment_type = "development", name = "costly" }
monthly_cost = 4.5
currency = "EUR"
"""


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    folder = tmp_path_factory.mktemp("platform")
    (folder / "flagstone.toml").write_text(SETTINGS)
    overrides = {"server.data_dir": str(folder / "data"), "platform.secret": SECRET}
    made = build(load_settings(folder / "flagstone.toml", environ={}, overrides=overrides), "platform", discover=False)
    made.migrate()
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def call(application):
    """(who, method, path) -> what the API answers."""
    client = Client(application.asgi)

    def call(who, method, path, status=200, **members):
        claim = {HEADER: sign_actor(PEOPLE[who], SECRET)} if who else {}
        answer = client.request(method, path, headers=claim, **members)
        assert answer.status_code == status, answer.text
        return answer.json()

    return call


class Wire(httpx.BaseTransport):
    """Takes the command line's requests to the application; a token is a person's name."""

    def __init__(self, asgi):
        self._client = Client(asgi)

    def handle_request(self, request):
        who = request.headers.get("authorization", "").removeprefix("Bearer ")
        headers = {"accept": request.headers.get("accept", "*/*"), HEADER: sign_actor(PEOPLE[who], SECRET)}
        if request.content:
            headers["content-type"] = "application/json"
        found = self._client.request(request.method, str(request.url), headers=headers, content=request.content)
        kind = {"content-type": found.headers.get("content-type", "")}
        return httpx.Response(found.status_code, headers=kind, content=found.content)


@pytest.fixture
def flagstone(application, monkeypatch):
    """The command line: (who, arguments) -> (exit code, what it printed)."""
    app = typer.Typer()
    cli.register(app)
    session = importlib.import_module("flagstone.toolkit.cli.session")
    monkeypatch.setattr(session._Transport, "value", Wire(application.asgi))

    def call(who, *arguments):
        found = CliRunner().invoke(app, ["resources", *arguments, "--url", "http://127.0.0.1:7070", "--token", who])
        return found.exit_code, found.output

    return call


def ended(call, run):
    deadline = time.monotonic() + 30
    while (found := call("omar", "GET", f"/api/v1/runs/{run['id']}"))["state"] in ("queued", "running"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


WANTED = {"type": "secret", "name": "cookies", "entity_ref": "component:default/shop", "owner": CHECKOUT}


def test_the_api_makes_shows_and_removes(call):
    run = ended(call, call("omar", "POST", "/api/v1/resources", 202, json={**WANTED, "params": {"length": 40}}))
    assert run["state"] == "succeeded", run["error"]
    uid = run["steps"][0]["outputs"]["id"]
    assert run["output"]["links"] == [{"title": "Open the resource", "url": f"/resources/{uid}"}]
    assert run["subjects"] == ["component:default/shop"]
    mine = {"entity_ref": "component:default/shop", "type": "secret"}
    page = call("omar", "GET", "/api/v1/resources", params=mine)
    assert [one["id"] for one in page["items"]] == [uid]
    view = call("sam", "GET", f"/api/v1/resources/{uid}")
    assert (view["state"], view["secret_names"], view["outputs"], view["owner"]) == ("ready", ["value"], {}, CHECKOUT)
    call("sam", "DELETE", f"/api/v1/resources/{uid}", 403)
    call("sam", "POST", "/api/v1/resources", 403, json={**WANTED, "params": {"length": 50}})
    run = ended(call, call("omar", "DELETE", f"/api/v1/resources/{uid}", 202))
    assert run["steps"][0]["outputs"] == {"removed": ["The value is forgotten."]}
    (gone,) = call("omar", "GET", "/api/v1/resources", params={**mine, "state": "removed"})["items"]
    assert gone["id"] == uid
    assert call("omar", "GET", "/api/v1/resources", params=mine)["items"] == []


def test_what_cannot_be_starts_no_run(call):
    before = call("omar", "GET", "/api/v1/runs", params={"count": "true"})["total"]
    for body, status, code in [
        ({**WANTED, "params": {"length": 1}}, 422, "resources.invalid"),
        ({**WANTED, "environment": "mars"}, 404, "environments.not_found"),
        ({**WANTED, "type": "moon"}, 404, "resources.no_such_type"),
        ({**WANTED, "type": "postgres"}, 422, "resources.no_definition"),
    ]:
        assert call("omar", "POST", "/api/v1/resources", status, json=body)["code"] == code
    assert call("omar", "DELETE", "/api/v1/resources/none", 404)["code"] == "resources.not_found"
    assert call("omar", "GET", "/api/v1/runs", params={"count": "true"})["total"] == before


def test_nobody_gets_in_without_signing_in(call):
    for method, path in [
        ("GET", "/api/v1/resources"),
        ("GET", "/api/v1/resource-types"),
        ("GET", "/api/v1/resource-definitions"),
        ("DELETE", "/api/v1/resources/x"),
    ]:
        call(None, method, path, 401)


def test_types_and_definitions_are_listed(call):
    types = {one["name"]: one for one in call("sam", "GET", "/api/v1/resource-types")["items"]}
    assert sorted(types) == ["postgres", "secret", "sqlite", "volume"]
    assert types["postgres"]["secret_outputs"] == ["password"]
    assert types["postgres"]["definitions"] == []
    definitions = call("sam", "GET", "/api/v1/resource-definitions")["items"]
    volumes = [one for one in definitions if one["type"] == "volume"]
    assert [(one["name"], one["origin"], one["monthly_cost"]) for one in volumes] == [
        ("costly-volumes", "settings", "4.5"),
        ("local-volume", "driver", None),
    ]


def test_the_plan_of_a_run_has_the_cost_and_says_what_is_mistyped(call):
    asked = [("development", "costly"), ("development", "free"), ("lvie", "costly")]
    steps = [
        {
            "id": f"s{number}",
            "name": "Ask",
            "action": "flagstone:resource:request",
            "input": {"type": "volume", "name": name, "environment": environment, "owner": CHECKOUT},
        }
        for number, (environment, name) in enumerate(asked)
    ]
    plan = call("omar", "POST", "/api/v1/plans", json={"workflow": {"name": "w", "title": "Ask", "steps": steps}})
    assert plan["cost"] == "4.50 EUR a month"
    (problem,) = plan["problems"]
    assert "no environment named 'lvie'" in problem


def test_a_run_that_fails_takes_back_what_it_asked_for(call):
    steps = [
        ("flagstone:resource:request", {"type": "volume", "name": "files", "entityRef": "cart", "owner": CHECKOUT}),
        ("flagstone:resource:remove", {"resource": "${{ steps.s0.output.id }}-not"}),
    ]
    made = [{"id": f"s{at}", "name": id_, "action": id_, "input": given} for at, (id_, given) in enumerate(steps)]
    workflow = {"name": "w", "title": "Ask", "undo": "on_failure", "steps": made}
    run = ended(call, call("omar", "POST", "/api/v1/runs", 201, json={"workflow": workflow, "owner": CHECKOUT}))
    assert run["error"]["code"] == "resources.not_found"
    view = call("omar", "GET", f"/api/v1/resources/{run['steps'][0]['outputs']['id']}")
    assert view["state"] == "removed"
    assert "is kept as" in view["message"]


def test_the_commands_do_the_same(flagstone):
    code, said = flagstone(
        "omar", "request", "sqlite", "orders-db", "--component", "shop", "--owner", "checkout", "--env", "development"
    )
    assert code == 0, said
    rows = json.loads(flagstone("omar", "list", "--component", "shop", "--json")[1])
    (row,) = rows["items"] if isinstance(rows, dict) else rows
    assert "orders-db" in flagstone("sam", "list", "--type", "sqlite")[1]
    shown = flagstone("omar", "show", row["id"])[1]
    assert f"outputs.path: {row['outputs']['path']}" in shown.replace("\n", "")
    assert "local-sqlite" in flagstone("omar", "definitions")[1]
    assert "nobody" in flagstone("omar", "types")[1]
    assert "password" in flagstone("omar", "types", "postgres")[1]
    assert "no resource type" in flagstone("omar", "types", "moon")[1]
    assert flagstone("sam", "remove", row["id"])[0] == 3
    Path(row["outputs"]["path"]).write_bytes(b"")
    code, said = flagstone("omar", "remove", row["id"], "--json")
    assert code == 0
    assert "is kept as" in json.loads(said)["steps"][0]["outputs"]["removed"][0]
    assert flagstone("omar", "request", "sqlite", "x", "--param", "nonsense")[0] == 2
