"""What the example organisation does after the first run: a day-2 action, a change on a repository that is there, a
scheduled run. Both rooms in this process, real runs, real git.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from flagstone.app.build import build
from flagstone.app.rooms import load_settings
from flagstone.contracts.gateway import RunGateway, RunQuery
from flagstone.contracts.runs import ENDED, RunView
from flagstone.foundation.identity import IdentityService
from flagstone.kernel.actor import Principal
from flagstone.portal.catalog import CatalogService
from flagstone.portal.golden_paths import GoldenPathService
from flagstone.portal.upgrades import UpgradeService
from flagstone.testing.client import Client
from flagstone.testing.people import CHEAP, Person, people

OWNERS = "group:default/checkout"
ADA = Principal("user", "user:ada", "Ada", "developer", "user:default/ada", frozenset({OWNERS}))
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
            "catalog.locations": [{"type": "file", "target": str(acme / "catalog-info.yaml")}],
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


def test_the_service_is_remembered_and_at_the_current_version(world: Acme) -> None:
    upgrades = world.app.deps.get(UpgradeService)
    standing = world.until(lambda: upgrades.find("component:default/gift-wrapping"))
    assert (standing.memory.template_ref, standing.behind) == ("template:default/python-web-service", 0)
    api = upgrades.find("api:default/gift-wrapping-api")
    assert api is not None
    assert api.memory.repository == "acme/gift-wrapping"
