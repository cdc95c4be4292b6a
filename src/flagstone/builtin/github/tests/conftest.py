"""The actions in front of a fake GitHub with real repositories."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flagstone.builtin.github.hosts import GitHubHosts
from flagstone.builtin.github.plugin import build_actions
from flagstone.builtin.github.settings import GitHubHost, GitHubSettings
from flagstone.builtin.github.workflows import FollowWorkflow, Workflows
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import NotFound
from flagstone.platform.repositories.ports import RepositoryFolders
from flagstone.platform.repositories.service.remotes import RemoteGit
from flagstone.platform.runs.service.tools import StepTools
from flagstone.sdk import FileStat
from flagstone.testing.github import FakeGitHub
from flagstone.toolkit.files import Root

TOKEN = "ghp_canary_5f1c9e"
ADA = Principal("user", "user:ada", "Ada", "developer", "user:default/ada")


class Secrets(dict):
    """A vault."""

    def use(self, name, *, purpose=""):
        if name not in self:
            raise NotFound("vault.no_secret", f"There is no secret {name!r}.")
        return self[name]


class Tools(StepTools):
    """The real ones, closed at the end."""

    def __init__(self):
        super().__init__()
        self.clients = []

    def http(self, hosts, *, setting):
        self.clients.append(super().http(hosts, setting=setting))
        return self.clients[-1]

    def close(self):
        for client in self.clients:
            client._fetcher.close()


class Workspace(Root):
    """A folder as actions see it."""

    def walk(self, path=""):
        for entry in super().walk(path):
            yield FileStat(entry.path, entry.kind == "directory", entry.size, entry.executable)


class Context:
    """What a run gives its actions."""

    run_id, step_id, owner, template_ref, actor, answer = "run", "step", None, None, ADA, None

    def __init__(self, folder, *, step_key="key", attempt=1, memory=None):
        self.workspace = Workspace(folder)
        self.step_key, self.attempt, self.memory, self.secrets = step_key, attempt, memory or {}, {}
        self.lines, self.changes, self.notes, self.files = [], [], [], []
        self.stop = False

    def log(self, text, *, level="info"):
        self.lines.append(text)

    def change(self, kind, op, subject, detail="", **facts):
        self.changes.append((kind, op, subject, detail, facts))

    def file(self, path, op, before, after):
        self.files.append((path, op))

    def note(self, text):
        self.notes.append(text)

    def cancelled(self):
        return self.stop


class World:
    """One GitHub and all actions."""

    def __init__(self, folder, **host):
        self.folder = folder
        self.hub = FakeGitHub(folder / "github", token=TOKEN)
        self.secrets = Secrets({"github-token": TOKEN})
        self.tools = Tools()
        self.now = datetime.now(UTC)
        settings = GitHubSettings(
            hosts=(GitHubHost(host="github.com", api=self.hub.api, web=self.hub.url, **host),), poll_seconds=5
        )
        self.hosts = GitHubHosts(settings, self.secrets, self.tools)
        self.remotes = RemoteGit(RepositoryFolders(folder / "drafts"))
        self.actions = {action.id: action for action in build_actions(self.hosts, self.remotes, self.tools)}
        workflows = Workflows(self.tools, now=lambda: self.now)
        follow = FollowWorkflow(self.hosts, workflows, poll_seconds=5, now=lambda: self.now)
        self.actions[follow.id] = follow
        self.workspace = folder / "workspace"
        self.write({"README.md": "# Shop\n", "src/app.py": "print(1)\n"})

    def write(self, files):
        for path, text in files.items():
            (self.workspace / path).parent.mkdir(parents=True, exist_ok=True)
            (self.workspace / path).write_text(text)

    def inputs(self, id_, given):
        return self.actions[id_].Input.model_validate({"repoUrl": "github.com?owner=acme&repo=shop", **given})

    def plan(self, id_, given=None):
        ctx = Context(self.workspace)
        outputs = self.actions[id_].plan(ctx, self.inputs(id_, given or {}))
        return ctx, outputs

    def run(self, id_, given=None, **context):
        ctx = Context(self.workspace, **context)
        outputs = self.actions[id_].run(ctx, self.inputs(id_, given or {}))
        return ctx, outputs

    def again(self, id_, given=None, *, step_key="key"):
        """What the engine does after an interruption: ask, and do it if it was not done."""
        action, inputs = self.actions[id_], self.inputs(id_, given or {})
        ctx = Context(self.workspace, step_key=step_key, attempt=2)
        found = action.probe(ctx, inputs) if action.idempotency == "probe" else None
        return action.run(ctx, inputs) if found is None else found

    def undo(self, id_, outputs, given=None, *, step_key="key", memory=None):
        ctx = Context(self.workspace, step_key=step_key, memory=memory)
        self.actions[id_].undo(ctx, self.inputs(id_, given or {}), outputs.model_dump(by_alias=True) if outputs else {})

    def later(self, **time):
        self.now += timedelta(**time)


@pytest.fixture
def make_world(tmp_path):
    made = []

    def make(name="world", **host):
        world = World(tmp_path / name, **host)
        world.hub.__enter__()
        made.append(world)
        return world

    yield make
    for world in made:
        world.tools.close()
        world.hub.__exit__()


@pytest.fixture
def world(make_world):
    return make_world()
