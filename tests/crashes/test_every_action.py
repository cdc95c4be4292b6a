"""Every action of the product, its process killed before the intent, after it, after the side effect and before the result.

A new action without a subject here is not let in.
"""

from __future__ import annotations

import pytest

from flagstone.app.build import build
from flagstone.app.rooms import load_settings
from flagstone.builtin.actions.tests import cases
from flagstone.builtin.github.tests import conftest as github
from flagstone.builtin.github.tests import test_every_action as github_cases
from flagstone.contracts.approvals import ApprovalQuery
from flagstone.foundation.notifications.actions import Notify
from flagstone.foundation.notifications.tests import conftest as notifications
from flagstone.kernel.clock import utc_now
from flagstone.platform.approvals import ApprovalService
from flagstone.platform.approvals.actions import WaitForApproval
from flagstone.platform.approvals.service import Desk, Settler
from flagstone.platform.approvals.store import ApprovalStore
from flagstone.platform.approvals.tests import conftest as approvals
from flagstone.platform.deployments.actions import actions as deployment_actions
from flagstone.platform.deployments.tests import world as deployments
from flagstone.platform.deployments.tests.small_runtime import SmallRuntime
from flagstone.platform.environments.actions import CreateEnvironment
from flagstone.platform.repositories.actions import (
    DeleteRepository,
    PublishGit,
    PublishPullRequest,
    UpgradeRepository,
)
from flagstone.platform.repositories.service import Proposals, Upgrades
from flagstone.platform.repositories.tests import conftest as repositories
from flagstone.platform.resources.actions import actions as resource_actions
from flagstone.platform.resources.tests import world as resources
from flagstone.platform.runs import ActionRegistry
from flagstone.platform.workflows import WorkflowService
from flagstone.platform.workflows.service.planning import Planner
from flagstone.platform.workflows.service.policies import PolicyRegistry
from flagstone.testing.actions import ANN
from flagstone.toolkit.db import PlatformDatabase
from flagstone.toolkit.git import GitChanges
from tests.crashes.power_cut import POINTS, RUN, Machine, Subject


def builtin(id_, folder, _after):
    case = cases.CASES[id_]
    if id_ == "fetch:template:file":  # as a template would write the name of a file that holds an expression
        return Subject(
            lambda bench, _: case.make(bench), {"url": "./skeleton/bin/run.sh", "targetPath": "run.sh"}, case.prepare
        )
    return Subject(lambda bench, _: case.make(bench), case.inputs, case.prepare, case.secrets)


def github_world(folder, after):
    world = github.World(folder / "hub")
    world.hub.__enter__()
    after += [world.hub.__exit__, world.tools.close]
    return world


def on_github(id_, folder, after):
    world = github_world(folder, after)
    files = {"README.md": "# Shop\n", "src/app.py": "print(1)\n"}

    def prepare(bench):
        for path, text in files.items():
            bench.workspace.write(path, text)
        github_cases.prepare(world, id_)

    given = github_cases.SHORT.get(id_, github_cases.CASES.get(id_, {}))
    inputs = {"repoUrl": "github.com?owner=acme&repo=shop", **given}
    return Subject(lambda *_: world.actions[id_], inputs, prepare, outside=lambda: github_cases.state(world))


def follow_workflow(id_, folder, after):
    world = github_world(folder, after)

    def prepare(bench):
        world.hub.repository("acme/shop", {".github/workflows/build.yaml": github_cases.WORKFLOW})

    def ends():
        (run,) = world.hub.repos["acme/shop"].runs
        run |= {"status": "completed", "conclusion": "success"}
        return False

    inputs = {"repoUrl": "github.com?owner=acme&repo=shop", "workflowId": "build.yaml"}
    return Subject(
        lambda *_: world.actions[id_],
        inputs,
        prepare,
        outside=lambda: (world.hub.done, len(world.hub.repos["acme/shop"].runs)),
        meanwhile=ends,
    )


def follow_pull_request(id_, folder, after):
    world = github_world(folder, after)

    def prepare(bench):
        repo = world.hub.repository("acme/shop", {"a.txt": "a"})
        head = {"ref": "main", "sha": repo.head("main")}
        repo.pulls[1] = {"number": 1, "state": "open", "html_url": "https://github.com/acme/shop/pull/1", "head": head}

    def merges():
        world.hub.repos["acme/shop"].pulls[1] |= {"state": "closed", "merged": True}
        return False

    inputs = {"repoUrl": "github.com?owner=acme&repo=shop", "pullRequestNumber": 1}
    return Subject(
        lambda *_: world.actions[id_],
        inputs,
        prepare,
        outside=lambda: world.hub.repos["acme/shop"].pulls,
        meanwhile=merges,
    )


def on_hosting(id_, folder, after):
    db = PlatformDatabase(f"sqlite:///{folder / 'hosting.db'}")
    after.append(db.close)
    hosting = repositories.Hosting(db, folder / "hosted")
    parts = (hosting.changes, hosting.folders, hosting.pushes)
    url = {"repoUrl": "flagstone?owner=acme&repo=shop"}
    change = {"branchName": "add", "title": "Add"}
    made = None
    if id_ != "publish:git":
        made = hosting.service.create("acme/shop", ANN, files={"old.txt": (b"old\n", False)}).created_commit
    make, inputs = {
        "publish:git": (lambda: PublishGit(hosting.service, "a@acme.example"), url),
        "publish:git:pull-request": (
            lambda: PublishPullRequest(Proposals(*parts), "a@acme.example"),
            {**url, **change, "description": ""},
        ),
        "flagstone:repository:upgrade": (
            lambda: UpgradeRepository(Upgrades(*parts), Proposals(*parts), "a@acme.example"),
            {**change, "repository": "acme/shop", "baseCommit": made},
        ),
        "flagstone:repository:delete": (lambda: DeleteRepository(hosting.service), {"repository": "acme/shop"}),
    }[id_]

    def outside():
        kept = hosting.service.find("acme/shop")
        tips = GitChanges(hosting.folders.open("acme/shop")).tips() if kept else ()
        heard = sorted((event.type, event.subject) for event in hosting.events.read())
        return bool(kept), sorted(tip.branch for tip in tips), heard

    return Subject(
        lambda *_: make(), inputs, lambda bench: bench.workspace.write("notes.md", "# Notes\n"), outside=outside
    )


def deploying(id_, folder, after):
    db = PlatformDatabase(f"sqlite:///{folder / 'deployments.db'}")
    after.append(db.close)
    world = deployments.World(db, folder / "server", SmallRuntime())
    after.append(world.close)
    world.commit(deployments.app_files("v1"))
    inputs = {"repository": "shop/orders"}
    if id_ != "flagstone:deploy":
        inputs = {"deployment": world.deploy().id}
    if id_ == "flagstone:promote":
        inputs["environment"] = "staging"
    if id_ == "flagstone:rollback":
        world.commit(deployments.app_files("v2"))
        world.deploy()
    if id_ == "flagstone:start":
        world.service.stop(deployments.OWNER, inputs["deployment"], execution=world.execution())
    made = {action.id: action for action in deployment_actions(world.service, world.parts.planner)}

    def outside():
        found = [(one.state, one.release and one.release.version) for one in world.all()]
        return found, world.runtime.applied, world.told()

    return Subject(lambda *_: made[id_], inputs, outside=outside, actor=deployments.ADMIN)


def making_environments(id_, folder, after):
    db = PlatformDatabase(f"sqlite:///{folder / 'environments.db'}")
    after.append(db.close)
    world = deployments.World(db, folder / "server", SmallRuntime())
    after.append(world.close)
    return Subject(
        lambda *_: CreateEnvironment(world.environments),
        {"name": "try-it", "type": "development", "runtime": world.runtime.name},
        outside=lambda: [(one.name, one.type) for one in world.environments.list(deployments.ADMIN)],
        actor=deployments.ADMIN,
    )


def providing(id_, folder, after):
    db = PlatformDatabase(f"sqlite:///{folder / 'resources.db'}")
    after.append(db.close)
    world = resources.World(db, folder / "server")
    inputs = {"type": "queue", "name": "jobs", "entityRef": resources.ORDERS, "params": {"size": 2}}
    if id_ == "flagstone:resource:remove":
        inputs = {"resource": world.request().id}
    made = {action.id: action for action in resource_actions(world.service)}

    def outside():
        there = [one.model_dump(exclude={"created_at", "updated_at"}) for one in world.all(state=("ready", "removed"))]
        return there, world.driver.queues, world.driver.kept, world.told(), world.audited()

    return Subject(lambda *_: made[id_], inputs, outside=outside, actor=deployments.ADMIN)


def telling(id_, folder, after):
    db = PlatformDatabase(f"sqlite:///{folder / 'notifications.db'}")
    after.append(db.close)
    channel = {"name": "hook", "kind": "webhook", "url": "http://127.0.0.1:9/hook"}
    world = notifications.World(db, {"allowed_hosts": ("127.0.0.1:9",), "channels": (channel,)})
    return Subject(
        lambda *_: Notify(world.notifier),
        {"to": ["channel:hook"], "title": "Ready", "text": "It is"},
        outside=lambda: [(one.recipient, one.body.title) for one in world.deliveries()],
    )


def asking(id_, folder, after):
    parts = {}

    def make(_bench, harness):
        store = ApprovalStore(harness.db)
        about = {"audit": harness.audit, "events": harness.outbox}
        planner = Planner(
            harness.parts.registry, harness.parts.workspaces, harness.parts.sources, harness.access, PolicyRegistry()
        )
        workflows = WorkflowService(harness.runs, harness.parts.registry, planner, harness.access)
        parts["service"] = ApprovalService(store, harness.parts.waiting, access=harness.access, **about)
        parts["settler"] = Settler(store, harness.runs, harness.parts.waiting, utc_now)
        return WaitForApproval(Desk(store, harness.runs, workflows, **about))

    def requests():
        return parts["service"].list(ApprovalQuery(run_id=RUN), approvals.EVE).items

    def agree():
        (request,) = requests()
        if request.state == "pending":
            parts["service"].decide(request.id, approvals.BOB, "approve")
        parts["settler"].settle(RUN)
        return True

    return Subject(
        make,
        {"approvers": [approvals.TEAM]},
        outside=lambda: [(one.state, [said.actor for said in one.decisions]) for one in requests()],
        meanwhile=agree,
        migrations={"approvals": approvals.MIGRATIONS},
    )


WORLDS = {
    **dict.fromkeys(cases.CASES, builtin),
    **dict.fromkeys(github_cases.CASES, on_github),
    "flagstone:github:workflow": follow_workflow,
    "flagstone:github:pull-request": follow_pull_request,
    **dict.fromkeys(
        ("publish:git", "publish:git:pull-request", "flagstone:repository:upgrade", "flagstone:repository:delete"),
        on_hosting,
    ),
    **dict.fromkeys(
        (
            "flagstone:deploy",
            "flagstone:promote",
            "flagstone:start",
            "flagstone:stop",
            "flagstone:rollback",
            "flagstone:undeploy",
        ),
        deploying,
    ),
    "flagstone:environment:create": making_environments,
    **dict.fromkeys(("flagstone:resource:request", "flagstone:resource:remove"), providing),
    "flagstone:notify": telling,
    "flagstone:approval": asking,
}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Makes worlds of an action, each with one run of it."""
    after = []

    def make(id_, name):
        folder = tmp_path / name
        folder.mkdir()
        made = Machine(folder, WORLDS[id_](id_, folder, after), monkeypatch)
        after.append(made.close)
        return made

    yield make
    for call in reversed(after):
        call()


def test_every_action_of_the_product_is_in_this_file(tmp_path):
    settings = load_settings(None, environ={}, overrides={"server.data_dir": str(tmp_path)})
    registry = build(settings, "platform", discover=False).deps.get(ActionRegistry)
    assert {spec.id for spec in registry.specs()} == set(WORLDS), "give each a world here"


@pytest.mark.parametrize("id_", WORLDS)
def test_an_action_killed_at_every_point_has_the_effect_of_one_that_was_not(machine, id_):
    wanted = machine(id_, "undisturbed")
    assert wanted.live() == "succeeded", wanted.view().error
    killed = machine(id_, "killed")
    if killed.repeats() == "none":
        asks_a_person(machine, id_, wanted)
        return
    for point in POINTS:
        killed.live(point)
    assert killed.live() == "succeeded", killed.view().error
    assert killed.seen() == wanted.seen()


def asks_a_person(machine, id_, wanted):
    """Nobody can tell whether it was done: the run stops, and nothing is done twice."""
    for point in POINTS:
        killed = machine(id_, point)
        killed.live(point)
        if point == "before_intent":
            assert killed.live() == "succeeded"
        else:
            assert killed.live() == "unknown"
            assert killed.view().error["code"] == "runs.outcome_unknown"
            killed.harness.runs.retry(RUN, ANN, from_step="it")
            assert killed.live() == "succeeded", "a person said that it is to be done again"
        assert killed.seen() == wanted.seen()
