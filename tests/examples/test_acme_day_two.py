"""What the example organisation does after the first run: a day-2 action, a change on a repository that is there, a
scheduled run. Both rooms in this process, real runs, real git.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from flagstone.app.build import build
from flagstone.app.rooms import load_settings
from flagstone.contracts.gateway import DeploymentQuery, RunGateway, RunQuery
from flagstone.contracts.repositories import MergeChangeRequest
from flagstone.contracts.resources import ResourceQuery
from flagstone.contracts.runs import ENDED, RunRequest, RunView
from flagstone.contracts.triggers import NewTrigger
from flagstone.contracts.workflows import delete_workflow
from flagstone.entrypoints.datafolder import DataFolder
from flagstone.entrypoints.example import expect_triggers, make_triggers
from flagstone.foundation.events import PlatformEvents
from flagstone.foundation.identity import IdentityService
from flagstone.kernel.actor import Principal
from flagstone.portal.catalog import CatalogService
from flagstone.portal.golden_paths import GoldenPathService, read_plan
from flagstone.portal.golden_paths.web.plans import plan_files
from flagstone.portal.schedules import ScheduleService
from flagstone.portal.upgrades import UpgradeService
from flagstone.testing.client import Client
from flagstone.testing.people import CHEAP, Person, people
from flagstone.toolkit.db import PlatformDatabase

OWNERS = "group:default/checkout"
ADA = Principal("user", "user:ada", "Ada", "developer", "user:default/ada", frozenset({OWNERS}))
ROOT = Principal("user", "user:root", "Root", "admin", "user:default/root")
URL = "flagstone?owner=acme&repo=gift-wrapping"
SERVICE = {
    "name": "gift-wrapping",
    "description": "Wraps gifts",
    "owner": OWNERS,
    "repoUrl": URL,
    "tier": "tier-3",
    "greeting": "Hello",
}


class Acme:
    """The example organisation with a service that a golden path made."""

    def __init__(self, folder: Path, acme: Path) -> None:
        overrides = {
            "server.data_dir": str(folder / "data"),
            "catalog.extra_locations": [{"type": "file", "target": str(acme / "catalog-info.yaml")}],
            "sources.allowed_folders": [str(acme)],
            "identity.password_memory_kib": CHEAP.password_memory_kib,
            "identity.password_rounds": CHEAP.password_rounds,
        }
        self.app = build(load_settings(None, environ={}, overrides=overrides), discover=False)
        self.app.migrate()
        self.app.start()
        self.until(lambda: not self.app.waiting_for())
        self.gateway: Any = self.app.deps.get(RunGateway)  # type: ignore[type-abstract]
        self.paths = self.app.deps.get(GoldenPathService)
        self.mona: Person = people(self.app.deps.get(IdentityService)).maintainer
        path = self.paths.get("default", "python-web-service")
        request = self.paths.request(path, SERVICE, {}, principal=ADA)
        steps = tuple(step for step in request.workflow.steps if step.action != "flagstone:deploy")
        definition = request.workflow.model_copy(update={"steps": steps, "output": {}})
        self.ended(self.gateway.submit(request.model_copy(update={"workflow": definition}), ADA))
        catalog = self.app.deps.get(CatalogService)
        self.until(lambda: catalog.find("component:default/gift-wrapping"))

    def until(self, holds: Callable[[], Any]) -> Any:
        """What holds, once it does."""
        deadline = time.monotonic() + 60
        while not (found := holds()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return found

    def ended(self, run: RunView) -> RunView:
        """The run, once it has succeeded."""
        self.until(lambda: self.gateway.get_run(run.id, ADA).state in ENDED)
        found: RunView = self.gateway.get_run(run.id, ADA)
        assert found.state == "succeeded", found.error
        return found

    def browser(self) -> Client:
        """Mona's."""
        return Client(self.app.asgi, headers={**self.mona.headers, "Accept": "text/html"})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, acme: Path) -> Iterator[Acme]:
    """Shared: it takes seconds."""
    found = Acme(tmp_path_factory.mktemp("acme"), acme)
    yield found
    found.app.stop()


def test_the_page_of_the_service_offers_a_runbook_that_opens_a_change_request(world: Acme) -> None:
    page = world.browser().get("/catalog/component/default/gift-wrapping")
    assert "Add a runbook" in page.text
    answer = world.browser().post(
        "/api/v1/templates/default/add-runbook/runs",
        json={"entity": "component:default/gift-wrapping", "values": {"firstStep": "Look at the log first."}},
        headers={"Accept": "application/json"},
    )
    assert answer.status_code == 201, answer.text
    run = world.ended(RunView.model_validate(answer.json()))
    assert run.subjects == ("component:default/gift-wrapping",)
    assert (run.inputs["repoUrl"], run.inputs["owner"]) == (URL, OWNERS)
    (change,) = [
        item for item in world.gateway.list_changes("acme/gift-wrapping", ADA).items if item.branch == "add-runbook"
    ]
    detail = world.gateway.get_change("acme/gift-wrapping", change.number, ADA)
    assert [file.path for file in detail.files] == ["docs/runbook.md"]
    text = world.gateway.repository_file("acme/gift-wrapping", "docs/runbook.md", ADA, commit=change.head).text
    assert "Look at the log first." in text


def test_a_decision_is_proposed_to_a_repository_that_is_there(world: Acme) -> None:
    values = {"number": 7, "title": "Ribbons are red", "decision": "Because people like them.", "repoUrl": URL}
    run = world.paths.start(ADA, world.paths.get("default", "record-decision"), values, {})
    world.ended(run)
    changes = world.gateway.list_changes("acme/gift-wrapping", ADA).items
    (change,) = [item for item in changes if item.title == "Decision 7: Ribbons are red"]
    detail = world.gateway.get_change("acme/gift-wrapping", change.number, ADA)
    assert [file.path for file in detail.files] == ["docs/decisions/7.md"]


def test_the_review_shows_what_would_change_in_a_repository_that_is_there(world: Acme) -> None:
    steps = [
        {"id": "fetch", "name": "Fetch", "action": "fetch:plain", "input": {"url": "hosted:acme/gift-wrapping/"}},
        {
            "id": "edit",
            "name": "Edit",
            "action": "roadiehq:utils:fs:replace",
            "input": {"files": [{"file": "README.md", "find": "gift", "replaceWith": "present"}]},
        },
        {
            "id": "add",
            "name": "Add",
            "action": "roadiehq:utils:fs:write",
            "input": {"path": "NOTES.md", "content": "x"},
        },
        {
            "id": "propose",
            "name": "Propose",
            "action": "publish:git:pull-request",
            "input": {"repoUrl": URL, "branchName": "words", "title": "Other words", "description": ""},
        },
    ]
    workflow = {"name": "words", "title": "Other words", "steps": steps}
    plan = world.gateway.plan(RunRequest.model_validate({"workflow": workflow}), ADA)
    assert plan.problems == ()
    files = {file.path: file for file in plan.files}
    assert {path: file.op for path, file in files.items()} == {"NOTES.md": "create", "README.md": "change"}
    assert "gift" in str(files["README.md"].before)
    assert "present" in str(files["README.md"].text)
    facts = read_plan(plan)
    assert facts.sentence == "This will create 1 file, and change 1 file and 1 repository"
    assert [group.title for group in facts.groups] == ["Repository"], "differences stand in the tree of files"
    (readme,) = [entry for entry in plan_files(plan) if entry.before]
    assert {"add", "remove", "same"} <= {line.kind for line in readme.lines}


def test_a_report_is_put_on_a_schedule_from_its_review_and_run(world: Acme) -> None:
    browser = world.browser()
    form = {"_step": "0", "_action": "next", "_shown": "entity", "entity": "component:default/gift-wrapping"}
    moved = browser.post("/create/default/ownership-report", data=form)
    review = browser.get(f"{moved.headers['location']}&plan=now")
    assert "On a schedule" in review.text
    assert "This would fail" not in review.text
    draft = parse_qs(urlsplit(moved.headers["location"]).query)["draft"][0]
    assert "Weekdays at 6:00" in browser.get(f"/schedules/new?template=default/ownership-report&draft={draft}").text
    wanted = {
        "template": "default/ownership-report",
        "draft": draft,
        "title": "Who owns it",
        "timezone": "Europe/Berlin",
    }
    wrong = browser.post("/schedules/new", data={**wanted, "cron": "every day"})
    assert (wrong.status_code, "a schedule has five fields" in wrong.text) == (422, True)
    made = browser.post("/schedules/new", data={**wanted, "cron": "0 7 * * 1", "spread": "5"})
    assert made.status_code == 303, made.text
    page = made.headers["location"]
    assert "Europe/Berlin" in browser.get(page).text
    started = browser.post(f"{page}/run")
    run = world.ended(world.gateway.get_run(started.headers["location"].rpartition("/")[2], ADA))
    assert (run.trigger, run.triggered_by) == ("schedule", page.rpartition("/")[2])
    assert f"is owned by {OWNERS}" in str(run.output) + str([step.inputs for step in run.steps])
    assert f"#{run.number}" in browser.get(page).text
    assert browser.post(f"{page}/pause").status_code == 303
    listed = browser.get("/schedules").text
    assert "Who owns it" in listed
    assert "paused" in listed
    browser.post(f"{page}/delete")
    assert browser.get(page).status_code == 404
    assert world.gateway.list_runs(RunQuery(triggered_by=page.rpartition("/")[2]), ADA).items


def test_an_event_trigger_is_made_in_the_portal_changed_paused_and_shows_what_it_started(world: Acme) -> None:
    browser = world.browser()
    assert "Ownership report" in browser.get("/schedules/events/new").text
    page = browser.get("/schedules/events/new?template=default/ownership-report")
    assert "repository.change.merged" in page.text
    answer = {"in.entity": "component:default/${{ event.data.repository.split('/')[1] }}"}
    wanted: dict[str, Any] = {
        "template": "default/ownership-report",
        "title": "Who owns what was pushed",
        "event_type": "repository.pushed",
        "place": ["data.repository", "data.branch", ""],
        "wanted": ["acme/gift-*", '["main", "release/*"]', ""],
    }
    wrong = browser.post("/schedules/events/new", data={**wanted, "event_type": "", "in.entity": ""})
    assert wrong.status_code == 422
    assert "choose what it waits for" in wrong.text
    assert "acme/gift-*" in wrong.text
    bad = browser.post("/schedules/events/new", data={**wanted, "in.entity": "::"})
    assert (bad.status_code, "Choose one from the list" in bad.text) == (422, True)
    made = browser.post("/schedules/events/new", data={**wanted, **answer})
    assert made.status_code == 303, made.text
    href = made.headers["location"]
    ident = href.rpartition("/")[2]
    trigger = world.gateway.get_trigger(ident, ADA)
    assert trigger.conditions == {"data.repository": "acme/gift-*", "data.branch": ["main", "release/*"]}
    assert "No event that fits has come yet" in browser.get(href).text
    events = world.app.deps.get(PlatformEvents)
    with world.app.deps.get(PlatformDatabase).write():
        for repository in ("acme/gift-wrapping", "acme/other"):
            events.publish("repository.pushed", repository, {"repository": repository, "branch": "main"})
    (firing,) = world.until(lambda: world.gateway.get_trigger(ident, ADA).firings)
    run = world.gateway.get_run(firing.run_id, ADA)
    world.until(lambda: world.gateway.get_run(run.id, ADA).state in ENDED)
    assert (run.trigger, run.inputs) == ("event", {"entity": "component:default/gift-wrapping"})
    page = browser.get(href)
    assert f"/runs/{run.number}" in page.text
    assert "acme/gift-wrapping" in page.text
    assert "release/*" in browser.get(f"{href}/edit").text
    edited = {**wanted, "title": "Renamed", "event_type": "repository.deleted"}
    assert browser.post(f"{href}/edit", data=edited).status_code == 303
    assert world.gateway.get_trigger(ident, ADA).event_type == "repository.deleted"
    assert browser.post(f"{href}/pause").status_code == 303
    assert "Renamed" in browser.get("/schedules?kind=event").text
    assert "Renamed" not in browser.get("/schedules?kind=schedule").text
    assert browser.post(f"{href}/delete").status_code == 303
    assert browser.get(href).status_code == 404


def test_a_schedule_says_that_its_golden_path_is_newer_and_is_moved_on_after_a_look(world: Acme) -> None:
    browser = world.browser()
    path = world.paths.get("default", "ownership-report")
    request = world.paths.request(path, {"entity": "component:default/gift-wrapping"}, {}, principal=ADA)
    older = request.workflow.model_copy(update={"version": "older"})
    gone = request.model_copy(update={"workflow": older, "inputs": {"about": "what the form asked for once"}})
    parameters = {"properties": {"about": {"type": "string"}}}
    gone = gone.model_copy(update={"workflow": older.model_copy(update={"parameters": parameters, "steps": ()})})
    made = world.gateway.create_trigger(NewTrigger(title="Weekly", cron="0 7 * * 1", request=gone), ADA)
    href = f"/schedules/{made.id}"
    page = browser.get(href).text
    assert "There is a newer version of Ownership report" in page
    assert "Its answers do not fit the newer version" in page
    assert "Fill in" in browser.get(f"{href}/version").text
    refused = browser.post(f"{href}/version", data={"_action": "use", "in.entity": ""})
    assert refused.status_code == 422
    assert world.gateway.get_trigger(made.id, ADA).template_version == "older"
    api = {"Accept": "application/json"}
    seen = browser.get(f"/api/v1/schedules/{made.id}/version", headers=api).json()
    assert (seen["newer"], seen["current"], seen["newest"]) == (True, "older", path.version)
    assert seen["problems"]
    answer = {"in.entity": "component:default/gift-wrapping"}
    looked = browser.post(f"{href}/version", data={**answer, "_action": "check"})
    assert "Each run would do 2 steps" in looked.text
    planned = browser.post(
        f"/api/v1/schedules/{made.id}/version/plan", json={"values": {"entity": answer["in.entity"]}}, headers=api
    )
    assert [step["action"] for step in planned.json()["plan"]["steps"]] == ["catalog:fetch", "debug:log"]
    assert browser.post(f"{href}/version", data={**answer, "_action": "use"}).status_code == 303
    moved = world.gateway.get_trigger(made.id, ADA)
    assert (moved.template_version, moved.inputs) == (path.version, {"entity": "component:default/gift-wrapping"})
    assert moved.actor_name == "Mona"
    assert "newer version" not in browser.get(href).text
    assert browser.post(f"{href}/delete").status_code == 303


def test_the_example_brings_one_schedule_and_one_event_trigger_once(world: Acme, tmp_path: Path) -> None:
    identity = world.app.deps.get(IdentityService)
    identity.ensure_bootstrap("http://127.0.0.1")
    service = world.app.deps.get(ScheduleService)
    folder = DataFolder(tmp_path)
    make_triggers(world.app, folder)
    assert service.list(ADA).items == ()
    expect_triggers(folder)
    make_triggers(world.app, folder)
    by_clock, on_event = service.list(ADA).items
    assert (by_clock.kind, by_clock.paused, by_clock.cron) == ("schedule", False, "0 7 * * 1")
    assert (on_event.kind, on_event.paused, on_event.event_type) == ("event", True, "repository.change.merged")
    # Killed before it was written down that they are made.
    expect_triggers(folder)
    make_triggers(world.app, folder)
    assert len(service.list(ADA).items) == 2
    admin = identity.principal_of(identity.accounts.get("admin"))
    for item in service.list(ADA).items:
        service.delete(admin, item.id)
    make_triggers(world.app, folder)
    assert service.list(ADA).items == ()


def test_the_service_is_remembered_and_at_the_current_version(world: Acme) -> None:
    upgrades = world.app.deps.get(UpgradeService)
    standing = world.until(lambda: upgrades.find("component:default/gift-wrapping"))
    assert (standing.memory.template_ref, standing.behind) == ("template:default/python-web-service", 0)
    api = upgrades.find("api:default/gift-wrapping-api")
    assert api is not None
    assert api.memory.repository == "acme/gift-wrapping"


def test_a_database_is_added_and_the_service_tried_in_an_environment_of_its_own_and_promoted(world: Acme) -> None:
    ref = "component:default/gift-wrapping"
    common = {"component": ref, "owner": OWNERS, "repoUrl": URL}
    add = world.paths.get("default", "add-database")
    run = world.ended(world.paths.start(ADA, add, {**common, "environment": "development"}, {}))
    assert run.links[0].title == "Open the change request"
    changes = world.gateway.list_changes("acme/gift-wrapping", ADA).items
    (change,) = [one for one in changes if one.branch == "add-database"]
    world.gateway.merge_change("acme/gift-wrapping", change.number, MergeChangeRequest(head=change.head), ROOT)

    attempt = world.paths.get("default", "try-environment")
    values = {**common, "environment": "try-ribbons", "promote": True}
    request = world.paths.request(attempt, values, {}, principal=ROOT)
    plan = world.gateway.plan(request, ROOT)
    assert plan.problems == ()
    assert [step.id for step in plan.steps if step.notes], "what depends on the environment is known once it is there"
    assert "You may not do this" in world.gateway.plan(request, ADA).problems[0], "administrators make environments"
    run = world.ended(world.paths.start(ROOT, attempt, values, {}))
    try:
        found = world.gateway.list_resources(ResourceQuery(entity_ref=ref), ADA).items
        assert {one.environment: one.state for one in found} == dict.fromkeys(
            ("development", "staging", "try-ribbons"), "ready"
        )
        running = world.gateway.list_deployments(DeploymentQuery(entity_ref=ref), ADA).items
        assert {one.environment for one in running} == {"staging", "try-ribbons"}
        assert len({one.release.version for one in running}) == 1, "the very release goes on"
        for one in running:
            for count in (1, 2):
                with urlopen(f"{one.url}api/visits", timeout=10) as answer:
                    assert json.load(answer) == {"visits": count}, "each environment has its own database"
    finally:
        ids = tuple(one.id for one in world.gateway.list_deployments(DeploymentQuery(entity_ref=ref), ADA).items)
        gone = delete_workflow(title="Clean up", entity_ref=ref, deployment_ids=ids, repository=None, location=None)
        world.ended(world.gateway.submit(RunRequest(workflow=gone, subjects=(ref,), owner=OWNERS), ADA))
