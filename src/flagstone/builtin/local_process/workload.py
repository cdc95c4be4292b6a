"""What a Score workload means to this runtime: the command, its limits, probes, ports and schedule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cronsim import CronSim, CronSimError

from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Problem
from flagstone.sdk import ProcessLimits

SCHEDULE = "flagstone.dev/schedule"
"""Annotation with a cron expression in UTC: the workload is started on time instead of all the time."""

_MEMORY = re.compile(r"(\d+(?:\.\d+)?)(K|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?")
_CPU = re.compile(r"(\d+(?:\.\d+)?)(m)?")
_POWERS = "KMGTPE"


@dataclass(frozen=True, slots=True)
class Probe:
    """A question whether the workload is well: a command, or an HTTP path on a port of the workload."""

    command: tuple[str, ...] = ()
    path: str = ""
    port: int = 0
    scheme: str = "http"
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return " ".join(self.command) if self.command else f"GET {self.path}"


@dataclass(frozen=True, slots=True)
class Workload:
    """The first container, understood. ``ports`` maps names to container ports; the first is the one that is served."""

    argv: tuple[str, ...]
    variables: Mapping[str, str]
    limits: ProcessLimits
    ports: tuple[tuple[str, int, int], ...]
    """(name, port, target port)."""
    readiness: Probe | None
    liveness: Probe | None
    schedule: str | None
    files: tuple[tuple[str, Mapping[str, Any]], ...]
    """(target path, file)."""
    volumes: tuple[tuple[str, str], ...] = ()
    """(target path, folder that it is)."""

    def ports_of(self, number: int) -> str | None:
        """The name of the service port that a probe means by a number."""
        return next((name for name, port, target in self.ports if number in (port, target)), None)


def understand(document: Mapping[str, Any]) -> Workload:
    """Read a document that :func:`check` has no problem with."""
    container = next(iter(document["containers"].values()))
    limits = (container.get("resources") or {}).get("limits") or {}
    ports = ((document.get("service") or {}).get("ports") or {}).items()
    return Workload(
        argv=(*(container.get("command") or ()), *(container.get("args") or ())),
        variables={str(key): str(value) for key, value in (container.get("variables") or {}).items()},
        limits=ProcessLimits(memory=memory_bytes(limits.get("memory")), cpu=cpu_cores(limits.get("cpu"))),
        ports=tuple((name, int(port["port"]), int(port.get("targetPort") or port["port"])) for name, port in ports),
        readiness=_probe(container.get("readinessProbe")),
        liveness=_probe(container.get("livenessProbe")),
        schedule=_schedule(document),
        files=tuple((container.get("files") or {}).items()),
        volumes=tuple((target, _folder(item)) for target, item in (container.get("volumes") or {}).items()),
    )


def check(document: Mapping[str, Any]) -> list[Problem]:
    """What this runtime cannot run, all at once."""
    containers = document.get("containers") or {}
    if not containers:
        return [Problem("there is no container to run", field="containers")]
    problems: list[Problem] = []
    if len(containers) > 1:
        hint = "Make each container a workload of its own, or deploy to an environment with a container runtime."
        problems.append(Problem("the runtime 'local' runs one container", field="containers", hint=hint))
    name, container = next(iter(containers.items()))
    where = f"containers.{name}"
    if not container.get("command"):
        hint = 'Say what to start: command: ["python", "app.py"].'
        problems.append(
            Problem("the runtime 'local' starts a command, not an image", field=f"{where}.command", hint=hint)
        )
    problems += _check_paths(where, container)
    for port_name, port in ((document.get("service") or {}).get("ports") or {}).items():
        if str(port.get("protocol") or "TCP").upper() != "TCP":
            problems.append(Problem("the runtime 'local' serves TCP only", field=f"service.ports.{port_name}.protocol"))
    schedule = _schedule(document)
    if schedule is not None:
        problems += _check_schedule(schedule)
    return problems


def _check_paths(where: str, container: Mapping[str, Any]) -> list[Problem]:
    problems: list[Problem] = []
    for kind in ("volumes", "files"):
        for path in container.get(kind) or {}:
            if path.startswith("/") or ".." in path.split("/"):
                hint = "Use a path relative to the working folder."
                problems.append(Problem(f"{path!r} is outside the working folder", field=f"{where}.{kind}", hint=hint))
    for path, volume in (container.get("volumes") or {}).items():
        if ".." in str(volume.get("path") or "").split("/"):
            problems.append(Problem("leads out of the volume", field=f"{where}.volumes.{path}.path"))
    return problems


def memory_bytes(text: str | None) -> int | None:
    """``128Mi`` in bytes; None stays None."""
    found = _MEMORY.fullmatch(str(text)) if text else None
    if found is None:
        return None
    unit = found[2] or ""
    base = 1024 if unit.endswith("i") else 1000
    return int(float(found[1]) * (base ** (_POWERS.index(unit[0]) + 1) if unit else 1))


def cpu_cores(text: str | None) -> float | None:
    """``500m`` in cores; None stays None."""
    found = _CPU.fullmatch(str(text)) if text else None
    if found is None:
        return None
    return float(found[1]) / 1000 if found[2] else float(found[1])


def _schedule(document: Mapping[str, Any]) -> str | None:
    annotations = (document.get("metadata") or {}).get("annotations") or {}
    value = annotations.get(SCHEDULE)
    return str(value).strip() or None if value is not None else None


def _check_schedule(text: str) -> list[Problem]:
    field = f"metadata.annotations.{SCHEDULE}"
    hint = "Write five fields in UTC, such as '15 2 * * *' for every night at 02:15."
    try:
        if next(CronSim(text, utc_now()), None) is None:
            return [Problem(f"the schedule {text!r} never comes", field=field, hint=hint)]
    except CronSimError as error:
        return [Problem(f"{text!r} is not a cron expression: {error}", field=field, hint=hint)]
    return []


def _folder(volume: Mapping[str, Any]) -> str:
    below = str(volume.get("path") or "").strip("/")
    return f"{str(volume['source']).rstrip('/')}/{below}".rstrip("/")


def _probe(found: Mapping[str, Any] | None) -> Probe | None:
    if not found:
        return None
    if found.get("exec"):  # preferred when both are there, as the specification asks
        return Probe(command=tuple(found["exec"]["command"]))
    http = found["httpGet"]
    headers = tuple((str(item["name"]), str(item["value"])) for item in http.get("httpHeaders") or ())
    if http.get("host"):
        headers = (("Host", str(http["host"])), *headers)
    path = str(http["path"])
    path = path if path.startswith("/") else f"/{path}"
    return Probe(path=path, port=int(http["port"]), scheme=str(http.get("scheme") or "HTTP").lower(), headers=headers)
