"""One run of one action by the real machinery of runs, whose power is cut wherever a test says.

From the cut on nothing is written any more and nothing more of the run is executed; the next life begins with what lies in
the database, the workspace and the world outside. The same points with real processes that are killed: see
``platform/runs/tests/test_service_crash.py`` and ``tests/e2e/test_crashes.py``.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flagstone.builtin.actions import permissions as actions_plugin
from flagstone.builtin.github import permissions as github_plugin
from flagstone.foundation import notifications
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict
from flagstone.platform import approvals, deployments, environments, repositories, resources
from flagstone.platform.runs.model import execution_id
from flagstone.platform.runs.service import runs as runs_service
from flagstone.platform.runs.service.crash import CrashPoints
from flagstone.platform.runs.tests.harness import Harness
from flagstone.sdk import Action
from flagstone.testing.actions import ANN, ActionBench, contents

PERMISSIONS = (
    actions_plugin.PERMISSIONS,
    github_plugin.PERMISSIONS,
    deployments.PERMISSIONS,
    environments.PERMISSIONS,
    notifications.PERMISSIONS,
    repositories.PERMISSIONS,
    resources.PERMISSIONS,
    approvals.PERMISSIONS,
)
ADMIN = replace(ANN, role="admin")
POINTS = ("before_intent", "after_intent", "after_effect", "before_result")
_VOLATILE = re.compile(
    r"(?:process|port) \d+|127\.0\.0\.1:\d+|[0-9a-f]{40}|[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)?"
    r"|\w{3}, \d\d \w{3} \d{4} [\d:]+ GMT"
)
"""Processes, ports, commits, ids, times."""
RUN = "01a20000-0000-7000-8000-000000000001"
"""Every world has this one run, so that its keys are the same and two worlds can be compared."""


class PowerCut(BaseException):
    """Not an Exception: nobody may take it for a failure."""


@dataclass
class Subject:
    """An action, and a world to try it in."""

    make: Callable[[ActionBench, Harness], Action]
    """Called once for each life, as each process makes its own."""
    inputs: Mapping[str, Any]
    prepare: Callable[[ActionBench], None] = lambda _bench: None
    secrets: Mapping[str, str] = field(default_factory=dict)
    outside: Callable[[], Any] = lambda: None
    """What people would see that was done, to be compared; the workspace need not be in it."""
    meanwhile: Callable[[], bool] = lambda: False
    """Something happens outside while the step waits; returns whether that has woken it."""
    migrations: Mapping[str, Path] = field(default_factory=dict)
    actor: Principal = ADMIN


class _Cut(CrashPoints):
    def __init__(self) -> None:
        super().__init__()
        self.point: str | None = None
        self.dead = threading.Event()

    def hit(self, name: str, step: str) -> None:
        if name != self.point or step != "it":
            return
        self.dead.set()
        if name != "after_effect":  # that one is hit in the action's own thread, which has nothing more to do
            raise PowerCut(name)


class Machine:
    """A server with one run of the subject's action."""

    def __init__(self, folder: Path, subject: Subject, monkeypatch: Any) -> None:
        self.subject = subject
        self.bench = ActionBench(folder / "bench")
        self.harness = Harness(folder, extend=self._made, migrations=dict(subject.migrations), worker_deaths=100)
        self.harness.hosted = self.bench._hosting
        self.cut = _Cut()
        runner = self.harness.parts.executor.runner
        runner._crash = runner._caller._crash = self.cut
        write, read = self.harness.db.write, self.harness.db.read
        self.harness.db.write = lambda: self._powered(write)
        self.harness.db.read = lambda: self._powered(read)
        self.bench._workspace = self.harness.parts.workspaces.open(RUN)
        subject.prepare(self.bench)
        action = subject.make(self.bench, self.harness).id
        monkeypatch.setattr(runs_service, "new_id", lambda: RUN)
        definition = {"id": "it", "name": "It", "action": action, "input": dict(subject.inputs)}
        workflow = {
            "name": "test",
            "title": "A test",
            "template_ref": "template:default/test",
            "base": f"file:{self.bench.template / 'template.yaml'}",
            "entities": self.bench.entities,
            "steps": [definition],
        }
        request = runs_service.RunRequest.model_validate({"workflow": workflow, "secrets": dict(subject.secrets)})
        self.harness.runs.start(request, subject.actor)
        monkeypatch.undo()

    def _made(self, harness: Harness) -> list[Action]:
        for permissions in PERMISSIONS:
            harness.access.register(permissions)
        return [self.subject.make(self.bench, harness)]

    def _powered(self, begin: Callable[[], Any]) -> Any:
        if self.cut.dead.is_set():
            if threading.current_thread().name == "run-logs":
                raise Conflict("runs.fenced", "The power is cut.")
            raise PowerCut("nothing is written any more")
        return begin()

    def live(self, point: str | None = None) -> str:
        """Run until the power is cut at the point, or to the end; returns the state of the run."""
        registry = self.harness.parts.registry
        action = self.subject.make(self.bench, self.harness)
        registry._actions[action.id] = action
        self.cut.point = point
        try:
            while (record := self.harness.runs._runs.get(RUN)).state in ("queued", "running", "waiting"):
                if record.state == "waiting":
                    self._wake()
                    continue
                self.harness.parts.executor.perform(execution_id(RUN, record.dispatch))
        except PowerCut:
            pass
        finally:
            cut = self.cut.dead.is_set()
            self.cut.dead.clear()
        assert cut == (point is not None), f"the power was {'' if cut else 'not '}cut at {point}: {self.view()}"
        return self.view().state

    def _wake(self) -> None:
        waiting = self.harness.parts.waiting
        (step,) = [step for step in self.view().steps if step.state == "waiting"]
        if self.subject.meanwhile():
            return
        if step.wait.kind in ("time", "poll"):
            with self.harness.db.write():
                waiting._recorder.waits.answer(RUN, "it", None)
                waiting._resume(RUN, "it")
        else:
            waiting.answer(RUN, "it", dict(self.bench.answer["values"]), ANN)

    def repeats(self) -> str:
        """The idempotency of the action with these inputs."""
        action = self.subject.make(self.bench, self.harness)
        return action.idempotency_of(action.Input.model_validate(dict(self.subject.inputs)))

    def view(self) -> Any:
        return self.harness.runs.get(RUN, ANN)

    def seen(self) -> dict[str, str]:
        """Everything that is there afterwards, without what is different each time."""
        (step,) = self.view().steps
        told = [(event.type, event.subject, event.data) for event in self.harness.outbox.read()]
        found = {
            "state": self.view().state,
            "outputs": step.outputs,
            "files": contents(self.bench.workspace),
            "events": [one for one in told if one[0] != "run.changed"],
            "subjects": sorted(self.view().subjects),
            "outside": self.subject.outside(),
        }
        return {name: _VOLATILE.sub("~", repr(value)) for name, value in found.items()}

    def close(self) -> None:
        self.harness.parts.flusher.stop()
        self.harness.db.close()
