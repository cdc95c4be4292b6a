"""Keeps what is recorded true: hears the runtimes, brings workloads back after a start, finds cut-off rollouts."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flagstone.kernel.clock import Now
from flagstone.kernel.errors import FlagstoneError, Temporary
from flagstone.platform.deployments.model import Deployment
from flagstone.platform.deployments.service.recorder import Recorder, status_values
from flagstone.platform.deployments.service.release_files import ReleaseFiles
from flagstone.platform.deployments.service.resourcing import Resourcing
from flagstone.platform.deployments.service.runtimes import OpenRuntimes
from flagstone.platform.deployments.service.turns import Execution, Turns
from flagstone.platform.deployments.service.workloads import spec_of
from flagstone.platform.deployments.store import DeploymentStore, ReleaseStore
from flagstone.sdk import RuntimeStatus

log = logging.getLogger("flagstone.deployments")

_SWEEP = 15.0
"""Seconds between looks at everything: what a runtime forgot to say is seen then."""
_BREATH = 0.2
"""Seconds between two writes for one deployment: a workload that flaps must not keep the database busy."""
_PATIENCE = 12.0
"""Seconds that rollouts get to be given up in when the server stops."""
_KEPT = ("message", "last_log")
"""What a runtime that reports the same state again does not wipe out: why a newer release was given up."""


class Supervisor:
    """See the module. Reports of runtimes are hints to look again: what is written is what the runtime says then."""

    def __init__(
        self,
        store: DeploymentStore,
        releases: ReleaseStore,
        files: ReleaseFiles,
        turns: Turns,
        recorder: Recorder,
        resourcing: Resourcing,
        *,
        now: Now,
        parallel: int,
    ) -> None:
        self._resourcing = resourcing
        self._store = store
        self._releases = releases
        self._files = files
        self._turns = turns
        self._recorder = recorder
        self._now = now
        self._parallel = parallel
        self._runtimes: OpenRuntimes | None = None
        self._back: set[str] = set()
        self._hints: set[str] = set()
        self._wake = threading.Condition()
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def use(self, runtimes: OpenRuntimes) -> None:
        """Set the runtimes, which report to this supervisor and therefore come after it."""
        self._runtimes = runtimes

    def start(self) -> None:
        """Bring back what should run, in the background, and listen."""
        self._files.sweep()
        for name, target in (("deployments-restore", self.restore), ("deployments-status", self._listen)):
            thread = threading.Thread(target=target, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """End all workloads; what is wanted stays recorded, and the last states stay as they are."""
        with self._wake:
            self._stopping = True
            self._wake.notify_all()
        self._turns.close(_PATIENCE)
        for thread in self._threads:
            thread.join(10)
        if self._runtimes is not None:
            self._runtimes.close()

    def on_status(self, deployment_id: str, _status: RuntimeStatus) -> None:
        """A runtime reports a change. Returns at once; may be called from any thread."""
        self.hint(deployment_id)

    def hint(self, deployment_id: str) -> None:
        """Look at a deployment soon."""
        with self._wake:
            if not self._stopping:
                self._hints.add(deployment_id)
                self._wake.notify_all()

    def known(self, deployment_id: str) -> None:
        """The runtime of this process knows a deployment now: it need not be brought back."""
        self._back.add(deployment_id)

    def forget(self, deployment_id: str) -> None:
        """The deployment is gone."""
        self._back.discard(deployment_id)

    def bring_back(self, deployment: Deployment) -> None:
        """Have the current release run again, unless this process has done so already. Call it in a turn."""
        if deployment.id in self._back or deployment.desired != "running" or deployment.current_release_id is None:
            return
        release = self._releases.get(deployment.current_release_id)
        if release is None:
            return
        folder, outputs = self._files.ensure(release), self._resourcing.values(deployment, release)
        spec = spec_of(deployment, release, folder, self._files.reader(release), outputs)
        self._open.get(deployment.runtime).restore(spec)
        self._back.add(deployment.id)

    def restore(self) -> None:
        """Bring back every deployment that should run; one that cannot does not keep the others."""
        try:
            wanted = self._store.wanted()
        except FlagstoneError:
            log.exception("the deployments could not be read")
            return
        with ThreadPoolExecutor(self._parallel, thread_name_prefix="deployments-restore") as pool:
            for deployment in wanted:
                pool.submit(self._restore_one, deployment.id)

    def look(self, deployment_id: str) -> None:
        """Ask the runtime, and record what is new."""
        deployment = self._store.get(deployment_id)
        if deployment is None or deployment.holder is not None or self._stopping or deployment_id not in self._back:
            return
        status = self._resourcing.status(deployment, self._open.get(deployment.runtime).status(deployment_id))
        values = _news(deployment, status, self._now)
        if values and not self._stopping:
            self._recorder.observe(deployment, **values)

    @property
    def _open(self) -> OpenRuntimes:
        if self._runtimes is None:
            raise Temporary("deployments.not_started", "The runtimes are not there yet.", retry_after=1)
        return self._runtimes

    def _restore_one(self, deployment_id: str) -> None:
        if self._stopping:
            return
        with self._turns.local(deployment_id):
            deployment = self._store.get(deployment_id)
            if deployment is None or deployment.id in self._back or deployment.desired != "running":
                return
            coming = {
                "state": "starting",
                "message": "Coming back after a restart of the server.",
                "since": self._now(),
            }
            self._recorder.observe(deployment, **coming, pid=None)
            try:
                self.bring_back(deployment)
            except Exception as error:
                if self._stopping:
                    return
                log.exception("the deployment %s could not be brought back", deployment_id)
                reason = error.message if isinstance(error, FlagstoneError) else f"{type(error).__name__}: {error}"
                failed = {"state": "failed", "message": f"It could not be brought back after a restart: {reason}"}
                self._recorder.observe(deployment, **failed, since=self._now())
        self.hint(deployment_id)

    def _listen(self) -> None:
        swept = time.monotonic()
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._hints or self._stopping, timeout=1.0)
                if self._stopping:
                    return
                hints, self._hints = self._hints, set()
            if time.monotonic() - swept >= _SWEEP:
                swept = time.monotonic()
                hints |= self._everything()
            for deployment_id in hints:
                try:
                    self.look(deployment_id)
                except Exception:
                    if not self._stopping:
                        log.exception("the state of the deployment %s could not be recorded", deployment_id)
            time.sleep(_BREATH)

    def _everything(self) -> set[str]:
        try:
            for deployment in self._store.abandoned():
                self._give_up(deployment)
            return set(self._back)
        except Exception:
            log.exception("the deployments could not be looked through")
            return set()

    def _give_up(self, deployment: Deployment) -> None:
        """A rollout whose holder shows no sign of life: free the lock, and say what is true."""
        with self._turns.local(deployment.id, blocking=False) as free:
            if not free:
                return
            with self._turns.take(deployment.id, Execution(f"sweep:{deployment.id}")) as turn:
                self.bring_back(deployment)
                serves = deployment.id in self._back
                status = self._open.get(deployment.runtime).status(deployment.id) if serves else RuntimeStatus("failed")
                values = status_values(self._resourcing.status(deployment, status), self._now)
                values["message"] = "A rollout was cut off by a restart of the server and did not go on. Deploy again."
                self._recorder.change(deployment, turn, "", **values)


def _news(deployment: Deployment, status: RuntimeStatus, now: Now) -> dict[str, Any]:
    """The columns that a report changes; empty when it says nothing new."""
    if status.state == "unknown":
        return {}
    values = status_values(status, now)
    if status.state == deployment.state:
        values["since"] = status.since or deployment.since
        for name in _KEPT:
            values[name] = values[name] or getattr(deployment, name)
    return {} if all(getattr(deployment, name) == value for name, value in values.items()) else values
