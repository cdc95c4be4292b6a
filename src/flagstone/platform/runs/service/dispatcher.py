"""Bringing runs to the engine: new ones at once, and whatever was left behind by a crash."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from datetime import timedelta

from flagstone.kernel.clock import Now
from flagstone.kernel.errors import FlagstoneError
from flagstone.platform.runs.model import Dispatch, execution_id
from flagstone.platform.runs.ports import Engine, Job
from flagstone.platform.runs.service.secrets import RunSecrets
from flagstone.platform.runs.service.waiting import WaitService
from flagstone.platform.runs.service.workers import Workers
from flagstone.platform.runs.service.workspaces import Workspaces
from flagstone.platform.runs.settings import RunsSettings
from flagstone.platform.runs.store import EventStore, RunStore

log = logging.getLogger("flagstone.runs")

_HEAD_START = 0.5
_TIDY_EVERY = 300.0
_ABANDONED = timedelta(hours=1)
"""Most seconds between looks for workspaces to remove."""


class Dispatcher:
    """One background thread. It launches the engine, so that the server is ready before the engine is."""

    def __init__(
        self,
        engine: Engine,
        job: Job,
        runs: RunStore,
        waiting: WaitService,
        workers: Workers,
        *,
        events: EventStore,
        secrets: RunSecrets,
        workspaces: Workspaces,
        settings: RunsSettings,
        now: Now,
    ) -> None:
        self._engine = engine
        self._job = job
        self._runs = runs
        self._waiting = waiting
        self._workers = workers
        self._events = events
        self._secrets = secrets
        self._workspaces = workspaces
        self._settings = settings
        self._now = now
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._started: set[str] = set()
        self._suspects: set[str] = set()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread = threading.Thread(target=self._run, name="run-dispatcher", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """There is a new run."""
        self._wake.set()

    def take(self, new: Sequence[Dispatch], old: Sequence[str]) -> None:
        """Executions of a worker that is gone are replaced by new ones."""
        if self._engine.ready() is not None:
            return  # they are found as lost later
        for dispatch in new:
            self._engine.start(dispatch.execution, dispatch.place)
        for execution in old:
            self._engine.cancel(execution)

    def forget(self, execution: str) -> None:
        """The run was cancelled before it began: the engine need not wake it."""
        if self._engine.ready() is None:
            self._engine.cancel(execution)

    def stop(self) -> None:
        """End the thread; the engine is closed by the caller."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(30)

    def _run(self) -> None:
        pause = 1.0
        # Importing the engine keeps a core busy for a second; the server that is just starting has better use for it.
        self._wake.wait(_HEAD_START)
        while not self._stopped.is_set():
            try:
                # First, since whoever is not among the workers is taken for dead by the others.
                self._workers.start()
                self._engine.launch(self._job)
                break
            except Exception:
                log.exception("the engine cannot be started; trying again in %g s", pause)
                self._stopped.wait(pause)
                pause = min(60.0, pause * 2)
        self._workspaces.sweep()
        tidy_in = 0.0
        woken = True
        while not self._stopped.is_set():
            try:
                self._waiting.wake_due()
                self._start_queued()
                if not woken:
                    self._restart_lost()
                    tidy_in -= self._settings.reconcile_seconds
                    if tidy_in <= 0:
                        self._tidy()
                        tidy_in = min(_TIDY_EVERY, self._settings.keep_workspaces * 360)
            except Exception:
                log.exception("runs could not be looked after; trying again")
                self._stopped.wait(1)
            next_wait = self._waiting.seconds_until_due()
            pause = self._settings.reconcile_seconds if next_wait is None else next_wait
            woken = self._wake.wait(min(pause, self._settings.reconcile_seconds))
            self._wake.clear()

    def _start_queued(self) -> None:
        queued = {found.execution: found for found in self._runs.dispatches("queued", "cancelling")}
        for execution, dispatch in queued.items():
            if execution not in self._started:
                self._engine.start(execution, dispatch.place)
                self._started.add(execution)
        self._started.intersection_update(queued)

    def _restart_lost(self) -> None:
        """Runs that nobody executes or will execute, in two looks one after the other, get a new execution."""
        states = ("queued", "running", "cancelling")
        known = {found.execution: found for found in self._runs.dispatches(*states)}
        lost = self._engine.lost(list(known), self._workers.living())
        for execution in self._suspects.intersection(lost):
            old = known[execution]
            log.warning("run %s was lost by the engine and is started again", old.run_id)
            again = self._runs.reopen(old.run_id, states, state=None, dispatch=old.number)
            if again is not None:
                self._engine.start(execution_id(old.run_id, again), old.place)
        self._suspects = set(lost)

    def _tidy(self) -> None:
        """Remove workspaces and secrets of runs that ended long ago, what the engine knows of them, and old logs."""
        before = self._now() - timedelta(hours=self._settings.keep_workspaces)
        for run in self._runs.untidied(before):
            try:
                self._workspaces.remove(run.id)
                self._secrets.forget(run)
                self._engine.forget([execution_id(run.id, number) for number in range(1, run.dispatch + 1)])
            except FlagstoneError:
                log.exception("run %s could not be tidied up", run.id)
                continue
            self._runs.change(run.id, {"tidied": 1})
        self._secrets.abandon(self._now() - _ABANDONED, lambda run_id: self._runs.get(run_id) is not None)
        if self._settings.keep_logs_days:
            old = self._now() - timedelta(days=self._settings.keep_logs_days)
            for run in self._runs.untidied(old, level=1):
                self._events.drop_log(run.id)
                self._runs.change(run.id, {"tidied": 2})
