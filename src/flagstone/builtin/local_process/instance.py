"""One running process of a release."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flagstone.builtin.local_process.logfile import LogFile
from flagstone.builtin.local_process.options import Options
from flagstone.builtin.local_process.probes import ADDRESS, ask_command, ask_http, ask_port
from flagstone.builtin.local_process.state import DeploymentFolder
from flagstone.builtin.local_process.workload import Probe, Workload
from flagstone.kernel.errors import Invalid
from flagstone.sdk import DeploymentSpec, ProcessHost, RunningProcess

LABEL = "local:"
"""Begins the label of every process of this runtime."""

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:/opt/homebrew/bin"
_ALIVE_SECONDS = 1.0


class NotHealthy(Exception):
    """The instance did not become healthy; says why in words."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is needed to start an instance of a release."""

    spec: DeploymentSpec
    workload: Workload
    folder: DeploymentFolder
    processes: ProcessHost
    options: Options

    @property
    def directory(self) -> Path:
        """The working folder."""
        return self.folder.release(self.spec.release_id)

    @property
    def log(self) -> LogFile:
        """The log of the deployment."""
        return LogFile(self.folder.log)


class Instance:
    """Started once, stopped once. ``ports`` are those that were given to it, by name."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.ports = {name: _free_port() for name, _, _ in plan.workload.ports}
        self.began_at = plan.log.position()
        self._env = self._environment()
        self.process: RunningProcess = plan.processes.start(
            self._command(),
            cwd=plan.directory,
            env=self._env,
            log=plan.folder.log,
            limits=plan.workload.limits,
            label=f"{LABEL}{plan.spec.id}:{plan.spec.release}",
        )
        where = f" on port {self.port}" if self.port else ""
        plan.log.note(f"started {plan.spec.release} as pid {self.process.pid}{where}")

    @property
    def port(self) -> int | None:
        """The port that the front serves."""
        return next(iter(self.ports.values()), None)

    def wait_healthy(self, halted: Callable[[], bool]) -> float:
        """Wait until it is; returns the seconds it took. Raises NotHealthy."""
        begin = time.monotonic()
        deadline = begin + self.plan.options.health_timeout
        pause = 0.05
        while True:
            if (code := self.process.poll()) is not None:
                raise NotHealthy(self.ending(code))
            if halted():
                raise NotHealthy("it was told to stop before it was healthy")
            reason = self.ask_ready(min(self.plan.options.probe_timeout, max(0.1, deadline - time.monotonic())))
            if reason is None and self.process.poll() is None:
                return time.monotonic() - begin
            if time.monotonic() > deadline:
                raise NotHealthy(f"it was not healthy within {self.plan.options.health_timeout:g} s: {reason}")
            self.process.wait(pause)
            pause = min(0.5, pause * 1.5)

    def ask_ready(self, timeout: float) -> str | None:
        """None when it can take requests, else why not."""
        probe = self.plan.workload.readiness
        if probe is not None:
            return self._ask(probe, timeout)
        if self.port is not None:
            return ask_port(self.port, timeout)
        self.process.wait(_ALIVE_SECONDS)
        return None

    def ask_alive(self, timeout: float) -> str | None:
        """None when its liveness probe says that it is well, or there is none."""
        probe = self.plan.workload.liveness
        return self._ask(probe, timeout) if probe is not None else None

    def ending(self, code: int) -> str:
        """How it ended, in words."""
        if self.process.reason:
            return f"it was ended because {self.process.reason}"
        if code < 0:
            return f"it was ended by signal {signal.Signals(-code).name}"
        return f"it ended with exit code {code}"

    def stop(self) -> int | None:
        """End it with its whole group."""
        return self.process.stop(self.plan.options.stop_grace)

    def _ask(self, probe: Probe, timeout: float) -> str | None:
        if probe.command:
            return ask_command(
                probe,
                self.plan.processes,
                cwd=self.plan.directory,
                env=self._env,
                log=self.plan.folder.path / "probe.log",
                label=f"{LABEL}{self.plan.spec.id}:probe",
                timeout=timeout,
            )
        name = self.plan.workload.ports_of(probe.port)
        return ask_http(probe, self.ports[name] if name else probe.port, timeout)

    def _command(self) -> list[str]:
        program, *arguments = self.plan.workload.argv
        if program in ("python", "python3"):
            return [sys.executable, *arguments]
        if "/" in program and not program.startswith("/"):
            path = self.plan.directory / program
            if not os.access(path, os.X_OK) or path.is_dir():
                raise Invalid(
                    "local.not_a_program",
                    f"{program!r} is not an executable file of {self.plan.spec.release}.",
                    hint=f"Make it one: `git update-index --chmod=+x {program}`, or start it with its interpreter.",
                )
            return [str(path), *arguments]
        return [program, *arguments]

    def _environment(self) -> dict[str, str]:
        spec, folder = self.plan.spec, self.plan.folder
        found = {
            "PATH": f"{Path(sys.executable).parent}:{_SYSTEM_PATH}",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            "PYTHONUNBUFFERED": "1",
            **self.plan.workload.variables,
            "HOME": str(folder.home),
            "TMPDIR": str(folder.tmp),
            "HOST": ADDRESS,
            "FLAGSTONE_COMMIT": spec.commit,
            "FLAGSTONE_RELEASE": spec.release,
            "FLAGSTONE_ENVIRONMENT": spec.environment,
            "FLAGSTONE_ENTITY": spec.entity_ref,
        }
        for name, port in self.ports.items():
            found[f"PORT_{name.upper().replace('-', '_')}"] = str(port)
        if self.port is not None:
            found["PORT"] = str(self.port)
        return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])
