"""The engine on DBOS Transact (its MIT core only: no Conductor, no enterprise keys, no admin server).

One DBOS workflow is one execution of a run, one DBOS step is one step. DBOS keeps which steps have returned; everything
about them lies in our own tables. DBOS is one per process, so this engine is, too.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from flagstone.kernel.errors import Unavailable
from flagstone.platform.runs.ports import Job

log = logging.getLogger("flagstone.runs.engine")

APPLICATION = "flagstone"
VERSION = "1"
"""Grows when executions that older code began cannot be gone on with; recovery is within one version."""
QUEUE = "runs"
_POLL = 0.2
_one_per_process = threading.Lock()
_launched: list[DbosEngine] = []


class DbosEngine:
    """``url`` is a SQLAlchemy URL of a SQLite file or a PostgreSQL database (DBOS uses the schema ``dbos`` there)."""

    def __init__(self, url: str, *, executor_id: str, concurrency: int) -> None:
        self._url = make_url(url)
        if self._url.get_backend_name() == "postgresql":
            self._url = self._url.set(drivername="postgresql+psycopg")
        self._executor_id = executor_id
        self._concurrency = concurrency
        self._dbos: Any = None
        self._workflow: Any = None
        self._here: set[str] = set()
        self._guard = threading.Lock()

    def launch(self, job: Job) -> None:
        """See ``ports.Engine``. Raises Unavailable when another engine lives in this process."""
        with _one_per_process:
            if _launched:
                raise Unavailable("runs.engine_twice", "This process has an engine already.")
            _launched.append(self)
        try:
            self._launch(job)
        except BaseException:
            self.close(0)
            raise

    def _launch(self, job: Job) -> None:
        # DBOS takes a second to import, and the web server should not wait for it.
        from dbos import DBOS

        self._prepare_file()
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_url": self._url.render_as_string(hide_password=False),
                "application_version": VERSION,
                "executor_id": self._executor_id,
                "log_level": "WARNING",
                "enable_otlp": False,
                "sys_db_pool_size": min(20, 4 + self._concurrency),
            }
        )
        # DBOS brings a handler of its own; its lines belong where all others go.
        logger = logging.getLogger("dbos")
        logger.handlers.clear()
        logger.propagate = True
        workflow = DBOS.workflow(name="flagstone.run")(self._make_workflow(job, DBOS.run_step))
        DBOS.launch()
        DBOS.register_queue(QUEUE, worker_concurrency=self._concurrency, polling_interval_sec=_POLL)
        self._workflow = workflow
        self._dbos = DBOS
        log.info("the engine executes up to %d runs as %s", self._concurrency, self._executor_id)

    def _prepare_file(self) -> None:
        """WAL is a property of the file: set once, it spares every step a full sync."""
        if self._url.get_backend_name() != "sqlite" or not self._url.database:
            return
        Path(self._url.database).parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._url.database)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        finally:
            connection.close()

    def _make_workflow(self, job: Job, run_step: Any) -> Any:
        def run(execution: str) -> None:
            with self._guard:
                self._here.add(execution)
            try:
                steps = job.begin(execution)
                for step_id in steps:
                    run_step({"name": step_id}, job.step, execution, step_id)
                if steps:
                    job.finish(execution)
            finally:
                with self._guard:
                    self._here.discard(execution)

        return run

    def ready(self) -> str | None:
        """See ``ports.Engine``."""
        return None if self._dbos is not None else "the engine of runs is starting"

    def start(self, execution: str) -> None:
        """See ``ports.Engine``."""
        # Loaded by launch(), see there.
        from dbos import SetWorkflowID

        with SetWorkflowID(execution):
            self._running().enqueue_workflow(QUEUE, self._workflow, execution)

    def alive(self, execution: str) -> bool:
        """See ``ports.Engine``."""
        status = self._running().get_workflow_status(execution)
        if status is None:
            return False
        if status.status == "PENDING" and status.executor_id == self._executor_id:
            with self._guard:
                return execution in self._here
        return status.status in ("PENDING", "ENQUEUED", "DELAYED")

    def cancel(self, execution: str) -> None:
        """See ``ports.Engine``."""
        with self._guard:
            if execution in self._here:
                return
        self._running().cancel_workflow(execution)

    def recover(self, executor_id: str) -> None:
        """See ``ports.Engine``."""
        self._running()._recover_pending_workflows([executor_id])  # noqa: SLF001  DBOS has no public call for it

    def close(self, grace: float) -> None:
        """See ``ports.Engine``. The caller has told the job to stop."""
        if self not in _launched:
            return
        # DBOS keeps one instance: also a launch that failed half way has to be taken down before the next one.
        from dbos import DBOS

        self._dbos = None
        DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=int(grace))
        with _one_per_process:
            _launched.remove(self)

    def _running(self) -> Any:
        if self._dbos is None:
            raise Unavailable(
                "runs.engine_starting", "The engine of runs is not ready.", hint="Try again in a moment.", retry_after=1
            )
        return self._dbos
