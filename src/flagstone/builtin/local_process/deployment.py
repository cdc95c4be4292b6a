"""One deployment: its folder, its log, its address, and what is looked after at the moment."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from flagstone.builtin.local_process.front import Front, FrontLoop, Target
from flagstone.builtin.local_process.instance import Instance, NotHealthy, Plan
from flagstone.builtin.local_process.logfile import LogFile
from flagstone.builtin.local_process.options import Options
from flagstone.builtin.local_process.ports import PortBook
from flagstone.builtin.local_process.state import DeploymentFolder
from flagstone.builtin.local_process.supervision import Schedule, Service, Supervision
from flagstone.builtin.local_process.workload import understand
from flagstone.contracts.deployments import DeploymentState
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import FlagstoneError
from flagstone.sdk import DeploymentSpec, RolloutFailed, RuntimeContext, RuntimeStatus

log = logging.getLogger("flagstone.local")

Progress = Callable[[str], None]
Cancelled = Callable[[], bool]


class Deployment:
    """The public methods do not overlap (the platform sees to that); reports come from the supervising thread."""

    def __init__(
        self, ctx: RuntimeContext, options: Options, folder: DeploymentFolder, loop: FrontLoop, ports: PortBook
    ) -> None:
        self.folder = folder
        self.log = LogFile(folder.log)
        self._ctx = ctx
        self._options = options
        self._loop = loop
        self._ports = ports
        self._lock = threading.RLock()
        self._front: Front | None = None
        self._active: Supervision | None = None
        state: DeploymentState = "stopped" if folder.remembered.stopped else "unknown"
        self._status = RuntimeStatus(state, since=utc_now(), release_id=folder.remembered.release_id)

    @property
    def id(self) -> str:
        """The deployment's id."""
        return self.folder.remembered.id

    @property
    def status(self) -> RuntimeStatus:
        """What is true now."""
        return self._status

    def open_front(self) -> None:
        """Take the address that was remembered, so that people see a page instead of nothing."""
        remembered = self.folder.remembered
        if remembered.port is not None:
            front = Front(self._loop, self._ctx.host, remembered.name)
            if front.listen(remembered.port):
                front.close_service("is stopped" if remembered.stopped else "is starting")
                self._front = front

    def apply(self, spec: DeploymentSpec, progress: Progress, cancelled: Cancelled) -> RuntimeStatus:
        """See ``Runtime.apply``."""
        plan = self._plan(spec)
        if self._runs(plan):
            progress(f"{spec.release} is running already.")
            return self._status
        self.folder.prepare(spec.release_id, spec.source_dir, plan.workload.files, plan.workload.volumes)
        progress(f"Copied the files of {spec.release} to its working folder.")
        self.folder.remember(name=spec.name)
        if plan.workload.schedule is not None:
            self._switch(Schedule(plan, self), None, progress)
            progress(f"Scheduled: {plan.workload.schedule} (UTC), next at {self._status.next_run_at:%Y-%m-%d %H:%M}.")
            return self._status
        instance = self._roll_out(plan, progress, cancelled)
        self._switch(Service(plan, self, instance), instance, progress)
        return self._status

    def restore(self, spec: DeploymentSpec) -> None:
        """See ``Runtime.restore``."""
        if self._active is not None:
            return
        plan = self._plan(spec)
        serves = bool(plan.workload.ports) and plan.workload.schedule is None
        try:
            self.folder.prepare(spec.release_id, spec.source_dir, plan.workload.files, plan.workload.volumes)
            self.folder.remember(name=spec.name, release=spec.release, release_id=spec.release_id, stopped=False)
            if serves:
                self._ensure_front(spec.name)
        except FlagstoneError as error:
            self._set("failed", error.message)
            return
        supervision = Schedule(plan, self) if plan.workload.schedule is not None else Service(plan, self)
        with self._lock:
            self._active = supervision
        supervision.start()

    def stop(self) -> RuntimeStatus:
        """See ``Runtime.stop``."""
        self._end("is stopped")
        self.folder.remember(stopped=True)
        self._set("stopped", "")
        return self._status

    def remove(self) -> list[str]:
        """See ``Runtime.remove``."""
        pid = self._end("was removed")
        done = [f"Ended process {pid} ({self.folder.remembered.release})."] if pid is not None else []
        if self._front is not None:
            done.append(f"Gave back the address {self._url()}.")
            self._front.close()
            self._front = None
        files, size = self.folder.measure()
        self.folder.delete()
        done.append(f"Deleted {files} files ({size // 1024} KiB): working folder, home folder and log.")
        return done

    def close(self) -> None:
        """The server stops: end the process, remember everything."""
        self._end("is restarting", drain=1.0)
        if self._front is not None:
            self._front.close()
            self._front = None

    # What supervisions report.

    def in_service(self, source: Supervision, instance: Instance | None, reason: str) -> None:
        """Point the front at an instance, or nowhere."""
        with self._lock:
            if source is not self._active or self._front is None:
                return
            if instance is not None and instance.port is not None:
                self._front.point_to(instance.port)
            else:
                self._front.close_service(reason)

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
        """Take over what is true, if it is about what is current."""
        with self._lock:
            if source is self._active:
                self._set(state, message, pid=pid, restarts=restarts, next_run_at=next_run_at, last_log=last_log)

    def _plan(self, spec: DeploymentSpec) -> Plan:
        return Plan(spec, understand(spec.workload), self.folder, self._ctx.processes, self._options)

    def _runs(self, plan: Plan) -> bool:
        """Also with what it is given today: resources may have other outputs by now."""
        active = self._active
        return (
            active is not None
            and active.plan.spec.release_id == plan.spec.release_id
            and active.plan.workload == plan.workload
            and self._status.state in ("healthy", "scheduled")
        )

    def _roll_out(self, plan: Plan, progress: Progress, cancelled: Cancelled) -> Instance:
        """Start an instance beside what runs and wait until it is healthy. Raises RolloutFailed."""
        release = plan.spec.release
        self._set("deploying", f"{release} is starting.", pid=self._status.pid, restarts=self._status.restarts)
        if plan.workload.ports:
            self._ensure_front(plan.spec.name)
        instance: Instance | None = None
        try:
            instance = Instance(plan)
            progress(f"Started {release} as process {instance.process.pid}.")
            if plan.workload.readiness is not None:
                progress(f"Waiting until it is healthy: {plan.workload.readiness}.")
            took = instance.wait_healthy(cancelled)
        except (NotHealthy, FlagstoneError) as error:
            reason = error.message if isinstance(error, FlagstoneError) else str(error)
            hint = error.hint if isinstance(error, FlagstoneError) else None
            reason = "the deployment was cancelled" if cancelled() else reason
            raise self._rolled_back(plan, instance, reason, hint) from error
        except BaseException:
            if instance is not None:
                instance.stop()
            raise
        progress(f"{release} is healthy after {took:.1f} s.")
        plan.log.note(f"{release} is healthy after {took:.1f} s")
        return instance

    def _rolled_back(self, plan: Plan, instance: Instance | None, reason: str, hint: str | None) -> RolloutFailed:
        """Take a release back that did not become healthy; what ran before still runs."""
        release, active = plan.spec.release, self._active
        if instance is not None:
            instance.stop()
        stays = f"; {active.plan.spec.release} still runs" if active is not None else ""
        plan.log.note(f"{release} was rolled back: {reason}{stays}")
        last = plan.log.last(since=instance.began_at) if instance is not None else ()
        message = f"{release} did not become healthy: {reason}."
        if active is not None:
            active.report()
            with self._lock:
                self._publish(
                    replace(self._status, message=f"{message} {active.plan.spec.release} still runs.", last_log=last)
                )
        else:
            if self._front is not None:
                self._front.close_service("did not start")
            self._set("failed", message, last_log=last)
        self.folder.forget_releases(active.plan.spec.release_id if active is not None else None)
        return RolloutFailed(
            message, last_log=last, hint=hint or "Mend it, push, and deploy again. The last lines of its log tell more."
        )

    def _switch(self, supervision: Supervision, instance: Instance | None, progress: Progress) -> None:
        """Make a release the current one, then end what ran before, after its requests have been answered."""
        spec = supervision.plan.spec
        former: Target | None = None
        port = instance.port if instance is not None else None
        front = self._ensure_front(spec.name) if port is not None else None
        # Both at once: an old release that restarts at this moment must not take the address back.
        with self._lock:
            old, self._active = self._active, supervision
            if front is not None and port is not None:
                former = front.point_to(port)
        self.folder.remember(release=spec.release, release_id=spec.release_id, stopped=False)
        supervision.report()
        supervision.start()
        if self._front is not None and front is None:
            self._front.close()
            self._front = None
            self._ports.release(self.id)
            self.folder.remember(port=None)
            supervision.report()
        if old is not None:
            old.halt()
            if front is not None:
                front.drain(former, self._options.drain_timeout)
            old.stop()
            progress(f"Ended {old.plan.spec.release}.")
        self.folder.forget_releases(spec.release_id)

    def _ensure_front(self, name: str) -> Front:
        if self._front is None:
            front = Front(self._loop, self._ctx.host, name)
            wanted = self.folder.remembered.port
            port = self._ports.claim(wanted, self.id, front.listen)
            if wanted not in (None, port):
                self.log.note(f"port {wanted} is used by something else; the address is now port {port}")
            front.close_service("is starting")
            self.folder.remember(port=port)
            self._front = front
        return self._front

    def _end(self, reason: str, drain: float = 5.0) -> int | None:
        with self._lock:
            active, self._active = self._active, None
            former = self._front.close_service(reason) if self._front is not None else None
        if active is None:
            return None
        active.halt()
        if self._front is not None:
            self._front.drain(former, min(drain, self._options.drain_timeout))
        return active.stop()

    def _url(self) -> str | None:
        return f"http://{self._ctx.public_host}:{self._front.port}/" if self._front is not None else None

    def _set(
        self,
        state: DeploymentState,
        message: str,
        *,
        pid: int | None = None,
        restarts: int = 0,
        next_run_at: datetime | None = None,
        last_log: tuple[str, ...] = (),
    ) -> None:
        with self._lock:
            since = self._status.since if self._status.state == state else utc_now()
            status = RuntimeStatus(
                state=state,
                message=message,
                url=self._url(),
                since=since,
                release_id=self.folder.remembered.release_id,
                restarts=restarts,
                pid=pid,
                next_run_at=next_run_at,
                last_log=last_log,
            )
            self._publish(status)

    def _publish(self, status: RuntimeStatus) -> None:
        if status == self._status:
            return
        self._status = status
        try:
            self._ctx.changed(self.id, status)
        except Exception:
            log.exception("a change of the deployment %s could not be reported", self.id)
