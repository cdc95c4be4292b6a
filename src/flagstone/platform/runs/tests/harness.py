"""The slice with real databases and a real engine, in this process or as a child that may be killed.

python harness.py FOLDER KEY    starts (or goes on with) the run of the workflow in FOLDER/workflow.json and waits for it
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from flagstone.contracts.runs import RunRequest
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.foundation.vault import VaultKey, VaultService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Temporary
from flagstone.platform.runs.model import SETTLED
from flagstone.platform.runs.permissions import PERMISSIONS
from flagstone.platform.runs.ports.dbos import DbosEngine
from flagstone.platform.runs.service.assembly import Collaborators, assemble
from flagstone.platform.runs.settings import RunsSettings
from flagstone.sdk import Action, Inputs, Outputs
from flagstone.testing.databases import migrated
from flagstone.toolkit.db import PlatformDatabase
from flagstone.toolkit.signals import Signals

SRC = Path(__file__).parents[4]
ANN = Principal("user", "user:ann", "Ann", role="developer", entity_ref="user:default/ann")
BOB = Principal("user", "user:bob", "Bob", role="developer", entity_ref="user:default/bob")
EVE = Principal("user", "user:eve", "Eve", role="viewer", entity_ref="user:default/eve")
MAY = Principal("user", "user:may", "May", role="maintainer", entity_ref="user:default/may")


class _Counted(Action):
    title = "Count"

    class Input(Inputs):
        name: str
        seconds: float = 0

    class Output(Outputs):
        count: int
        name: str

    def __init__(self, folder: Path) -> None:
        self.ledger = folder / "ledger"
        self.calls = folder / "calls"

    def plan(self, ctx, inputs):
        ctx.change("other", "run", inputs.name, "would be counted")
        return self.Output(count=0, name=inputs.name)

    def _do(self, ctx, inputs):
        ctx.log(f"counting {inputs.name}")
        if inputs.seconds:
            time.sleep(inputs.seconds / 2)
        append(self.ledger, f"{ctx.step_key} {inputs.name}")
        if inputs.seconds:
            time.sleep(inputs.seconds / 2)
        ctx.emit("counted", inputs.name, {"name": inputs.name})
        ctx.link(f"Component:default/{inputs.name}")
        return self.Output(count=len(lines(self.ledger)), name=inputs.name)

    def run(self, ctx, inputs):
        append(self.calls, inputs.name)
        return self._do(ctx, inputs)


class CountProbe(_Counted):
    """Appends a line to a ledger; can find it again."""

    id = "count:probe"
    idempotency = "probe"

    def probe(self, ctx, inputs):
        if any(line.startswith(ctx.step_key) for line in lines(self.ledger)):
            ctx.emit("counted", inputs.name, {"name": inputs.name})
            return self.Output(count=-1, name=inputs.name)
        return None


class CountKey(_Counted):
    """The target refuses the same key twice."""

    id = "count:key"
    idempotency = "key"

    def _do(self, ctx, inputs):
        if any(line.startswith(ctx.step_key) for line in lines(self.ledger)):
            ctx.emit("counted", inputs.name, {"name": inputs.name})
            return self.Output(count=-1, name=inputs.name)
        return super()._do(ctx, inputs)


class CountNatural(_Counted):
    """Writes a file: twice is as good as once."""

    id = "count:natural"
    idempotency = "natural"

    def _do(self, ctx, inputs):
        ctx.workspace.write(f"{inputs.name}.txt", inputs.name)
        ctx.emit("counted", inputs.name, {"name": inputs.name})
        return self.Output(count=1, name=inputs.name)


class CountNone(_Counted):
    """Can neither be repeated nor asked."""

    id = "count:none"
    idempotency = "none"


class CountTarget(_Counted):
    """The target takes each key once, however late it comes and from whom."""

    id = "count:target"
    idempotency = "key"

    def _do(self, ctx, inputs):
        time.sleep(inputs.seconds)
        try:
            os.close(os.open(self.ledger.with_name(f"done-{ctx.step_key}"), os.O_CREAT | os.O_EXCL))
            append(self.ledger, f"{ctx.step_key} {inputs.name}")
        except FileExistsError:
            ctx.log("done before")
        ctx.emit("counted", inputs.name, {"name": inputs.name})
        return self.Output(count=1, name=inputs.name)


class CountUndo(CountTarget):
    """Takes back, once for each key."""

    id = "count:undo"

    def undo(self, ctx, inputs, outputs):
        gone = self.ledger.with_name(f"undone-{ctx.step_key}")
        if not gone.exists():
            append(self.ledger, f"{ctx.step_key} -{inputs.name}")
            gone.touch()


class Speak(Action):
    """Logs, returns, fails, waits: whatever a test asks for."""

    id = "speak"
    title = "Speak"
    permission = "runs.run.start"

    class Input(Inputs):
        text: str = ""
        lines: int = 0
        outputs: dict = {}  # noqa: RUF012
        fail: str = ""
        temporary: int = 0
        wait: float = 0
        deaf: bool = False

    class Output(Outputs):
        model_config = {"extra": "allow"}  # noqa: RUF012  pydantic copies it

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def plan(self, ctx, inputs):
        ctx.change("other", "run", inputs.text, "would be said")
        return self.Output(**inputs.outputs)

    def run(self, ctx, inputs):
        ctx.log(inputs.text)
        for number in range(inputs.lines):
            ctx.log(f"line {number} {inputs.text}")
        if inputs.temporary >= ctx.attempt:
            raise Temporary("speak.busy", f"Busy, attempt {ctx.attempt}.", retry_after=0.01)
        if inputs.fail:
            raise ValueError(inputs.fail)
        until = time.monotonic() + inputs.wait
        while time.monotonic() < until and (inputs.deaf or not ctx.cancelled()):
            time.sleep(0.01)
        if inputs.deaf:
            append(self.folder / "deaf", inputs.text)
            ctx.log("too late")
        return self.Output(**inputs.outputs)


class AdminOnly(Speak):
    """Needs more than a developer has."""

    id = "admin:speak"
    permission = "runs.run.cancel"


def append(path: Path, text: str) -> None:
    """A line, in one write that survives a kill."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, f"{text}\n".encode())
    finally:
        os.close(handle)


def lines(path: Path) -> list[str]:
    """What was appended."""
    return path.read_text().splitlines() if path.exists() else []


class Harness:
    """Everything but the web."""

    def __init__(
        self, folder: Path, *, url: str = "", engine_url: str = "", migrations=None, extend=None, **settings
    ) -> None:
        """``extend(harness)`` gives further actions, and may set ``hosted``; ``migrations`` are those it needs."""
        import flagstone.foundation.audit as audit_slice
        import flagstone.foundation.events as events_slice
        import flagstone.foundation.vault as vault_slice
        import flagstone.platform.runs as runs_slice

        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.db = PlatformDatabase(url or f"sqlite:///{folder / 'platform.db'}")
        slices = {"audit": audit_slice, "events": events_slice, "vault": vault_slice, "runs": runs_slice}
        folders = {name: Path(piece.__file__).parent / "migrations" for name, piece in slices.items()}
        migrated(self.db, **folders, **(migrations or {}))
        self.hosted = None
        self.signals = Signals()
        self.audit = PlatformAudit(self.db)
        self.outbox = PlatformEvents(self.db, self.signals)
        self.access = AccessService(self.audit)
        self.access.register(PERMISSIONS, "runs")
        vault = VaultService(self.db, VaultKey(b"k" * 32), self.audit)
        quick = {
            "retry_base_seconds": 0.01,
            "cancel_grace_seconds": 0.5,
            "reconcile_seconds": 0.3,
            "stop_grace_seconds": 0.2,
        }
        self.settings = RunsSettings(**{**quick, **settings})
        engine = DbosEngine(
            engine_url or f"sqlite:///{folder / 'engine.db'}",
            executor_id=self.settings.executor_id,
            concurrency=self.settings.concurrency,
        )
        others = Collaborators(
            db=self.db,
            access=self.access,
            audit=self.audit,
            events=self.outbox,
            vault=vault,
            signals=self.signals,
            hosted=lambda: self.hosted,
            allowed_folders=(str(folder),),
        )
        self.parts = assemble(others, engine, self.settings, folder / "workspaces")
        self.runs = self.parts.service
        for kind in (CountProbe, CountKey, CountNatural, CountNone, CountTarget, CountUndo, Speak, AdminOnly):
            self.parts.registry.add(kind(folder), "tests")
        for action in extend(self) if extend else ():
            self.parts.registry.add(action, "tests")
        self.parts.registry.freeze()

    def start(self) -> Harness:
        self.parts.start()
        return self

    def stop(self) -> None:
        self.parts.stop()
        self.db.close()

    def submit(self, steps, inputs=None, actor=ANN, **request):
        """Start a run of steps written as in a template."""
        workflow = {
            "name": "test",
            "title": "A test",
            "output": request.pop("output", {}),
            "base": request.pop("base", ""),
            "undo": request.pop("undo", "never"),
            "steps": [
                {
                    "id": step["id"],
                    "name": step.get("name", step["id"]),
                    "action": step.get("action", "speak"),
                    "input": step.get("input", {}),
                    "condition": step.get("if"),
                    "each": step.get("each"),
                }
                for step in steps
            ],
        }
        body = {"workflow": workflow, "inputs": inputs or {}, **request}
        return self.runs.start(RunRequest.model_validate(body), actor)

    def wait(self, run_id, *states, timeout=30):
        """The run once it has settled, or is in one of the states."""
        until = time.monotonic() + timeout
        while True:
            run = self.runs.get(run_id, ANN)
            if run.state in (states or SETTLED):
                return run
            if time.monotonic() > until:
                raise AssertionError(f"run is still {run.state}: {[(step.id, step.state) for step in run.steps]}")
            time.sleep(0.02)

    def log(self, run_id):
        return [event.text for event in self.runs.events(run_id, ANN, limit=5000) if event.type == "log"]


def main(folder: Path, key: str) -> None:
    """What the child process does."""
    options = json.loads((folder / "options.json").read_text())
    harness = Harness(folder, **options["settings"], **options.get("urls", {})).start()
    run = harness.submit(
        options["steps"],
        options.get("inputs"),
        idempotency_key=key,
        secrets=options.get("secrets", {}),
        undo=options.get("undo", "never"),
    )
    run = harness.wait(run.id, timeout=60)
    harness.stop()
    print(json.dumps({"state": run.state, "output": [step.outputs for step in run.steps]}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
