"""The runtime: deployments by id."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from flagstone.builtin.local_process.deployment import Cancelled, Deployment, Progress
from flagstone.builtin.local_process.front import FrontLoop
from flagstone.builtin.local_process.instance import LABEL
from flagstone.builtin.local_process.options import Options
from flagstone.builtin.local_process.ports import PortBook
from flagstone.builtin.local_process.state import DeploymentFolder
from flagstone.builtin.local_process.workload import check, understand
from flagstone.contracts.deployments import LogLine
from flagstone.kernel.errors import Invalid, Problem, Unavailable
from flagstone.sdk import DeploymentSpec, RuntimeContext, RuntimeStatus

_MOST_LINES = 5_000


class LocalProcessRuntime:
    """See ``flagstone.sdk.Runtime``."""

    name = "local"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deployments: dict[str, Deployment] = {}
        self._ctx: RuntimeContext | None = None
        self._options = Options()
        self._loop: FrontLoop | None = None
        self._ports = PortBook(0, 0)

    def open(self, ctx: RuntimeContext) -> None:
        """End what a killed server left, and take the addresses again that deployments had."""
        self._options = Options.read(ctx.options)
        ctx.state_dir.mkdir(parents=True, exist_ok=True)
        ctx.processes.reap(LABEL)
        self._ctx = ctx
        self._loop = FrontLoop()
        self._ports = PortBook(*ctx.port_range)
        for folder in DeploymentFolder.all(ctx.state_dir):
            deployment = self._make(folder)
            if folder.remembered.port is not None:
                self._ports.reserve(folder.remembered.port, deployment.id)
            deployment.open_front()

    def check(self, workload: Mapping[str, Any]) -> list[Problem]:
        """What of this workload cannot be run here."""
        return check(workload)

    def plan(self, spec: DeploymentSpec) -> dict[str, str]:
        """Command, address, health, limits, schedule."""
        workload = understand(spec.workload)
        facts = {"Command": " ".join(workload.argv)}
        if workload.schedule is not None:
            facts["Schedule"] = f"{workload.schedule} (UTC)"
        elif workload.ports:
            known = self._deployments.get(spec.id)
            port = known.folder.remembered.port if known is not None else None
            host = self._context().public_host
            facts["Address"] = f"http://{host}:{port}/" if port else "assigned at start"
            facts["Health"] = str(workload.readiness or "it accepts connections on $PORT")
        for target, folder in workload.volumes:
            facts[f"Volume {target}"] = folder
        limits = []
        if workload.limits.memory is not None:
            limits.append(f"{workload.limits.memory / (1 << 20):g} MiB memory")
        if workload.limits.cpu is not None:
            limits.append(f"{workload.limits.cpu:g} CPU")
        if limits:
            facts["Limits"] = ", ".join(limits)
        return facts

    def apply(self, spec: DeploymentSpec, progress: Progress, cancelled: Cancelled) -> RuntimeStatus:
        """Bring a release up beside the old one, switch, end the old one."""
        problems = check(spec.workload)
        if problems:
            raise Invalid("local.cannot_run", f"The runtime 'local' cannot run {spec.name}.", problems=problems)
        return self._deployment(spec.id).apply(spec, progress, cancelled)

    def restore(self, spec: DeploymentSpec) -> None:
        """Start it again without waiting."""
        self._deployment(spec.id).restore(spec)

    def stop(self, deployment_id: str) -> RuntimeStatus:
        """End the process; folder, log and address stay."""
        known = self._deployments.get(deployment_id)
        return known.stop() if known is not None else RuntimeStatus("unknown")

    def remove(self, deployment_id: str) -> list[str]:
        """End the process and delete everything."""
        with self._lock:
            known = self._deployments.pop(deployment_id, None)
        if known is None:
            return []
        done = known.remove()
        self._ports.release(deployment_id)
        return done

    def status(self, deployment_id: str) -> RuntimeStatus:
        """What is true now."""
        known = self._deployments.get(deployment_id)
        return known.status if known is not None else RuntimeStatus("unknown")

    def log(self, deployment_id: str, *, after: int = -1, limit: int = 500) -> list[LogLine]:
        """Lines of all releases, oldest first."""
        known = self._deployments.get(deployment_id)
        return known.log.read(after, max(1, min(limit, _MOST_LINES))) if known is not None else []

    def close(self) -> None:
        """End every process within ten seconds, all at once."""
        with self._lock:
            known = list(self._deployments.values())
            self._deployments.clear()
            loop, self._loop = self._loop, None
        if known:
            with ThreadPoolExecutor(min(32, len(known))) as pool:
                list(pool.map(lambda deployment: deployment.close(), known))
        if loop is not None:
            loop.close()

    def _context(self) -> RuntimeContext:
        if self._ctx is None or self._loop is None:
            raise Unavailable("local.not_open", "The runtime 'local' is not running.", hint="Start the platform.")
        return self._ctx

    def _deployment(self, deployment_id: str) -> Deployment:
        ctx = self._context()
        with self._lock:
            known = self._deployments.get(deployment_id)
        return known or self._make(DeploymentFolder(ctx.state_dir, deployment_id))

    def _make(self, folder: DeploymentFolder) -> Deployment:
        ctx = self._context()
        assert self._loop is not None
        with self._lock:
            made = Deployment(ctx, self._options, folder, self._loop, self._ports)
            return self._deployments.setdefault(made.id, made)
