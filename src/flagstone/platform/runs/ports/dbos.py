"""The engine on DBOS Transact (its MIT core only: no Conductor, no enterprise keys, no admin server).

One DBOS workflow is one execution of a run: DBOS queues it, gives it to a process, goes on with it after a crash. Its
steps are no DBOS steps: what they have done lies in our own tables, in the transaction of their results, and a second
note of it would cost more than the first. DBOS is one per process, so this engine is, too.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url

from flagstone.kernel.errors import Unavailable
from flagstone.platform.runs.ports import Job

log = logging.getLogger("flagstone.runs.engine")

APPLICATION = "flagstone"
VERSION = "1"
"""Grows when executions that older code began cannot be gone on with; recovery is within one version."""
_QUEUES = {"": "runs", "server": "runs-server"}
_POLL = 0.2
_one_per_process = threading.Lock()
_launched: list[DbosEngine] = []


class DbosEngine:
    """``url`` is a SQLAlchemy URL of a SQLite file or a PostgreSQL database (DBOS uses the schema ``dbos`` there)."""

    def __init__(self, url: str, *, executor_id: str, concurrency: int, serves: bool = True) -> None:
        self._url = make_url(url)
        if self._url.get_backend_name() == "postgresql":
            self._url = self._url.set(drivername="postgresql+psycopg")
        self._executor_id = executor_id
        self._concurrency = concurrency
        self._queues = list(_QUEUES.values()) if serves else [_QUEUES[""]]
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
        workflow = DBOS.workflow(name="flagstone.run")(self._make_workflow(job))
        DBOS.listen_queues(self._queues)
        DBOS.launch()
        for name in _QUEUES.values():
            DBOS.register_queue(name, worker_concurrency=self._concurrency, polling_interval_sec=_POLL)
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

    def _make_workflow(self, job: Job) -> Any:
        def run(execution: str) -> None:
            with self._guard:
                self._here.add(execution)
            try:
                job.perform(execution)
            finally:
                with self._guard:
                    self._here.discard(execution)

        return run

    def ready(self) -> str | None:
        """See ``ports.Engine``."""
        return None if self._dbos is not None else "the engine of runs is starting"

    def start(self, execution: str, place: str = "") -> None:
        """See ``ports.Engine``."""
        # Loaded by launch(), see there.
        from dbos import SetWorkflowID

        with SetWorkflowID(execution):
            self._running().enqueue_workflow(_QUEUES[place], self._workflow, execution)

    def lost(self, executions: Sequence[str], living: Container[str]) -> list[str]:
        """See ``ports.Engine``."""
        if not executions:
            return []
        engine = self._running()
        found = engine.list_workflows(workflow_ids=list(executions), load_input=False, load_output=False)
        alive = {status.workflow_id for status in found if self._alive(status, living)}
        return [execution for execution in executions if execution not in alive]

    def _alive(self, status: Any, living: Container[str]) -> bool:
        if status.status == "PENDING" and status.executor_id == self._executor_id:
            with self._guard:
                return status.workflow_id in self._here
        if status.status == "PENDING":
            return status.executor_id in living
        return status.status in ("ENQUEUED", "DELAYED")

    def cancel(self, execution: str) -> None:
        """See ``ports.Engine``."""
        with self._guard:
            if execution in self._here:
                return
        self._running().cancel_workflow(execution)

    def forget(self, executions: Sequence[str]) -> None:
        """See ``ports.Engine``."""
        self._running().delete_workflows(list(executions))

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
