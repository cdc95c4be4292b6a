"""Putting the parts of this slice together, for the plugin and for tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.foundation.events import PlatformEvents
from flagstone.foundation.vault import VaultService
from flagstone.kernel.clock import Now, utc_now
from flagstone.platform.runs.ports import Engine, HostedFiles
from flagstone.platform.runs.service.calling import Caller
from flagstone.platform.runs.service.crash import CrashPoints
from flagstone.platform.runs.service.dispatcher import Dispatcher
from flagstone.platform.runs.service.executor import Executor
from flagstone.platform.runs.service.logs import LogFlusher
from flagstone.platform.runs.service.recording import Recorder
from flagstone.platform.runs.service.registry import ActionRegistry
from flagstone.platform.runs.service.remote import Fetch
from flagstone.platform.runs.service.resolving import ResolveService
from flagstone.platform.runs.service.runs import RunService
from flagstone.platform.runs.service.secrets import RunSecrets
from flagstone.platform.runs.service.sources import Sources
from flagstone.platform.runs.service.steps import StepRunner
from flagstone.platform.runs.service.undoing import Undoer
from flagstone.platform.runs.service.waiting import WaitService
from flagstone.platform.runs.service.workers import Workers
from flagstone.platform.runs.service.workspaces import Workspaces
from flagstone.platform.runs.settings import RunsSettings
from flagstone.platform.runs.store import EventStore, RunStore, StepStore, WaitStore, WorkerStore
from flagstone.toolkit.db import Database, NameClaim
from flagstone.toolkit.signals import Signals


@dataclass(frozen=True, slots=True)
class Collaborators:
    """What the slice takes from others."""

    db: Database
    access: AccessService
    audit: AuditLog
    events: PlatformEvents
    vault: VaultService
    signals: Signals
    hosted: Callable[[], HostedFiles | None]
    allowed_folders: Sequence[str] = ()
    fetch: Fetch | None = None
    now: Now = utc_now


@dataclass(frozen=True, slots=True)
class RunsAssembly:
    """The slice, put together."""

    service: RunService
    waiting: WaitService
    resolving: ResolveService
    registry: ActionRegistry
    workspaces: Workspaces
    sources: Sources
    engine: Engine
    executor: Executor
    dispatcher: Dispatcher
    workers: Workers
    flusher: LogFlusher
    settings: RunsSettings

    def start(self) -> None:
        """Begin to execute; returns at once, the engine is launched in the background."""
        self.dispatcher.start()

    def stop(self) -> None:
        """Let steps finish for a while, then leave the rest to the next start."""
        self.dispatcher.stop()
        self.executor.stop(self.settings.stop_grace_seconds)
        self.workers.stop()
        self.engine.close(0)
        self.flusher.stop()


def _claim(db: Database, settings: RunsSettings) -> NameClaim:
    # On SQLite there is one process in all, whatever it is called.
    return NameClaim(db, "runs" if db.is_sqlite else f"runs.{settings.executor_id}")


def assemble(others: Collaborators, engine: Engine, settings: RunsSettings, workspaces_dir: Path) -> RunsAssembly:
    """Build everything; nothing runs before :meth:`RunsAssembly.start`."""
    runs, steps, events = RunStore(others.db), StepStore(others.db), EventStore(others.db)
    waits = WaitStore(others.db)
    recorder = Recorder(
        others.db,
        runs=runs,
        steps=steps,
        waits=waits,
        events=events,
        outbox=others.events,
        signals=others.signals,
        now=others.now,
    )
    registry, flusher, crash = ActionRegistry(), LogFlusher(), CrashPoints(settings.crash_at)
    workspaces, secrets = Workspaces(workspaces_dir, quota=settings.workspace_bytes), RunSecrets(others.vault)
    sources = Sources(others.allowed_folders, others.hosted, others.fetch)
    executor = Executor(recorder, flusher, secrets, settings, lambda step: crash.hit("between_steps", step))
    caller = Caller(
        grace=settings.cancel_grace_seconds,
        crash=crash,
        stopping=executor.stopping,
        look=executor.look,
    )
    executor.runner = StepRunner(
        recorder,
        registry,
        access=others.access,
        workspaces=workspaces,
        sources=sources,
        settings=settings,
        crash=crash,
        caller=caller,
        stopping=executor.stopping,
    )
    waiting = WaitService(recorder, others.access, others.audit)
    executor.undoer = Undoer(recorder, executor.runner, executor.stopping)
    workers = Workers(WorkerStore(others.db, others.now), recorder, settings, _claim(others.db, settings))
    dispatcher = Dispatcher(
        engine,
        executor,
        runs,
        waiting,
        workers,
        events=events,
        secrets=secrets,
        workspaces=workspaces,
        settings=settings,
        now=others.now,
    )
    workers.taken_over = dispatcher.take
    executor.wake = waiting.wake = dispatcher.wake
    service = RunService(
        recorder,
        events,
        executor,
        dispatcher,
        secrets,
        registry,
        access=others.access,
        audit=others.audit,
        signals=others.signals,
        settings=settings,
    )
    resolving = ResolveService(recorder, registry, others.access, others.audit)
    resolving.wake = dispatcher.wake
    return RunsAssembly(
        service,
        waiting,
        resolving,
        registry,
        workspaces,
        sources,
        engine,
        executor,
        dispatcher,
        workers,
        flusher,
        settings,
    )
