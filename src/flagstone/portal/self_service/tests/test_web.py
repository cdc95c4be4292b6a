"""Runs, deployments, repositories and the buttons of entities, as a person meets them."""

from __future__ import annotations

import pytest

from flagstone.foundation.audit import AuditQuery, PortalAudit
from flagstone.kernel.errors import Unavailable
from flagstone.portal.catalog import CatalogQuery, CatalogService
from flagstone.portal.self_service import RunReader
from flagstone.portal.self_service.tests.conftest import REF, Visit
from flagstone.testing.client import Client
from flagstone.testing.portal import PortalApp

ENTITY = "/catalog/component/default/greeter"
VALUES = {
    "name": "gift-wrapping",
    "description": "Wraps gifts",
    "owner": "group:default/payments",
    "repoUrl": "flagstone?owner=acme&repo=gift-wrapping",
    "tier": "tier-3",
    "greeting": "Hello",
}
ACTIONS = "/actions/component/default/greeter"


def test_the_list_of_runs_is_filtered_paged_and_refreshes_itself(owner, gateway, portal):
    for number in range(60):
        gateway.add_run(title=f"Run {number}", state="failed" if number % 2 else "succeeded")
    gateway.add_run(title="Mine", actor=portal.people.developer.principal, state="running", steps_total=4, steps_done=1)
    page = owner.get("/runs")
    assert len(page.select("tbody tr")) == 51
    assert "1/4" in page.text
    assert page.select_one("[data-live]")
    assert len(owner.get(page.select_one(".p-more-row a")["href"]).select("tbody tr")) == 11
    assert [row.select_one("b").text for row in owner.get("/runs?mine=1").select("tbody tr")] == ["Mine"]
    assert {row.select_one(".p-status").text for row in owner.get("/runs?state=failed").select("tbody tr")} == {
        "Failed"
    }
    assert "No run matches" in owner.get("/runs?q=zzz").text
    part = owner.get("/runs?q=Mine", **{"hx-request": "true"})
    assert not part.select("html")
    assert part.select("tbody tr")


def test_a_run_is_found_by_number_and_by_id_and_shows_its_steps(owner, gateway):
    run = gateway.add_run(
        title="Python web service: greeter",
        template_ref="template:default/python-web-service",
        inputs={"name": "greeter", "token": "*" * 8},
        links=[
            {"title": "Open the service", "url": "http://127.0.0.1:7100/"},
            {"title": "Evil", "url": "javascript:alert(1)"},
            {"title": "In the catalog", "entity_ref": REF},
        ],
        output={"text": [{"title": "Next", "content": "Change `app.py` <script>alert(1)</script>"}]},
        steps=[
            {
                "id": "a",
                "index": 0,
                "name": "Do it",
                "action": "debug:log",
                "state": "succeeded",
                "outputs": {"x": "<b>"},
            }
        ],
    )
    page = owner.get(f"/runs/{run.number}")
    assert owner.get(f"/runs/{run.id}").select_one("h1").text == page.select_one("h1").text
    assert page.select_one("run-log")["src"] == f"/runs/{run.number}/stream"
    links = {item.text: item["href"] for item in page.select("#run-head a.p-btn")}
    assert links == {
        "Open the service": "http://127.0.0.1:7100/",
        "In the catalog": "/catalog/" + REF.replace(":", "/"),
        "Run again": f"/create/default/python-web-service?run={run.number}",
    }
    assert '"x": "<b>"' in page.select_one("#step-a").text
    assert not page.select("#step-a b b")
    assert "javascript:" not in str(page)
    assert "alert(1)" not in str(page.select("#run-head script"))
    for part in ("head", "details"):
        assert owner.get(f"/runs/1?part={part}", **{"hx-request": "true"}).select_one(f"#run-{part}")
    owner.get("/runs/999", 404)


def test_a_failed_run_says_first_what_is_wrong_and_offers_to_go_on(owner, gateway):
    error = {
        "detail": "The port is taken.",
        "hint": "Choose another.",
        "code": "x.y",
        "problems": [{"message": "p", "file": "f"}],
        "last_log": ["boom <b>"],
    }
    gateway.add_run(
        state="failed",
        error=error,
        steps=[{"id": "a", "index": 0, "name": "Deploy", "action": "x", "state": "failed", "error": error}],
    )
    page = owner.get("/runs/1")
    alert = page.select_one("#run-head [role=alert]")
    assert "The port is taken." in alert.text
    assert "Choose another." in alert.text
    assert "f: p" in alert.text
    assert alert.select_one("pre").text == "boom <b>"
    button = page.select_one("form[action='/runs/1/retry'] button")
    assert "Retry from “Deploy”" in button.text
    owner.post("/runs/1/retry")
    assert gateway.told == [("retry", "1")]


def test_a_run_that_goes_on_can_be_cancelled_and_a_viewer_cannot(owner, someone, gateway, portal):
    gateway.add_run(state="running")
    assert owner.get("/runs/1").select_one("form[action='/runs/1/cancel'] button:not([disabled])")
    owner.post("/runs/1/cancel")
    assert gateway.told == [("cancel", "1")]
    viewer = someone("viewer")
    assert viewer.get("/runs/1").select_one("form[action='/runs/1/cancel'] button[disabled]")
    viewer.post("/runs/1/cancel", 403)
    rows = portal.deps.get(PortalAudit).list(AuditQuery()).items
    assert any(row.action == "self_service.run.cancel" for row in rows)


def test_a_run_that_waits_says_why(owner, gateway):
    gateway.add_run(state="waiting")
    assert "It waits for something outside" in owner.get("/runs/1").text
    gateway.add_run(state="unknown")
    assert "Look, then retry" in owner.get("/runs/2").text


def test_the_stream_sends_what_there_is_and_goes_on_after_a_lost_line(owner, gateway, events):
    run = gateway.add_run(steps=[{"id": "a", "index": 0, "name": "A", "action": "x", "state": "succeeded"}])
    gateway.run_log[run.id] = events("one", "two <b>\u2028", "three")
    owner.get("/runs/1/stream")
    text = owner.answer.text
    assert owner.answer.headers["content-type"].startswith("text/event-stream")
    assert owner.answer.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in owner.answer.headers
    assert text.count("event: log") == 3
    assert text.endswith("event: end\ndata: {}\n\n")
    owner.get("/runs/1/stream", **{"last-event-id": "3"})
    assert owner.answer.text.count("event: log") == 1
    assert '"n":4' in owner.answer.text
    owner.get("/runs/1/stream?last_event_id=3")
    assert owner.answer.text.count("event: log") == 1
    for nonsense in ("x", "-5", "9" * 40, "²"):
        owner.get("/runs/1/stream", **{"last-event-id": nonsense.encode()})
        assert owner.answer.text.count("event: log") == 3


def test_the_log_is_there_as_text_without_colours(owner, gateway, events):
    run = gateway.add_run()
    gateway.run_log[run.id] = events("\x1b[31mred\x1b[0m", "plain", "\x1b]8;;http://evil\x07link")
    owner.get("/runs/1/log.txt")
    lines = owner.answer.text.splitlines()
    assert lines == [f"2026-01-02T03:04:05Z [a] {text}" for text in ("red", "plain", "link")]
    assert "attachment" in owner.answer.headers["content-disposition"]


def test_the_entity_page_shows_where_it_runs_and_what_can_be_done(owner, deployed, gateway):
    page = owner.get(ENTITY)
    assert not page.select("[data-card-error]")
    card = page.select_one("#deployments-card")
    assert "development" in card.text
    assert "Healthy" in card.text
    assert "r3" in card.text
    assert "cccccccc" in card.text
    assert page.select_one(f"form[action='{ACTIONS}/deploy'] button").text == "Redeploy"
    assert page.select_one("dialog#stop-dep-1")
    assert page.select_one(f"a[href='{ACTIONS}/delete']")
    assert owner.get(f"/deployments/_card?entity={REF}").select_one("#deployments-card")


def test_last_lines_are_shown_when_it_crashed(owner, deployed, gateway):
    crashed = {"state": "crashed", "message": "It ended with code 3.", "last_log": ("Traceback", "<b>boom</b>")}
    gateway.deployments[0] = deployed.model_copy(update=crashed)
    card = owner.get(ENTITY).select_one("#deployments-card")
    assert "It ended with code 3." in card.text
    assert "<b>boom</b>" in card.select_one("pre").text


def test_who_does_not_own_it_sees_why_nothing_can_be_done(stranger, deployed):
    page = stranger.get(ENTITY)
    button = page.select_one("[aria-describedby=actions-why]")
    assert button.has_attr("disabled")
    assert "needs the role maintainer or ownership" in page.select_one("#actions-why").text
    for verb in ("deploy", "stop", "start"):
        stranger.post(f"{ACTIONS}/{verb}", 403)
    stranger.get(f"{ACTIONS}/delete", 403)
    stranger.post(f"{ACTIONS}/delete", 403, confirm="greeter")


def test_redeploying_starts_one_run_even_when_pressed_twice(owner, deployed, gateway):
    page = owner.get(ENTITY)
    form = page.select_one(f"form[action='{ACTIONS}/deploy']")
    fields = {item["name"]: item["value"] for item in form.select("input[name]")}
    for _ in range(2):
        owner.post(f"{ACTIONS}/deploy", **fields)
        assert owner.answer.headers["location"] == "/runs/1"
    (request,) = gateway.requests
    assert request.subjects == (REF,)
    assert request.owner == "group:default/payments"
    assert request.workflow.steps[0].input == {
        "repository": "acme/greeter",
        "environment": "development",
        "entityRef": REF,
    }


def test_an_environment_that_is_not_there_is_refused_before_anything_starts(owner, deployed, gateway):
    page = owner.post(f"{ACTIONS}/deploy", 422, environment="nowhere")
    assert "There are: development, staging." in page.text
    assert gateway.requests == []


def test_promoting_what_runs_to_the_next_environment(owner, deployed, gateway):
    page = owner.get("/catalog/component/default/greeter")
    (form,) = page.select(f"form[action='{ACTIONS}/promote']")
    given = {field["name"]: field["value"] for field in form.select("input[name=source], input[name=environment]")}
    assert given == {"source": "development", "environment": "staging"}
    owner.post(f"{ACTIONS}/promote", **given)
    (request,) = gateway.requests
    assert request.workflow.steps[0].action == "flagstone:promote"
    assert request.workflow.steps[0].input == {"deployment": "dep-1", "environment": "staging"}
    assert request.workflow.title.endswith("from development to staging")
    owner.post(f"{ACTIONS}/promote", 422, environment="mars")
    release = deployed.release.model_copy(update={"id": "older"})
    staging = {"id": "dep-2", "environment": "staging"}
    gateway.deployments.append(deployed.model_copy(update={**staging, "release": release}))
    refused = owner.post(f"{ACTIONS}/promote", 422, source="staging", environment="development")
    assert "does not come after staging" in refused.text
    assert owner.get("/catalog/component/default/greeter").select(f"form[action='{ACTIONS}/promote']")
    gateway.deployments[-1] = deployed.model_copy(update=staging)
    assert not owner.get("/catalog/component/default/greeter").select(f"form[action='{ACTIONS}/promote']")
    gateway.deployments.pop()
    owner.post(f"{ACTIONS}/promote", 404, environment="development")


def test_stopping_and_starting(owner, deployed, gateway):
    owner.post(f"{ACTIONS}/stop", environment="development")
    owner.post(f"{ACTIONS}/start")
    assert [item.workflow.name for item in gateway.requests] == ["stop", "start"]
    assert gateway.requests[1].workflow.steps[0].input == {"deployment": "dep-1"}
    assert "is not deployed to staging" in owner.post(f"{ACTIONS}/stop", 404, environment="staging").text


def test_deleting_shows_what_goes_asks_for_the_name_and_proves_it(owner, deployed, gateway):
    page = owner.get(f"{ACTIONS}/delete")
    assert gateway.requests == []
    assert "This will be removed" in page.text
    digest = page.select_one("[name=digest]")["value"]
    page = owner.post(f"{ACTIONS}/delete", 422, confirm="wrong", digest=digest)
    assert "This is not the name." in page.text
    gateway.salt = "more"
    page = owner.post(f"{ACTIONS}/delete", 409, confirm="greeter", digest=digest)
    assert "has changed since you looked" in page.text
    assert gateway.requests == []
    owner.post(f"{ACTIONS}/delete", confirm="greeter", digest=page.select_one("[name=digest]")["value"])
    steps = gateway.requests[0].workflow.steps
    assert [step.action for step in steps] == [
        "flagstone:undeploy",
        "catalog:unregister",
        "flagstone:repository:delete",
    ]
    assert steps[1].input == {"type": "hosted", "target": "acme/greeter/catalog-info.yaml", "entityRef": REF}
    done = [
        {"id": str(n), "index": n, "name": "x", "action": step.action, "state": "succeeded", "inputs": step.input}
        for n, step in enumerate(steps)
    ]
    gateway.runs[0] = gateway.runs[0].model_copy(update={"workflow": "delete"})
    gateway.add_run(steps=done)
    gateway.deployments.clear()
    proofs = owner.get("/runs/2").select("#run-head .p-checks li")
    assert [("p-pass" in item["class"]) for item in proofs] == [True, False, False]
    assert "still there" in proofs[1].text


def test_the_log_of_a_workload_is_live_and_counts_its_lines(owner, deployed):
    page = owner.get("/deployments/dep-1/log")
    assert page.select_one("run-log")["src"] == "/deployments/dep-1/log/stream"
    owner.get("/deployments/dep-1", 303)
    owner.get("/deployments/dep-1/log/stream")
    text = owner.answer.text
    assert '"n":1' in text
    assert "id: 500.5" in text
    assert text.count("event: log") == 5
    owner.get("/deployments/dep-1/log/stream", **{"last-event-id": "300.3"})
    assert owner.answer.text.count("event: log") == 2
    assert "id: 400.4" in owner.answer.text
    owner.get("/deployments/dep-1/log.txt")
    assert owner.answer.text.splitlines()[0] == "2026-01-02T03:04:05Z line 1 <i>"
    owner.get("/deployments/nothing/log", 404)


def test_repositories_can_be_looked_into(owner):
    assert "acme/greeter" in owner.get("/repositories").text
    page = owner.get("/repositories/acme/greeter")
    assert "git clone http://test/git/acme/greeter.git" in page.text
    assert len(page.select("h1")) == 1
    assert page.select_one(".p-prose a")["href"] == "#greeter" or page.select(".p-prose a")
    links = [item.get("href") for item in page.select(".p-prose a")]
    assert "/repositories/acme/greeter/blob/docs/index.md" in links
    assert not any("etc" in (link or "") for link in links)
    assert not page.select(".p-prose script")
    assert [item.text for item in owner.get("/repositories/acme/greeter/tree/docs").select(".p-list-text a")] == [
        "index.md"
    ]
    assert "<b>hello</b>" in owner.get("/repositories/acme/greeter/blob/app.py").select_one("pre").text
    for missing in ("tree/nothing", "blob/nothing", "blob/../../../etc/passwd"):
        owner.get(f"/repositories/acme/greeter/{missing}", 404)
    owner.get("/repositories/acme/nothing", 404)


def test_home_shows_what_of_mine_runs_and_my_runs(owner, deployed, gateway, portal):
    gateway.add_run(title="What I did", actor=portal.people.developer.principal)
    page = owner.get("/")
    assert "My running services" in page.text
    assert "greeter" in page.text
    assert "What I did" in page.text


def test_a_platform_that_is_down_breaks_only_its_card(owner, gateway, monkeypatch):
    def down(*_arguments):
        raise Unavailable("gateway.down", "The platform does not answer.", hint="Try again.")

    monkeypatch.setattr(gateway, "list_deployments", down)
    page = owner.get(ENTITY)
    assert "The platform does not answer." in page.text
    assert page.select_one("h1")


def test_the_navigation_counts_what_runs(owner, gateway, portal):
    runs = portal.deps.get(RunReader)
    principal = portal.people.developer.principal
    runs._counted = (0.0, None)
    gateway.add_run(state="running")
    assert runs.active_count(principal) == 1
    gateway.runs.clear()
    assert runs.active_count(principal) == 1  # remembered for a moment: it is asked on every page
    runs._counted = (0.0, None)
    assert runs.active_count(principal) is None


@pytest.mark.parametrize("verb", ["deploy", "stop", "start", "delete"])
def test_programs_can_do_it_too(portal, deployed, gateway, verb):
    api = Client(portal.application.asgi, headers=portal.people.developer.headers)
    url = f"/api/v1/entities/component/default/greeter/{verb}"
    answer = api.post(url, json={})
    assert answer.status_code == 202, answer.text
    assert answer.json()["run"]["number"] == 1
    gateway.requests.clear()
    stranger = Client(portal.application.asgi, headers=portal.people.stranger.headers)
    assert stranger.post(url, json={}).status_code == 403
    assert api.post(url, json={"nonsense": 1}).status_code == 422
    assert gateway.requests == []


def test_a_dry_run_of_a_deletion_gives_the_plan(portal, deployed, gateway):
    api = Client(portal.application.asgi, headers=portal.people.developer.headers)
    url = "/api/v1/entities/component/default/greeter"
    plan = api.post(f"{url}/delete", params={"dry_run": "true"}).json()["plan"]
    assert len(plan["steps"]) == 3
    assert gateway.requests == []
    assert api.post(f"{url}/delete", json={"confirm": "other"}).status_code == 422
    assert api.get(f"{url}/deployments").json()["items"][0]["id"] == "dep-1"


def test_what_is_not_hosted_here_cannot_be_deployed(portal):
    api = Client(portal.application.asgi, headers=portal.people.maintainer.headers)
    rows = portal.deps.get(CatalogService).list(CatalogQuery(kinds=("component",), limit=5)).items
    name = next(row.name for row in rows if row.name != "greeter")
    answer = api.post(f"/api/v1/entities/component/default/{name}/deploy", json={})
    assert answer.status_code == 422
    assert answer.json()["code"] == "self_service.not_hosted"


def test_without_a_platform_everything_explains_itself(tmp_path):
    portal = PortalApp(tmp_path / "data")
    try:
        owner = Visit(portal, portal.people.developer)
        for path in ("/create", "/create/default/python-web-service", "/runs", "/repositories", "/"):
            assert "not connected to a platform" in owner.get(path).text, path
        owner.get("/runs/1", 503)
        row = portal.deps.get(CatalogService).list(CatalogQuery(kinds=("component",), limit=1)).items[0]
        assert not owner.get(f"/catalog/{row.path}").select("[data-card-error]")
        answer = Client(portal.application.asgi, headers=portal.people.developer.headers).post(
            "/api/v1/templates/default/python-web-service/plan", json={"values": VALUES}
        )
        assert answer.status_code == 503
        assert answer.json()["code"] == "gateway.no_platform"
    finally:
        portal.stop()
