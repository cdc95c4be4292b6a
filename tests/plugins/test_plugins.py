"""Strangers' plugins: each extension kind works, and a broken one takes nothing down."""

from __future__ import annotations

import pytest

from flagstone.app.build import build
from flagstone.app.rooms import load_settings
from flagstone.foundation.identity import IdentityService
from flagstone.kernel.errors import Conflict
from flagstone.testing.client import Client
from flagstone.testing.server import wait_until
from tests.plugins import broken, dummy

HTML = {"Accept": "text/html"}


@pytest.fixture
def start(tmp_path):
    """Builds and starts an application with plugins; gives a client of the administrator."""
    running = []

    def begin(settings=None, **plugins):
        overrides = {"server.data_dir": str(tmp_path / "data"), "server.port": 7199, **(settings or {})}
        app = build(load_settings(None, environ={}, overrides=overrides), discover=False, plugins=plugins)
        app.migrate()
        token_file = tmp_path / "token"
        app.deps.get(IdentityService).ensure_bootstrap("http://test")
        app.deps.get(IdentityService).bootstrap_token(token_file)
        app.start()
        running.append(app)
        token = token_file.read_text().strip()
        client = Client(app.asgi, base_url="http://127.0.0.1:7199", headers={"Authorization": f"Bearer {token}"})
        wait_until(lambda: client.get("/readyz").status_code == 200, 30, "the server to be ready")
        return client

    yield begin
    for app in running:
        app.stop()


def wait_for_run(client, run_id):
    def ended():
        run = client.get(f"/api/v1/runs/{run_id}").json()
        return run if run["state"] in ("succeeded", "failed", "unknown") else None

    return wait_until(ended, 30, "the run to end")


def test_every_extension_kind_of_a_plugin_works(start):
    client = start(dummy=dummy)
    workflow = {
        "name": "greet",
        "title": "Greet",
        "steps": [{"id": "greet", "name": "Greet", "action": "dummy:greet", "input": {"name": "Ada"}}],
    }
    run = wait_for_run(client, client.post("/api/v1/runs", json={"workflow": workflow}).json()["id"])
    assert run["steps"][0]["outputs"] == {"greeting": "Hello Ada"}

    registered = client.post("/api/v1/locations", json={"type": "dummy", "target": "everything"})
    assert registered.status_code < 300, registered.text
    found = wait_until(
        lambda: client.get("/api/v1/entities", params={"kind": "pipeline"}).json()["items"],
        10,
        "the entity of the dummy",
    )
    assert [item["metadata"]["name"] for item in found] == ["nightly"]
    page = client.get("/catalog/pipeline/default/nightly", headers=HTML)
    assert "The dummy greets nightly." in page.text

    home = client.get("/", headers=HTML).text
    assert "The dummy greets everybody." in home
    assert 'href="/dummies"' in home
    plugins = client.get("/admin/plugins", headers=HTML).text
    types = {one["name"]: one for one in client.get("/api/v1/resource-types").json()["items"]}
    assert (types["greeting"]["definitions"], types["greeting"]["source"]) == (["dummy-greetings"], "dummy")
    for word in (
        "dummy",
        "actions",
        "entity kinds",
        "entity sources",
        "runtimes",
        "resource drivers",
        "ui cards",
        "run gateways",
    ):
        assert word in plugins


def test_a_gateway_of_a_plugin_can_be_chosen(start):
    client = start({"platform.gateway": "dummy"}, dummy=dummy)
    assert "not connected to a platform" in client.get("/", headers=HTML).text


def test_an_unknown_gateway_is_refused_and_the_known_ones_are_named(start):
    with pytest.raises(Exception, match=r"dummy.*local|local.*none"):
        start({"platform.gateway": "nonsense"}, dummy=dummy)


def test_a_plugin_that_fails_in_every_hook_is_named_and_the_server_works(start):
    client = start(broken=broken.Broken(), dummy=dummy)
    assert client.get("/readyz").status_code == 200
    assert "The dummy greets everybody." in client.get("/", headers=HTML).text
    page = client.get("/admin/plugins", headers=HTML).text
    assert "the flux capacitor is missing" in page
    assert "Plugin broken failed" in client.get("/admin", headers=HTML).text


def test_a_card_that_fails_shows_a_box_and_its_neighbours_stay(start):
    client = start(late=broken.LateBroken(), dummy=dummy)
    answer = client.get("/", headers=HTML)
    assert answer.status_code == 200
    assert "The dummy greets everybody." in answer.text
    assert "broken.card" in answer.text or "could not be shown" in answer.text
    assert "flux capacitor" not in answer.text, "what went wrong inside is for the log"


def test_a_plugin_with_an_unknown_hook_is_left_out_with_a_reason(start):
    client = start(unknown=broken.UnknownHook())
    assert client.get("/readyz").status_code == 200
    assert "flagstone_register_nonsense" in client.get("/admin/plugins", headers=HTML).text


def test_two_plugins_with_one_action_id_refuse_to_start_and_both_are_named(start):
    class Second:
        flagstone_register_actions = staticmethod(dummy.flagstone_register_actions)

    with pytest.raises(Conflict) as refused:
        start(dummy=dummy, second=Second())
    assert "dummy" in str(refused.value)
    assert "second" in str(refused.value)
