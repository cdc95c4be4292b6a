"""A small runtime that starts real processes, each release on a port of its own. Not for production: no proxy, no restarts."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flagstone.contracts.deployments import LogLine
from flagstone.kernel.errors import Problem
from flagstone.sdk import ProcessLimits, RolloutFailed, RuntimeStatus


@dataclass
class Instance:
    spec: Any
    process: Any
    port: int
    stopped: bool = False


@dataclass
class SmallRuntime:
    name: str = "local"
    applied: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    keep_on_remove: bool = False
    pause: threading.Event | None = None
    entered: threading.Event = field(default_factory=threading.Event)

    def open(self, ctx):
        self.ctx = ctx
        self.reaped = ctx.processes.reap("small:")
        self.instances: dict[str, Instance] = {}
        self.closed = False

    def check(self, workload):
        container = next(iter(workload["containers"].values()))
        return [] if "command" in container else [Problem("nothing to start", field="containers.main.command")]

    def plan(self, spec):
        return {"Address": "a port of its own"}

    def apply(self, spec, progress, cancelled):
        self.applied.append(spec.release)
        self.entered.set()
        if self.pause is not None:
            while not self.pause.wait(0.02):
                if cancelled():
                    raise RolloutFailed(f"{spec.release} was not waited for.")
        old = self.instances.get(spec.id)
        if old and old.spec.release_id == spec.release_id and old.process.poll() is None:
            return self.status(spec.id)
        fresh = self._start(spec)
        progress(f"started {spec.release} as process {fresh.process.pid}")
        deadline = time.monotonic() + self.ctx.options["health_timeout"]
        while not self._healthy(fresh):
            code = fresh.process.poll()
            if code is not None or cancelled() or time.monotonic() > deadline:
                fresh.process.stop(0.5)
                reason = f"it ended with code {code}" if code is not None else "it did not answer in time"
                raise RolloutFailed(
                    f"{spec.release} did not become healthy: {reason}.",
                    last_log=[line.text for line in self.log(spec.id)][-3:],
                )
            time.sleep(0.02)
        self.instances[spec.id] = fresh
        self._watch(fresh)
        if old:
            old.stopped = True
            old.process.stop(2)
        return self.status(spec.id)

    def restore(self, spec):
        self.restored.append(spec.release)
        self.instances[spec.id] = self._start(spec)
        self._watch(self.instances[spec.id])

    def stop(self, deployment_id):
        instance = self.instances.get(deployment_id)
        if instance:
            instance.stopped = True
            instance.process.stop(2)
        return RuntimeStatus("stopped")

    def remove(self, deployment_id):
        instance = self.instances.get(deployment_id)
        if self.keep_on_remove or instance is None:
            return []
        self.stop(deployment_id)
        self.instances.pop(deployment_id)
        self._log(deployment_id).unlink(missing_ok=True)
        return [f"process {instance.process.pid}", f"port {instance.port}"]

    def status(self, deployment_id):
        instance = self.instances.get(deployment_id)
        if instance is None:
            return RuntimeStatus("unknown")
        if instance.stopped:
            return RuntimeStatus("stopped")
        if instance.process.poll() is not None:
            lines = tuple(line.text for line in self.log(deployment_id))[-3:]
            return RuntimeStatus("crashed", f"it ended with code {instance.process.poll()}", last_log=lines)
        state = "healthy" if self._healthy(instance) else "starting"
        url = f"http://127.0.0.1:{instance.port}/"
        return RuntimeStatus(state, "", url, release_id=instance.spec.release_id, pid=instance.process.pid)

    def log(self, deployment_id, *, after=-1, limit=500):
        with contextlib.suppress(FileNotFoundError):
            lines = self._log(deployment_id).read_text().splitlines()
            found = [LogLine(seq=number, text=text) for number, text in enumerate(lines)]
            return found[-limit:] if after < 0 else found[after + 1 :][:limit]
        return []

    def close(self):
        self.closed = True
        for instance in self.instances.values():
            instance.process.stop(2)

    def _log(self, deployment_id) -> Path:
        return self.ctx.state_dir / f"{deployment_id}.log"

    def _start(self, spec):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        container = next(iter(spec.workload["containers"].values()))
        argv = [sys.executable if word == "python" else word for word in container["command"]]
        env = {"PORT": str(port), "PYTHONUNBUFFERED": "1", **container.get("variables", {})}
        process = self.ctx.processes.start(
            argv, cwd=spec.source_dir, env=env, log=self._log(spec.id), limits=ProcessLimits(), label=f"small:{spec.id}"
        )
        return Instance(spec, process, port)

    def _healthy(self, instance):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{instance.port}/", timeout=0.5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def _watch(self, instance):
        def wait():
            while not self._healthy(instance) and instance.process.poll() is None:
                time.sleep(0.02)
            self.ctx.changed(instance.spec.id, RuntimeStatus("healthy"))
            instance.process.wait()
            if not self.closed:
                self.ctx.changed(instance.spec.id, RuntimeStatus("crashed"))

        threading.Thread(target=wait, daemon=True).start()
