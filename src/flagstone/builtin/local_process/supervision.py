"""Keeping what was deployed alive: restarts with back-off for services, executions on time for scheduled workloads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from cronsim import CronSim

from flagstone.builtin.local_process.instance import Instance, NotHealthy, Plan
from flagstone.contracts.deployments import DeploymentState
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import FlagstoneError
from flagstone.kernel.ids import new_id

_LOG_LINES = 20


class Owner(Protocol):
    """Who is told. Both are ignored when they come from what is no longer current."""

    def in_service(self, source: Supervision, instance: Instance | None, reason: str) -> None:
        """Requests may go to this instance from now on; None: to nobody, for that reason."""

    def report(
        self,
        source: Supervision,
        state: DeploymentState,
        message: str = "",
        *,
        pid: int | None = None,
        restarts: int = 0,
        next_run_at: datetime | None = None,
        last_log: tuple[str, ...] = (),
    ) -> None:
        """What is true now."""


class Supervision:
    """A thread that looks after one release. :meth:`halt` ends the looking after, :meth:`stop` the process, too."""

    def __init__(self, plan: Plan, owner: Owner) -> None:
        self.plan = plan
        self.instance: Instance | None = None
        self._owner = owner
        self._told: Callable[[], None] | None = None
        self._halted = threading.Event()
        self._starting = threading.Lock()
        self._thread = threading.Thread(target=self._guarded, name=f"local-{plan.spec.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def halt(self) -> None:
        """Do nothing more; what runs goes on running."""
        self._halted.set()

    def stop(self) -> int | None:
        """End the process, if one runs, and the thread; returns the pid."""
        self._halted.set()
        with self._starting:
            instance = self.instance
        pid: int | None = None
        if instance is not None and instance.process.poll() is None:
            pid = instance.process.pid
            instance.stop()
            self.plan.log.note(f"stopped {self.plan.spec.release} (pid {pid})")
        if self._thread.is_alive():
            self._thread.join(10)
        return pid

    def report(self) -> None:
        """Tell the owner again what is true."""
        if self._told is not None:
            self._told()

    def _tell(
        self,
        state: DeploymentState,
        message: str = "",
        *,
        pid: int | None = None,
        restarts: int = 0,
        next_run_at: datetime | None = None,
        last_log: tuple[str, ...] = (),
    ) -> None:
        def tell() -> None:
            self._owner.report(
                self, state, message, pid=pid, restarts=restarts, next_run_at=next_run_at, last_log=last_log
            )

        self._told = tell
        tell()

    def _new_instance(self) -> Instance | None:
        """Start one, unless we were halted: then nobody would end it."""
        with self._starting:
            if self._halted.is_set():
                return None
            self.instance = Instance(self.plan)
            return self.instance

    def _guarded(self) -> None:
        try:
            self._run()
        except Exception as error:  # a thread that dies silently would leave a state that is not true
            self.plan.log.note(f"the supervision failed: {type(error).__name__}: {error}")
            self._tell("unknown", f"The supervision failed: {error}")
            raise

    def _run(self) -> None:
        raise TypeError(f"{type(self).__name__} must say how it supervises: define _run().")


class Service(Supervision):
    """A workload that runs all the time."""

    def __init__(self, plan: Plan, owner: Owner, instance: Instance | None = None) -> None:
        super().__init__(plan, owner)
        self.instance = instance
        self._restarts = 0
        self._failures = 0
        self._healthy_since = time.monotonic() if instance is not None else 0.0
        self._unready = 0
        self._dead = 0
        self._not_ready: str | None = None
        if instance is not None:
            self._told = self._well

    def _well(self) -> None:
        """Healthy, or why not quite."""
        pid = self.instance.process.pid if self.instance is not None else None
        if self._not_ready:
            message = f"It does not pass its probe: {self._not_ready}."
            self._tell("degraded", message, pid=pid, restarts=self._restarts)
        else:
            self._tell("healthy", pid=pid, restarts=self._restarts)

    def _run(self) -> None:
        if self.instance is None:
            self._tell("starting", f"{self.plan.spec.release} is starting.")
            self._bring_up()
        while not self._halted.is_set() and self.instance is not None:
            code = self.instance.process.wait(self.plan.options.probe_interval)
            if self._halted.is_set():
                return
            if code is None:
                self._look()
            else:
                self._failed(self.instance.ending(code))
                self._bring_up()

    def _bring_up(self) -> None:
        """Start instances until one is healthy."""
        while not self._halted.is_set():
            instance: Instance | None = None
            try:
                instance = self._new_instance()
                if instance is None:
                    return
                instance.wait_healthy(self._halted.is_set)
            except (NotHealthy, FlagstoneError) as error:
                if self._halted.is_set():
                    return  # whoever halted us stops the instance
                if instance is not None:
                    instance.stop()
                self._failed(error.message if isinstance(error, FlagstoneError) else str(error))
                continue
            self._healthy_since = time.monotonic()
            self._unready = self._dead = 0
            self._not_ready = None
            self.plan.log.note(f"{self.plan.spec.release} is healthy")
            self._owner.in_service(self, instance, "")
            self._well()
            return

    def _failed(self, reason: str) -> None:
        """Take it out of service and wait before the next attempt."""
        options = self.plan.options
        if self._healthy_since and time.monotonic() - self._healthy_since >= options.stable_after:
            self._failures = 0
        self._healthy_since = 0.0
        self._failures += 1
        self._restarts += 1
        crashed = self._failures >= options.crashes
        pause = options.backoff_most if crashed else options.backoff_first * 2 ** (self._failures - 1)
        pause = min(pause, options.backoff_most)
        self.plan.log.note(f"{self.plan.spec.release} failed: {reason}; starting it again in {pause:g} s")
        times = f"{self._failures} times in a row" if self._failures > 1 else "once"
        message = f"{self.plan.spec.release} failed {times}: {reason}. The next attempt is in {pause:g} s."
        self._owner.in_service(self, None, "has crashed and is being restarted")
        since = self.instance.began_at if self.instance else 0
        last = self.plan.log.last(_LOG_LINES, since=since)
        self._tell("crashed" if crashed else "starting", message, restarts=self._restarts, last_log=last)
        self._halted.wait(pause)

    def _look(self) -> None:
        """Ask the probes of something that runs."""
        assert self.instance is not None
        options = self.plan.options
        dead = self.instance.ask_alive(options.probe_timeout)
        self._dead = self._dead + 1 if dead else 0
        if self._dead >= options.probe_failures and not self._halted.is_set():
            self.instance.stop()
            self._failed(f"its liveness probe failed {self._dead} times: {dead}")
            self._bring_up()
            return
        if self.plan.workload.readiness is None:
            return
        unready = self.instance.ask_ready(options.probe_timeout)
        self._unready = self._unready + 1 if unready else 0
        now = unready if self._unready >= options.probe_failures else None
        if (now is None) != (self._not_ready is None) and (now or not unready):
            self._not_ready = now
            what = f"does not pass its probe: {now}" if now else "is healthy again"
            self.plan.log.note(f"{self.plan.spec.release} {what}")
            self._well()


class Schedule(Supervision):
    """A workload that runs at certain times, one execution after the other."""

    def __init__(self, plan: Plan, owner: Owner) -> None:
        super().__init__(plan, owner)
        self._failure = ""
        self._next = self._coming()
        self._told = self._waiting

    def _waiting(self) -> None:
        """When it runs next, and whether it went well the last time."""
        state: DeploymentState = "degraded" if self._failure else "scheduled"
        last = self.plan.log.last(_LOG_LINES) if self._failure else ()
        self._tell(state, self._failure, next_run_at=self._next, last_log=last)

    def _run(self) -> None:
        while not self._halted.is_set():
            due = self._next
            self._waiting()
            left = (due - utc_now()).total_seconds()
            # Short waits: the clock of the machine may be set, or it may have slept.
            if self._halted.wait(min(max(left, 0.0), 30.0)):
                return
            if due <= utc_now():
                self._execute()
                self._next = self._coming()

    def _coming(self) -> datetime:
        assert self.plan.workload.schedule is not None
        return next(CronSim(self.plan.workload.schedule, utc_now()))

    def _execute(self) -> None:
        execution, log = new_id()[-6:], self.plan.log
        log.note(f"execution {execution} begins")
        began = time.monotonic()
        try:
            instance = self._new_instance()
        except FlagstoneError as error:
            self._ended(execution, error.message)
            return
        if instance is None:
            return
        pid = instance.process.pid
        self._tell("scheduled", f"Execution {execution} is running.", pid=pid, next_run_at=self._next)
        deadline = began + self.plan.options.job_timeout
        while (code := instance.process.wait(0.5)) is None:
            if self._halted.is_set():
                return
            if time.monotonic() > deadline:
                instance.stop()
                self._ended(execution, f"it took longer than {self.plan.options.job_timeout:g} s and was ended")
                return
        took = time.monotonic() - began
        if code == 0:
            log.note(f"execution {execution} ended with exit code 0 after {took:.1f} s")
            self._failure = ""
        else:
            self._ended(execution, f"{instance.ending(code)} after {took:.1f} s")

    def _ended(self, execution: str, reason: str) -> None:
        self.plan.log.note(f"execution {execution} failed: {reason}")
        self._failure = f"Execution {execution} failed: {reason}."
