"""A client of the API, over runs that are really executed."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request

import flagstone.platform.runs as runs_slice
from flagstone.contracts.runs import RunRequest, StepDefinition, WorkflowDefinition
from flagstone.kernel.actor import ANONYMOUS
from flagstone.platform.deployments import api
from flagstone.platform.deployments.actions import actions
from flagstone.platform.deployments.tests.world import ADMIN, OWNER, STRANGER, migrations, until
from flagstone.platform.environments import api as environments_api
from flagstone.platform.runs import PERMISSIONS as RUN_PERMISSIONS
from flagstone.platform.runs import RunsSettings
from flagstone.platform.runs.ports.dbos import DbosEngine
from flagstone.platform.runs.service.assembly import Collaborators, assemble
from flagstone.platform.workflows import PERMISSIONS as WORKFLOW_PERMISSIONS
from flagstone.platform.workflows import WorkflowService
from flagstone.platform.workflows.service.planning import Planner
from flagstone.sdk import Action, Inputs
from flagstone.testing.client import Client
from flagstone.toolkit.web.problems import install

PEOPLE = {"admin": ADMIN, "owner": OWNER, "stranger": STRANGER}


class WriteFiles(Action):
    """Writes files into the workspace, as a template's skeleton does."""

    id = "test:write"
    title = "Write files"
    permission = "runs.run.start"

    class Input(Inputs):
        files: dict[str, str]

    def plan(self, ctx, inputs):
        return self.run(ctx, inputs)

    def run(self, ctx, inputs):
        for path, text in inputs.files.items():
            ctx.workspace.write(path, text)


class Api:
    """A client that signs in as one of the people, and waits for runs."""

    def __init__(self, world, folder):
        self.world = world
        more = {"runs": runs_slice}
        migrations(world.db, **{name: Path(piece.__file__).parent / "migrations" for name, piece in more.items()})
        world.access.register(RUN_PERMISSIONS)
        world.access.register(WORKFLOW_PERMISSIONS)
        settings = RunsSettings(retry_base_seconds=0.01)
        self.runs = assemble(
            Collaborators(
                db=world.db,
                access=world.access,
                audit=world.audit,
                events=world.events,
                vault=world.vault,
                signals=world.signals,
                hosted=lambda: None,
                allowed_folders=(),
            ),
            DbosEngine(f"sqlite:///{folder / 'engine.db'}", executor_id="tests", concurrency=2),
            settings,
            folder / "workspaces",
        )
        for action in (*actions(world.service, world.parts.planner), WriteFiles()):
            self.runs.registry.add(action, "tests")
        self.runs.registry.freeze()
        self.runs.start()
        planner = Planner(self.runs.registry, self.runs.workspaces, self.runs.sources, world.access)
        self.workflows = WorkflowService(self.runs.service, self.runs.registry, planner, world.access)
        app = FastAPI()
        app.state.access = world.access
        install(app, None)

        @app.middleware("http")
        async def sign_in(request: Request, call_next):
            request.state.principal = PEOPLE.get(request.headers.get("x-person", ""), ANONYMOUS)
            return await call_next(request)

        app.include_router(api.router(world.service, world.parts.runs(self.workflows.submit)))
        app.include_router(environments_api.router(world.environments))
        self.client = Client(app)

    def call(self, method, path, who="owner", status=None, **members):
        answer = self.client.request(method, path, headers={"x-person": who}, **members)
        assert status is None or answer.status_code == status, answer.text
        return answer.json()

    def run(self, method, path, who="owner", **members):
        """Start a run and wait for its end."""
        started = self.call(method, path, who, 202, **members)
        ended = ("succeeded", "failed", "cancelled")
        return until(lambda: (run := self.runs.service.get(started["id"], ADMIN)).state in ended and run, 30)

    def log_of(self, run):
        return [event.text for event in self.runs.service.events(run.id, ADMIN) if event.type == "log"]

    def plan(self, *steps, who=OWNER, owner="group:default/checkout"):
        """The plan of steps: (id, action, input)."""
        made = tuple(StepDefinition(id=id_, name=id_, action=action, input=values) for id_, action, values in steps)
        workflow = WorkflowDefinition(name="test", title="A test", steps=made)
        return self.workflows.plan(RunRequest(workflow=workflow, owner=owner), who)

    def close(self):
        self.runs.stop()
