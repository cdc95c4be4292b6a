"""Runs, workflows, the built-in actions and the git hosting, put together, with the example golden paths."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

import flagstone.platform.repositories as repositories_slice
from flagstone.builtin.actions.permissions import PERMISSIONS as ACTION_PERMISSIONS
from flagstone.builtin.actions.plugin import actions
from flagstone.builtin.actions.settings import ActionsSettings
from flagstone.contracts.runs import RunRequest
from flagstone.platform.repositories import RepositoryService
from flagstone.platform.repositories.actions import PublishGit
from flagstone.platform.repositories.ports import RepositoryFolders
from flagstone.platform.repositories.store import RepositoryStore
from flagstone.platform.runs import StepTools
from flagstone.platform.runs.tests.harness import ANN, Harness
from flagstone.platform.workflows import PERMISSIONS, WorkflowService
from flagstone.platform.workflows.service.planning import Planner

EXAMPLES = Path(__file__).parents[5] / "examples" / "acme" / "templates"


class World(Harness):
    """The harness of runs with everything on top."""

    def __init__(self, folder):
        migrations = {"repositories": Path(repositories_slice.__file__).parent / "migrations"}
        super().__init__(folder, migrations=migrations, extend=type(self)._extend)
        self.access.register(PERMISSIONS)
        registry, parts = self.parts.registry, self.parts
        planner = Planner(registry, parts.workspaces, parts.sources, self.access)
        self.workflows = WorkflowService(self.runs, registry, planner, self.access)
        shutil.copytree(EXAMPLES, folder / "templates")

    def _extend(self):
        self.access.register([*ACTION_PERMISSIONS, *repositories_slice.PERMISSIONS])
        self.hosted = self.repositories = RepositoryService(
            RepositoryStore(self.db),
            RepositoryFolders(self.folder / "repositories"),
            access=self.access,
            audit=self.audit,
            events=self.outbox,
            base_url=lambda: "http://flagstone.example",
        )
        return [*actions(StepTools(), ActionsSettings()), PublishGit(self.repositories, "runs@flagstone.invalid")]

    def request(self, steps, inputs=None, **more):
        """A request of steps as a template writes them."""
        return RunRequest.model_validate(
            {
                "workflow": {
                    "name": "test",
                    "title": "A test",
                    "parameters": more.pop("parameters", None),
                    "base": more.pop("base", f"file:{self.folder}/templates/python-web-service/template.yaml"),
                    "version": more.pop("version", ""),
                    "template_ref": "template:default/test",
                    "secrets_schema": more.pop("secrets_schema", None),
                    "output": more.pop("output", {}),
                    "steps": [_step(number, step) for number, step in enumerate(steps, 1)],
                },
                "inputs": inputs or {},
                **more,
            }
        )

    def golden_path(self, name, inputs, *, without=(), **more):
        """A request of an example template, without some of its steps."""
        document = yaml.safe_load((self.folder / "templates" / name / "template.yaml").read_text())
        spec = document["spec"]
        return self.request(
            [step for step in spec["steps"] if step["id"] not in without],
            inputs,
            parameters=spec["parameters"],
            base=f"file:{self.folder}/templates/{name}/template.yaml",
            output={key: value for key, value in spec["output"].items() if key == "text"},
            **more,
        )

    def plan(self, *arguments, actor=ANN, **more):
        return self.workflows.plan(self.request(*arguments, **more), actor)

    def submit(self, *arguments, actor=ANN, **more):
        return self.workflows.submit(self.request(*arguments, **more), actor)


def _step(number, step):
    return {
        "id": step.get("id", f"step-{number}"),
        "name": step.get("name", step.get("action", "speak")),
        "action": step.get("action", "speak"),
        "input": step.get("input", {}),
        "condition": step.get("if"),
        "each": step.get("each"),
    }


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world") / "data").start()
    yield made
    made.stop()
