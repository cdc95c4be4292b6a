"""Day-2 actions: golden paths that are attached to entities appear on their pages and are filled in from them."""

from __future__ import annotations

import json

import pytest

from flagstone.kernel.errors import Invalid
from flagstone.portal.golden_paths import GoldenPathService, check_text
from flagstone.testing.people import OWNERS
from flagstone.testing.portal import PortalApp, RecordingGateway

from .conftest import Visit

TEMPLATE = f"""
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {{name: rotate, title: Rotate the secret}}
spec:
  type: operation
  owner: {OWNERS}
  attachTo:
    - {{kind: component, spec.type: vault}}
    - {{kind: resource, metadata.tags: secret}}
  parameters:
    title: Secret
    required: [name, owner]
    properties:
      name: {{type: string, ui:options: {{fromEntity: metadata.name}}}}
      owner: {{type: string, ui:options: {{fromEntity: spec.owner}}}}
      reason: {{type: string, title: Why}}
  steps: [{{id: a, action: "debug:log"}}]
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: keys, title: The keys}}
spec: {{type: vault, lifecycle: production, owner: "{OWNERS}"}}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: plain}}
spec: {{type: odd, lifecycle: production, owner: "{OWNERS}"}}
"""
KEYS = "component:default/keys"


@pytest.fixture(scope="module")
def gateway():
    return RecordingGateway()


@pytest.fixture(scope="module")
def portal(tmp_path_factory, gateway):
    folder = tmp_path_factory.mktemp("portal")
    (folder / "rotate.yaml").write_text(TEMPLATE)
    app = PortalApp(folder / "data", gateway, [("file", str(folder / "rotate.yaml"))])
    yield app
    app.stop()


@pytest.fixture
def visit(portal, gateway):
    gateway.requests.clear()
    return Visit(portal, portal.people.developer)


def test_the_page_of_an_entity_that_fits_has_the_button_and_others_do_not(portal, visit):
    page = visit.get("/catalog/component/default/keys")
    assert page.select_one('a[href="/create/default/rotate?entity=component%3Adefault/keys"]') is not None
    assert "Rotate the secret" not in visit.get("/catalog/component/default/plain").text
    viewer = Visit(portal, portal.people.viewer)
    assert "Rotate the secret" not in viewer.get("/catalog/component/default/keys").text


def test_the_form_is_filled_in_from_the_entity_and_the_run_is_about_it(visit, gateway):
    visit.get(f"/create/default/rotate?entity={KEYS}")
    assert visit.page.select_one('input[name="name"]')["value"] == "keys"
    assert "The keys" in visit.page.select_one("main").text
    visit.send(_action="next", reason="leaked")
    visit.get(visit.location + "&plan=now")
    visit.send(_action="create")
    (request,) = gateway.requests
    assert request.inputs == {"name": "keys", "owner": OWNERS, "reason": "leaked"}
    assert (request.subjects, request.owner) == ((KEYS,), OWNERS)


def test_the_api_takes_the_entity_too(visit, gateway):
    headers = {"Accept": "application/json"}
    path = "/api/v1/templates/default/rotate/runs"
    answer = visit.http.post(path, json={"entity": KEYS, "values": {"reason": "old"}}, headers=headers)
    assert answer.status_code == 201, answer.text
    assert gateway.requests[0].inputs["name"] == "keys"
    assert gateway.requests[0].subjects == (KEYS,)
    wrong = {"entity": "component:default/plain", "values": {}}
    refused = visit.http.post(path, json=wrong, headers=headers)
    assert refused.json()["code"] == "golden_paths.not_attached"
    planned = visit.http.post("/api/v1/templates/default/rotate/plan", json={"entity": KEYS}, headers=headers)
    assert planned.status_code == 200


def test_another_entity_cannot_be_smuggled_into_a_draft(portal, visit, gateway):
    visit.get(f"/create/default/rotate?entity={KEYS}")
    visit.send(_action="next", _entity="component:default/plain")
    assert "is not for component:default/plain" in visit.get(visit.location + "&plan=now").text
    assert gateway.requests == []
    paths = portal.deps.get(GoldenPathService)
    path = paths.get("default", "rotate")
    with pytest.raises(Invalid):
        paths.request(path, {"name": "x", "owner": OWNERS}, {}, entity_ref="component:default/nothing")


@pytest.mark.parametrize("given", ["yes", [], ["kind"], {}])
def test_a_filter_that_is_none_is_told_to_the_author(given):
    text = TEMPLATE.split("---", maxsplit=1)[0].replace(
        "    - {kind: component, spec.type: vault}\n    - {kind: resource, metadata.tags: secret}\n", ""
    )
    found = check_text(text.replace("  attachTo:\n", f"  attachTo: {json.dumps(given)}\n"), "template.yaml", None)
    wrong = [item for item in found if "attachTo" in str(item)]
    assert bool(wrong) == (given != []), found
