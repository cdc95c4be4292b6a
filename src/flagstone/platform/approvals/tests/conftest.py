"""Runs, workflows and approvals, put together, with a clock that can be moved and policies that a test chooses."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import flagstone.platform.approvals as approvals_slice
from flagstone.contracts.approvals import ApprovalQuery, ApprovalRule
from flagstone.contracts.policy import Verdict
from flagstone.contracts.runs import RunRequest
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import utc_now
from flagstone.platform.approvals import PERMISSIONS, ApprovalService
from flagstone.platform.approvals.actions import WaitForApproval
from flagstone.platform.approvals.jobs import SettleJob
from flagstone.platform.approvals.service import Desk, Settler
from flagstone.platform.approvals.store import ApprovalStore
from flagstone.platform.runs.tests.harness import Harness
from flagstone.platform.workflows import PERMISSIONS as PLANS
from flagstone.platform.workflows import WorkflowService
from flagstone.platform.workflows.service.planning import Planner
from flagstone.platform.workflows.service.policies import PolicyRegistry
from flagstone.sdk import Policy

MIGRATIONS = Path(approvals_slice.__file__).parent / "migrations"
TEAM = "group:default/platform"


def person(name, role="developer", *groups, account=None):
    return Principal("user", f"user:{account or name}", name.title(), role, f"user:default/{name}", frozenset(groups))


ANN = person("ann", "developer", TEAM)
BOB = person("bob", "developer", TEAM)
CYD = person("cyd", "viewer", TEAM)
EVE = person("eve", "maintainer")


class Chosen(Policy):
    """Says what a test wants."""

    id = "test:chosen"
    title = "Chosen by a test"

    def __init__(self):
        self.say = lambda _case: ()

    def verdicts(self, case):
        return self.say(case)


class World(Harness):
    """Everything but the web."""

    def __init__(self, folder, **options):
        self.moved = timedelta(0)
        super().__init__(folder, migrations={"approvals": MIGRATIONS}, extend=type(self)._extend, **options)

    def now(self):
        return utc_now() + self.moved

    def _extend(self):
        self.access.register([*PERMISSIONS, *PLANS])
        self.policy = Chosen()
        policies = PolicyRegistry()
        policies.add(self.policy, "tests")
        parts = self.parts
        planner = Planner(parts.registry, parts.workspaces, parts.sources, self.access, policies)
        self.workflows = WorkflowService(self.runs, parts.registry, planner, self.access)
        self.store = ApprovalStore(self.db)
        about = {"audit": self.audit, "events": self.outbox, "now": self.now}
        self.approvals = ApprovalService(self.store, parts.waiting, access=self.access, **about)
        self.desk = Desk(self.store, self.runs, self.workflows, **about)
        self.settler = Settler(self.store, self.runs, parts.waiting, self.now)
        self.job = SettleJob(self.outbox, self.settler, 30)
        return [WaitForApproval(self.desk)]

    def start(self):
        super().start()
        self.job.start()
        return self

    def stop(self):
        self.job.stop()
        super().stop()

    def go(self, steps, actor=ANN, approvals=(), **more):
        """Submit steps through the front door."""
        made = [
            {"id": f"s{number}", "name": f"Step {number}", "action": "speak", **step}
            for number, step in enumerate(steps, 1)
        ]
        workflow = {"name": "test", "title": "A test", "steps": made, "approvals": approvals}
        return self.workflows.submit(RunRequest.model_validate({"workflow": workflow, **more}), actor)

    def ask(self, actor=ANN, **inputs):
        """A run that waits for an approval in its middle; the run and its request."""
        wait = {"action": "flagstone:approval", "input": {"approvers": [TEAM], **inputs}}
        run = self.go([{}, wait, {"input": {"text": "by ${{ steps.s2.output.approvedBy }}"}}], actor)
        run = self.wait(run.id, "waiting")
        [found] = self.pending(run)
        return run, found

    def pending(self, run):
        return list(self.approvals.list(ApprovalQuery(run_id=run.id, state=("pending",)), EVE).items)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world") / "data").start()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def quiet(request):
    """No policy speaks, and the clock is right."""
    if "world" in request.fixturenames:
        world = request.getfixturevalue("world")
        world.policy.say = lambda _case: ()
        world.moved = timedelta(0)


@pytest.fixture
def needs():
    """A policy that asks for approvals."""

    def make(*of, **more):
        rule = ApprovalRule(of=of or (TEAM,), **more)
        return lambda _case: [Verdict(policy="x", severity="advise", message="Ask first.", approvals=(rule,))]

    return make
