"""Pickers, fields of plugins, files, and answers that are there before somebody types."""

from __future__ import annotations

import json

import pytest

from flagstone.kernel.errors import Conflict, Invalid
from flagstone.portal.golden_paths import FormFieldRegistry, GoldenPathService
from flagstone.portal.golden_paths.tests.conftest import Visit
from flagstone.sdk import FormOption
from flagstone.testing.portal import PortalApp, RecordingGateway

PICKY = """
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: picky, title: Picky}
spec:
  type: service
  owner: group:default/platform-engineering
  parameters:
    title: Everything
    properties:
      service:
        {type: string, ui:field: EntityPicker, ui:options: {catalogFilter: [{kind: Component, spec.type: service}], allowArbitraryValues: false}}
      any: {type: string, ui:field: EntityPicker}
      owner: {type: string, ui:field: OwnerPicker}
      mine: {type: string, ui:field: OwnedEntityPicker, ui:options: {catalogFilter: {kind: Component}}}
      tags: {type: array, ui:field: EntityTagsPicker, ui:options: {showCounts: true, kinds: [Component]}, items: {type: string}}
      repoUrl: {type: string, ui:field: RepoUrlPicker, ui:options: {requestUserCredentials: {secretsKey: TOK}}}
      branch: {type: string, ui:field: RepoBranchPicker}
      project: {type: string, ui:field: RepoOwnerPicker, ui:options: {excludedOwners: [secret]}}
      cost: {type: string, ui:field: CostCentre, ui:options: {prefix: K-}}
      tier: {type: string, ui:options: {fromEntity: spec.lifecycle}}
      logo: {type: string, format: data-url}
      beta: {type: string, ui:backstage: {featureFlag: beta}}
  steps: [{id: a, action: debug:log, input: {message: "${{ parameters.service }}"}}]
---
apiVersion: scaffolder.backstage.io/v1beta3
kind: Template
metadata: {name: broken, title: Broken}
spec:
  type: service
  owner: group:default/platform-engineering
  parameters: {properties: {name: {type: string, pattern: "(a)\\\\1"}}}
  steps: [{id: a, action: debug:log, input: {message: "${{ parameters.name"}}]
"""
PATH = "/create/default/picky"


class CostCentre:
    """What a plugin brings."""

    id = "CostCentre"
    control = "search"
    description = "A cost centre of the company."

    def options(self, ctx, text, limit):
        names = [f"{ctx.settings['prefix']}{number}" for number in range(100, 200)]
        return [FormOption(name, f"Centre {name}", "open") for name in names if text in name][:limit]

    def check(self, ctx, value):
        return None if str(value).startswith(ctx.settings["prefix"]) else "That is no cost centre."


@pytest.fixture(scope="module")
def gateway():
    return RecordingGateway()


@pytest.fixture(scope="module")
def portal(tmp_path_factory, gateway):
    folder = tmp_path_factory.mktemp("pickers")
    file = folder / "picky.yaml"
    file.write_text(PICKY)
    app = PortalApp(folder / "data", gateway, [("file", str(file))])
    registry = app.deps.get(FormFieldRegistry)
    registry._frozen = False
    registry.add(CostCentre(), "acme")
    registry.freeze()
    yield app
    app.stop()


@pytest.fixture
def visit(portal, gateway):
    gateway.requests.clear()
    return Visit(portal, portal.people.developer)


@pytest.fixture
def paths(portal):
    return portal.deps.get(GoldenPathService)


def offered(visit, field, q="", **more):
    page = visit.post(f"{PATH}/_options", {"field": field, "q": q, **more}, 200, **{"hx-request": "true"})
    return [item["data-value"] for item in page.select("[role=option][data-value]")], page


def test_a_picker_offers_what_its_filter_allows_page_by_page(visit):
    services, page = offered(visit, "service")
    assert "component:default/payments" in services
    assert "component:default/design-system" not in services  # a library
    everything, page = offered(visit, "any")
    assert len(everything) == 20
    more = page.select_one("[data-more]")["data-more"]
    following, _ = offered(visit, "any", cursor=more)
    assert following
    assert not set(following) & set(everything)
    assert offered(visit, "owner", "platform eng")[0][0] == "group:default/platform-engineering"
    assert "Nothing matches" in offered(visit, "service", "zzzz")[1].text
    assert offered(visit, "nope")[0] == []


def test_tags_and_fields_of_plugins_are_offered_too(visit):
    tags, page = offered(visit, "tags", "pyt")
    assert tags == ["python"]
    assert "entities" in page.text
    assert offered(visit, "cost", "K-15")[0][:2] == ["K-150", "K-151"]
    assert len(offered(visit, "cost")[0]) == 20


def test_branches_and_projects_of_the_built_in_hosting_are_offered(visit, gateway):
    gateway.files = {"acme/site": {}, "secret/site": {}}
    assert offered(visit, "project")[0] == ["acme"]
    assert "Fill in the repository first" in offered(visit, "branch")[1].text


def test_what_may_not_be_chosen_is_refused_also_by_the_api(visit, paths, portal):
    path, dora = paths.get("default", "picky"), portal.people.developer.principal
    wrong = {"service": "component:default/design-system", "cost": "nothing", "mine": "component:default/payments"}
    with pytest.raises(Invalid) as caught:
        paths.plan(dora, path, wrong, {})
    assert {problem.field: problem.message for problem in caught.value.problems} == {
        "service": "component:default/design-system is not one of those that can be chosen here.",
        "cost": "That is no cost centre.",
        "mine": "You do not own component:default/payments.",
    }
    assert paths.plan(dora, path, {"service": "component:default/payments", "cost": "K-1"}, {}).digest
    visit.get(PATH)
    visit.send(422, service="component:default/none", _action="next")
    assert "There is no component:default/none" in visit.errors()["service"]


def test_a_field_behind_a_feature_flag_is_not_there(visit):
    assert visit.get(PATH).select_one("[name=beta]") is None


def test_a_file_is_posted_kept_and_bounded(visit):
    page = visit.get(PATH)
    assert page.select_one("form#wizard")["enctype"] == "multipart/form-data"
    fields = [(name, (None, value)) for name, value in visit.fields(_action="next")]
    files = [*fields, ("logo", ("logo.txt", b"hello", "text/plain"))]
    answer = visit.http.post(PATH, files=files)
    assert answer.status_code == 303, answer.text[:2000]
    page = visit.get(answer.headers["location"].replace("step=1", "step=0"))
    assert "logo.txt" in page.text
    draft = page.select_one("[name=_draft]")["value"]
    assert "logo.txt" in visit.get(f"{PATH}?draft={draft}&step=1").text
    large = [*fields, ("logo", ("logo.bin", b"x" * 300_000, "application/octet-stream"))]
    answer = visit.http.post(PATH, files=large)
    assert answer.status_code == 422
    assert "too large to be filled in" in answer.text


def test_a_run_is_started_again_with_its_answers_and_remembered_as_such(visit, gateway, portal):
    run = gateway.add_run(
        template_ref="template:default/picky", inputs={"any": "component:default/cart", "token": "***", "tier": "gold"}
    )
    page = visit.get(f"{PATH}?run={run.number}")
    assert f"as in run #{run.number}" in page.text
    assert page.select_one("[name=tier]")["value"] == "gold"
    visit.send(_action="next")
    visit.get(visit.location + "&plan=now")
    visit.send(_action="create")
    assert gateway.requests[-1].rerun_of == run.id
    other = gateway.add_run(template_ref="template:default/bare")
    assert "was not started from Picky" in visit.get(f"{PATH}?run={other.number}", 404).text


def test_an_entity_fills_in_what_it_tells(visit):
    page = visit.get(f"{PATH}?entity=component:default/payments")
    given = json.loads(page.select_one("[name=_prefill]")["value"])
    assert given["service"] == "component:default/payments"
    assert given["owner"] == "group:default/checkout"
    assert given["tier"] == "production"
    assert "any" not in given  # one picker only
    assert "There is no component:default/zzz" in visit.get(f"{PATH}?entity=component:default/zzz", 404).text


def test_a_template_that_cannot_run_says_where_it_is_wrong_and_is_not_started(visit, paths, portal):
    page = visit.get("/create/default/broken")
    assert "cannot be started as it is written" in page.text
    assert "spec.steps[0].input.message" in page.text
    page = visit.get("/create/default/broken/about")
    assert "picky.yaml:" in page.text
    with pytest.raises(Invalid) as caught:
        paths.plan(portal.people.developer.principal, paths.get("default", "broken"), {}, {})
    assert {problem.field for problem in caught.value.problems} == {
        "spec.parameters.properties.name.pattern",
        "spec.steps[0].input.message",
    }


def test_the_gallery_is_filtered_by_type_owner_tag_and_stars(visit):
    def shown(query):
        return [item.text.strip() for item in visit.get(f"/create?{query}").select(".p-gallery-card h2")]

    assert "Scheduled job" in shown("type=job")
    assert "Picky" not in shown("type=job")
    assert shown("tag=documentation") == ["Static documentation site"]
    assert len(shown("owner=group:default/platform-engineering")) >= 4
    assert shown("owner=group:default/checkout") == []
    assert shown("starred=1") == []
    visit.post("/catalog/template/default/picky/star", {}, 200, **{"hx-request": "true"})
    assert shown("starred=1") == ["Picky"]


def test_the_page_of_a_golden_path_tells_how_its_runs_went(visit, gateway):
    gateway.runs = [run for run in gateway.runs if run.template_ref != "template:default/python-web-service"]
    for state in ("succeeded", "succeeded", "succeeded", "failed"):
        gateway.add_run(template_ref="template:default/python-web-service", state=state)
    page = visit.get("/create/default/python-web-service/about")
    assert "75 %" in page.text
    assert "Lower-case letters, digits and single hyphens." in page.text


def test_two_plugins_cannot_bring_the_same_field():
    registry = FormFieldRegistry()
    registry.add(CostCentre(), "acme")
    with pytest.raises(Conflict, match="CostCentre"):
        registry.add(CostCentre(), "other")
    bad = CostCentre()
    bad.id, bad.control = "Other", "slider"
    with pytest.raises(Invalid, match="slider"):
        registry.add(bad, "acme")
    bad.id = "OwnerPicker"
    with pytest.raises(Conflict, match="flagstone"):
        registry.add(bad, "acme")


def test_templates_are_checked_and_previewed_over_the_api(portal):
    http = portal.client(portal.people.developer)
    text = PICKY.partition("---")[2]
    answer = http.post("/api/v1/templates/check", json={"template": text, "file": "t.yaml"}).json()
    assert not answer["valid"]
    assert {"spec.steps[0].input.message"} <= {item["place"] for item in answer["findings"]}
    assert all(item["line"] for item in answer["findings"])
    assert http.get("/api/v1/templates/default/python-web-service/check").json() == {"valid": True, "findings": []}
    good = PICKY.partition("---")[0]
    plan = http.post("/api/v1/templates/preview", json={"template": good, "values": {"tier": "x"}})
    assert plan.status_code == 200, plan.text
    assert plan.json()["steps"][0]["action"] == "debug:log"
    assert http.post("/api/v1/templates/preview", json={"template": "a: 1"}).status_code == 422
