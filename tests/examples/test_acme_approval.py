"""The golden path of the example organisation that waits for an approval."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from flagstone.contracts.approvals import ApprovalQuery
from flagstone.contracts.runs import RunRequest
from flagstone.kernel.errors import Denied
from flagstone.platform.approvals.tests.conftest import World, person
from flagstone.portal.golden_paths import unregistered, workflow

TEAM = "group:default/platform-engineering"
ASKER = person("ines-driftmere", "developer", TEAM)
COLLEAGUE = person("kiri-brightwater", "developer", TEAM)
INPUTS = {
    "name": "gift-cards",
    "description": "Sells and redeems gift cards, for the shop and for partners.",
    "owner": "group:default/checkout",
    "domain": "domain:default/commerce",
    "repoUrl": "flagstone?owner=acme&repo=gift-cards",
}


@pytest.fixture
def world(tmp_path: Path):
    made = World(tmp_path / "data").start()
    yield made
    made.stop()


def test_a_new_system_begins_when_somebody_else_of_platform_engineering_agrees(world, acme: Path) -> None:
    document = yaml.safe_load((acme / "templates/new-system/template.yaml").read_text())
    definition = workflow(unregistered(document, f"file:{acme}/templates/new-system/template.yaml"), INPUTS)
    assert definition.approvals[0].of == (TEAM,)
    # What it does after the approval is tried with the other golden paths; here a log line stands for it.
    steps = tuple(step.model_copy(update={"action": "speak", "input": {}}) for step in definition.steps)
    request = RunRequest(workflow=definition.model_copy(update={"steps": steps, "output": {}}), inputs=INPUTS)
    run = world.wait(world.workflows.submit(request, ASKER).id, "waiting")
    assert [step.state for step in run.steps] == ["waiting", "pending", "pending", "pending"]
    [asked] = world.approvals.list(ApprovalQuery(mine=True), COLLEAGUE).items
    assert asked.run_title == "New system: gift-cards"
    assert asked.rule.reason == "A new system needs a second pair of eyes"
    with pytest.raises(Denied):
        world.approvals.decide(asked.id, ASKER, "approve")
    world.approvals.decide(asked.id, COLLEAGUE, "approve", plan_digest=asked.plan_digest)
    assert world.wait(run.id).state == "succeeded"
