"""A bench to try actions on: a real workspace, a real template folder, repositories that are folders."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flagstone.contracts.plans import Change, PlannedStep
from flagstone.contracts.repositories import RepositoryView
from flagstone.contracts.runs import WorkflowDefinition
from flagstone.foundation.access import AccessService, Decision
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Denied, NotFound
from flagstone.platform.runs import (
    Place,
    Reading,
    RunContext,
    Sources,
    StepTools,
    Workspace,
    Workspaces,
    parse_inputs,
    to_outputs,
)
from flagstone.platform.workflows import PlanningContext
from flagstone.sdk import Action, Files, Waiting

ANN = Principal("user", "user:ann", "Ann", role="developer", entity_ref="user:default/ann")
TEMPLATE = "template:default/test"


@dataclass(frozen=True, slots=True)
class Planned:
    """What an action said it would do."""

    outputs: dict[str, Any]
    changes: tuple[Change, ...]
    notes: tuple[str, ...]
    files: Mapping[str, str]
    """What it wrote into the throw-away workspace."""


@dataclass(frozen=True, slots=True)
class Ran:
    """What an action did."""

    outputs: dict[str, Any]
    events: tuple[tuple[str, str, dict[str, Any]], ...]
    """(type, subject, data) in order."""
    links: tuple[str, ...]
    log: tuple[str, ...]


class ActionBench:
    """``folder`` is a temporary folder. Everything is allowed, except the permissions in :attr:`denied`."""

    def __init__(self, folder: Path, *, actor: Principal = ANN, owner: str | None = None) -> None:
        self.folder = folder
        self.actor = actor
        self.owner = owner
        self.denied: set[str] = set()
        self.asked: list[str] = []
        self.stop = threading.Event()
        """Set it to cancel what runs."""
        self.tools = StepTools(hidden=(str(folder),))
        """For actions that are made with :class:`flagstone.sdk.ActionTools`."""
        self.entities: dict[str, Any] = {}
        """What the catalog knows, by ref."""
        self.fetch: Callable[[str], bytes] | None = None
        """Give one to let actions read from other servers."""
        self.before: tuple[PlannedStep, ...] = ()
        """Steps that are planned before."""
        self.answer: Mapping[str, Any] | None = None
        """What people say to an action that waits."""
        self._hosting = FolderHosting(folder / "repositories")
        self._workspaces = Workspaces(folder / "workspaces")
        self._workspace = self._workspaces.open("test")
        self.template = folder / "template"
        self.template.mkdir(parents=True, exist_ok=True)

    @property
    def workspace(self) -> Files:
        """The workspace of the run."""
        return self._workspace.files

    def template_file(self, path: str, content: str | bytes, *, executable: bool = False) -> None:
        """Put a file beside the template; a url ``./skeleton`` reads from ``skeleton/`` there."""
        _write(self.template / path, content, executable=executable)

    def repository(self, name: str, files: Mapping[str, str]) -> None:
        """Host a repository ``project/name`` with these files."""
        for path, text in files.items():
            _write(self._hosting.folder / name / path, text)

    def plan(self, action: Action, inputs: Mapping[str, Any]) -> Planned:
        """Plan with inputs as a template writes them, on a copy of the workspace. Raises what the action raises."""
        with self._workspaces.throw_away() as copy:
            for stat in self._workspace.files.walk():
                if not stat.is_dir:
                    data = self._workspace.files.read_bytes(stat.path)
                    copy.files.write(stat.path, data, executable=stat.executable)
            before = contents(copy.files)
            context = PlanningContext(self._place(copy), self.before)
            outputs = to_outputs(action, action.plan(context, parse_inputs(action, dict(inputs), "test")))
            after = contents(copy.files)
        written = {path: text for path, text in after.items() if before.get(path) != text}
        return Planned(outputs, tuple(context.changes), tuple(context.notes), written)

    def run(
        self,
        action: Action,
        inputs: Mapping[str, Any],
        *,
        secrets: Mapping[str, str] | None = None,
        step_key: str = "key",
        attempt: int = 1,
        memory: Mapping[str, Any] | None = None,
    ) -> Ran:
        """Run with inputs as a template writes them. Raises what the action raises.

        One that waits is answered with :attr:`answer`, if any; ``memory`` is that of a wait before.
        """

        def do(ctx: Any, typed: Any) -> Any:
            ctx.memory = dict(memory or {})
            try:
                return action.run(ctx, typed)
            except Waiting as waiting:
                if self.answer is None:
                    raise
                ctx.memory, ctx.answer = waiting.data, self.answer
                return action.run(ctx, typed)

        return self._call(action, inputs, do, secrets or {}, step_key, attempt)

    def probe(self, action: Action, inputs: Mapping[str, Any], *, step_key: str = "key") -> Ran | None:
        """Ask whether it was done; None when the action says no."""
        answers: list[Any] = []

        def ask(ctx: Any, typed: Any) -> Any:
            answers.append(action.probe(ctx, typed))
            return answers[0]

        found = self._call(action, inputs, ask, {}, step_key, 2)
        return None if answers == [None] else found

    def _call(
        self, action: Action, inputs: Mapping[str, Any], do: Any, secrets: Mapping[str, str], key: str, attempt: int
    ) -> Ran:
        lines: list[str] = []
        context = RunContext(
            self._place(self._workspace),
            lambda text, _level: lines.append(text),
            step_key=key,
            attempt=attempt,
            repeated=attempt > 1,
            secrets=secrets,
            stop=self.stop,
        )
        outputs = to_outputs(action, do(context, parse_inputs(action, dict(inputs), "test")))
        return Ran(outputs, tuple(context.emitted), tuple(context.linked), tuple(lines))

    def _place(self, files: Workspace) -> Place:
        workflow = WorkflowDefinition(
            name="test",
            title="Test",
            template_ref=TEMPLATE,
            base=f"file:{self.template / 'template.yaml'}",
            steps=(),
            entities=self.entities,
        )
        sources = Sources((str(self.template),), lambda: self._hosting, self.fetch)
        reading = Reading(workflow, self.actor, files.scratch)
        access = _Allowing(self.asked, self.denied)
        return Place("test", "test", self.actor, self.owner, files, reading, sources, access)


def contents(files: Files) -> dict[str, str]:
    """Path to text of every file; binary ones as their representation."""
    found = {}
    for stat in files.walk():
        if not stat.is_dir:
            data = files.read_bytes(stat.path)
            found[stat.path] = data.decode() if _is_text(data) else repr(data)
    return found


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _write(path: Path, content: str | bytes, *, executable: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    if executable:
        path.chmod(0o755)


@dataclass
class FolderHosting:
    """Repositories that are folders ``project/name``: what runs need of the git hosting, without git."""

    folder: Path
    commit: str = field(default="0" * 39 + "1")

    def get(self, name: str, _actor: Principal) -> RepositoryView:
        """The repository. Raises NotFound."""
        if not (self.folder / name).is_dir():
            raise NotFound("repositories.not_found", f"There is no repository {name!r}.")
        return RepositoryView(name=name, clone_url=f"http://test/git/{name}.git", web_url="", head=self.commit)

    def materialise(self, name: str, _commit: str, folder: Path) -> int:
        """Copy its files."""
        shutil.copytree(self.folder / name, folder)
        return sum(1 for path in folder.rglob("*") if path.is_file())


class _Allowing(AccessService):
    """Allows everything but what is denied, and remembers what was asked."""

    def __init__(self, asked: list[str], denied: set[str]) -> None:
        self._asked = asked
        self._denied = denied

    def decide(self, _principal: Principal, permission: str, *, owner: str | None = None) -> Decision:
        """Yes, unless it is denied."""
        self._asked.append(permission)
        return Decision(permission not in self._denied, permission, f"The test says so (owner {owner}).")

    def check(self, principal: Principal, permission: str, *, owner: str | None = None, resource: str = "") -> None:
        """The same as an error."""
        if not self.decide(principal, permission, owner=owner).allowed:
            raise Denied("access.denied", f"{permission} is denied on {resource}.")
