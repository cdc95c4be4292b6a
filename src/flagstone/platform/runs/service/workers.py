"""This process among the workers: it says that it is there, and takes over the runs of those that are not any more.

A worker is given up when, for its lease, the database heard nothing of it, and this process saw nothing change while it
was itself awake all the time. Whoever sees it first takes it out; in the same transaction its runs get a new fence, so
that whatever it still writes is refused. Nobody leads.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from flagstone.kernel.clock import iso
from flagstone.kernel.errors import Conflict
from flagstone.platform.runs.model import Dispatch, RunRecord, WorkerRecord, execution_id
from flagstone.platform.runs.service.recording import Recorder
from flagstone.platform.runs.settings import RunsSettings
from flagstone.platform.runs.store import NewEvent, WorkerStore
from flagstone.toolkit.db import NameClaim

log = logging.getLogger("flagstone.runs")

_LETTING_GO = 3.0
"""Seconds for a process of the same name that is about to end."""
_BEATS = 5
"""Signs of life in one lease."""


@dataclass(frozen=True, slots=True)
class _Seen:
    session: str
    at: datetime
    since: float
    """When this process saw the sign of life first, monotonic."""


class Workers:
    """``taken_over`` is called with the new executions of runs of a worker that is gone, and the old ones."""

    def __init__(self, store: WorkerStore, recorder: Recorder, settings: RunsSettings, claim: NameClaim) -> None:
        self._claim = claim
        self._store = store
        self._recorder = recorder
        self._lease = settings.lease_seconds
        self._name = settings.executor_id
        self._concurrency = settings.concurrency
        self._session = ""
        self._seen: dict[str, _Seen] = {}
        self._looked = 0.0
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self.taken_over: Callable[[Sequence[Dispatch], Sequence[str]], None] = lambda _new, _old: None
        """Set by whoever builds the service."""

    def claim(self, wait: float = _LETTING_GO) -> None:
        """Be the only process of this name. Raises Conflict while another is; ``wait``: seconds for one that ends."""
        if self._claim.take(wait):
            return
        other = next((worker for worker in self._store.all() if worker.name == self._name), None)
        who = f": process {other.process} on {other.host}, since {iso(other.started_at)}" if other else ""
        raise Conflict(
            "runs.name_in_use",
            f"Another process executes runs as {self._name!r} over the same database already{who}.",
            hint="Stop it first. To run several processes on PostgreSQL give each its own name: the setting "
            "runs.executor_id (FLAGSTONE_RUNS__EXECUTOR_ID), or --name of `flagstone worker`.",
        )

    def start(self) -> None:
        """Register, and go on saying so in the background. Raises what the database raises."""
        self._register()
        self._thread = threading.Thread(target=self._run, name="run-heartbeat", daemon=True)
        self._thread.start()

    def _register(self) -> None:
        self._session = secrets.token_hex(8)
        now = self._recorder.now()
        me = WorkerRecord(
            self._name,
            self._session,
            "active",
            socket.gethostname(),
            os.getpid(),
            self._concurrency,
            self._lease,
            now,
            now,
        )
        self._store.register(me)

    def _run(self) -> None:
        while not self._stopped.wait(self._lease / _BEATS):
            try:
                self.beat()
            except Exception:
                log.exception("the worker %s cannot say that it is there; trying again", self._name)

    def beat(self) -> None:
        """Say that this process is there, and look for those that are not."""
        self._claim.renew()
        if not self._store.beat(self._name, self._session):
            others = {worker.name: worker.session for worker in self._store.all()}
            if others.get(self._name, self._session) != self._session:
                log.error("another process is the worker %s, too: give each its own runs.executor_id", self._name)
                return
            log.warning("the worker %s was away for so long that others took its runs", self._name)
            self._register()
        for worker in self._gone():
            self.take_over(worker)

    def all(self) -> list[WorkerRecord]:
        """Every worker, by name."""
        return self._store.all()

    def living(self) -> frozenset[str]:
        """Names of those that are not given up."""
        return frozenset(worker.name for worker in self._store.all())

    def _gone(self) -> list[WorkerRecord]:
        now = time.monotonic()
        # What happened while this process itself was stopped is no evidence against the others.
        awake = now - self._looked < self._lease / 2
        self._looked = now
        workers = [worker for worker in self._store.all() if worker.name != self._name]
        before, self._seen = self._seen, {}
        gone: list[WorkerRecord] = []
        database = self._recorder.db_now()
        for worker in workers:
            known = before.get(worker.name)
            if not awake or known is None or (known.session, known.at) != (worker.session, worker.seen_at):
                known = _Seen(worker.session, worker.seen_at, now)
            self._seen[worker.name] = known
            silent = min(now - known.since, (database - worker.seen_at).total_seconds())
            if silent > worker.lease_seconds:
                gone.append(worker)
        return gone

    def take_over(self, worker: WorkerRecord) -> list[RunRecord]:
        """Take out a worker, and let others go on with its runs."""
        recorder = self._recorder
        found: list[RunRecord] = []
        new: list[Dispatch] = []
        with recorder.db.write():
            if not self._store.remove(worker):
                return []
            for run in recorder.runs.of_worker(worker.name):
                dispatch = recorder.runs.reopen(run.id, ("running", "cancelling"), state=None, dispatch=run.dispatch)
                if dispatch is None:
                    continue
                text = f"The worker {worker.name} is gone; another one goes on."
                recorder.append(run.id, [NewEvent(recorder.now(), "log", text=text, stream="warn")])
                found.append(run)
                new.append(Dispatch(run.id, dispatch, run.place))
        log.warning("the worker %s is gone; %d of its runs go on elsewhere", worker.name, len(found))
        self.taken_over(new, [execution_id(run.id, run.dispatch) for run in found])
        return found

    def leaving(self) -> None:
        """This process takes no new runs."""
        self._store.set_state(self._name, self._session, "stopping")

    def stop(self) -> None:
        """Leave: others go on with what is left. Without others it is left to the next start."""
        self._stopped.set()
        try:
            if self._thread is not None:
                self._leave(self._thread)
        finally:
            self._claim.release()

    def _leave(self, thread: threading.Thread) -> None:
        thread.join(5)
        workers = {worker.name: worker for worker in self._store.all()}
        me = workers.get(self._name)
        others = any(worker.state == "active" for name, worker in workers.items() if name != self._name)
        if me is not None and me.session == self._session and others:
            self.take_over(me)
