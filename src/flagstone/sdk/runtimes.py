"""Runtimes: what executes workloads. The platform keeps the desired state; a runtime makes it true and reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from flagstone.contracts.deployments import DeploymentState, LogLine
from flagstone.kernel.errors import FlagstoneError, Problem


@dataclass(frozen=True, slots=True)
class DeploymentSpec:
    """One workload of one environment, ready to run: placeholders are resolved, sources lie in ``source_dir``."""

    id: str
    """Stable for (entity, environment) over all releases."""
    name: str
    environment: str
    entity_ref: str
    release: str
    """Short release name such as ``r3``; ``release_id`` is unique."""
    release_id: str
    commit: str
    workload: Mapping[str, Any] = field(repr=False)
    """The Score document (``score.dev/v1b1``), in its canonical form.

    It holds secrets of the workload's resources: they go to its processes and files, and into no state and no log;
    ``restore`` is given them again.
    """
    source_dir: Path
    """The files of the release, read-only for the workload."""


@dataclass(frozen=True, slots=True)
class RuntimeStatus:
    """What is true of a deployment now."""

    state: DeploymentState
    message: str = ""
    url: str | None = None
    since: datetime | None = None
    release_id: str | None = None
    restarts: int = 0
    pid: int | None = None
    next_run_at: datetime | None = None
    last_log: tuple[str, ...] = ()


class RolloutFailed(FlagstoneError):
    """A release did not become healthy; what ran before still runs. ``last_log`` holds its last lines."""

    status, exit_code, family = 500, 1, "failed"

    def __init__(self, message: str, *, last_log: Sequence[str] = (), hint: str | None = None) -> None:
        super().__init__("deployments.rollout_failed", message, hint=hint)
        self.last_log = tuple(last_log)


@dataclass(frozen=True, slots=True)
class ProcessLimits:
    """Limits of a child process; None leaves the host's own. Memory in bytes, CPU in cores."""

    memory: int | None = None
    cpu: float | None = None
    open_files: int = 1024
    file_size: int | None = 1 << 30
    processes: int | None = None


class RunningProcess(Protocol):
    """A child process in its own group."""

    pid: int
    created: float
    """Start time as the system tells it: with the pid it names this very process."""
    reason: str
    """Why its host ended it (a limit was passed), in words; empty otherwise."""

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for the end; None when the time ran out."""

    def stop(self, grace: float = 10.0) -> int | None:
        """SIGTERM to the group, after ``grace`` seconds SIGKILL."""


class ProcessHost(Protocol):
    """Starts child processes: argument vectors only, own group, own folder, own environment, limits, ended with us."""

    def start(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        log: Path,
        limits: ProcessLimits,
        label: str,
    ) -> RunningProcess:
        """Start a process whose output goes to ``log``. Raises Invalid when the program is not there.

        The log is cut when it grows: what is cut off goes to ``<log>.<offset>``, where the offset is that of its first
        byte counted from the beginning of all time; the newest such part is kept.

        ``label`` marks the process, so that one left over from a killed server is found and ended.
        """

    def reap(self, label_prefix: str) -> list[int]:
        """End processes that an earlier, killed server left behind; returns their pids."""


@dataclass(frozen=True, slots=True)
class RuntimeContext:
    """What a runtime is given by the platform."""

    processes: ProcessHost
    state_dir: Path
    """A folder of its own that survives restarts."""
    host: str
    """Address on which workloads may listen and be reached."""
    public_host: str
    """Host name for the URLs shown to people."""
    port_range: tuple[int, int]
    """Ports for workloads' own URLs, both ends included."""
    changed: Callable[[str, RuntimeStatus], None]
    """To be called with a deployment's id whenever its status changes."""
    options: Mapping[str, Any] = field(default_factory=dict)


class Runtime(Protocol):
    """What executes workloads. Methods may be called from any thread; calls for one deployment do not overlap."""

    name: str

    def open(self, ctx: RuntimeContext) -> None:
        """Called once before anything else."""

    def check(self, workload: Mapping[str, Any]) -> list[Problem]:
        """What of this workload the runtime cannot run, and how to change it; empty when it can."""

    def plan(self, spec: DeploymentSpec) -> dict[str, str]:
        """Labelled facts about what apply would do: command, address, limits, schedule."""

    def apply(
        self, spec: DeploymentSpec, progress: Callable[[str], None], cancelled: Callable[[], bool]
    ) -> RuntimeStatus:
        """Bring this release up without a failed request in between, then end what ran before; idempotent.

        Raises RolloutFailed when it does not become healthy (the old one keeps running).
        """

    def restore(self, spec: DeploymentSpec) -> None:
        """After a restart of the server: bring it up again, without waiting for health."""

    def stop(self, deployment_id: str) -> RuntimeStatus:
        """End it and keep what is needed to start it again."""

    def remove(self, deployment_id: str) -> list[str]:
        """End it and delete everything of it; says in words what was removed. Missing is fine."""

    def status(self, deployment_id: str) -> RuntimeStatus:
        """What is true now; state ``unknown`` when it was never here."""

    def log(self, deployment_id: str, *, after: int = -1, limit: int = 500) -> list[LogLine]:
        """Log lines after a cursor (``-1``: the last ``limit``)."""

    def close(self) -> None:
        """The server stops: end every process. Desired state is kept by the platform."""
