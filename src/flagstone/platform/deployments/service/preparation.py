"""From "this commit, in that environment" to a workload that can be brought up there; also the plan of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid, NotFound, Problem
from flagstone.platform.deployments.model import Deployment, Release, deployment_id
from flagstone.platform.deployments.ports import SourceCommit, SourceFiles
from flagstone.platform.deployments.service.resourcing import Resourcing
from flagstone.platform.deployments.service.runtimes import OpenRuntimes
from flagstone.platform.deployments.service.workloads import (
    SCORE_FILE,
    Read,
    Workload,
    owner_ref,
    read_workload,
    spec_of,
)
from flagstone.platform.deployments.store import DeploymentStore, ReleaseStore
from flagstone.platform.environments import Environment, EnvironmentService
from flagstone.sdk import Files

_LONG_AGO = datetime.fromisoformat("2000-01-01T00:00:00+00:00")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A workload that the environment's runtime can run."""

    repository: str
    commit: SourceCommit
    environment: Environment
    workload: Workload
    owner: str | None
    """Owner ref that the commit or its repository names: the one that may be trusted."""
    claimed: str | None = None
    """Owner ref that whoever asked has named. It decides nothing, and is kept when there is no other."""

    def release(self, release_id: str, actor: Principal, now: datetime) -> Release:
        """The release of it; its number is given when it is stored."""
        return Release(
            id=release_id,
            repository=self.repository,
            commit=self.commit.id,
            message=self.commit.message,
            workload_name=self.workload.name,
            workload=self.workload.document,
            digest=self.workload.digest,
            number=0,
            created_at=now,
            created_by=actor.name,
        )


@dataclass(frozen=True, slots=True)
class Preview:
    """What a deployment would do, for people."""

    deployment: str
    workload: str
    environment: str
    entity_ref: str
    owner: str | None
    release: str
    """The release that would be brought up: ``r4``."""
    is_new_release: bool
    commit: str
    current: str | None
    """The release that runs now."""
    facts: dict[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    """Resources that it declares and that cannot be used yet, in words."""


class Preparation:
    """See the module."""

    def __init__(
        self,
        sources: SourceFiles,
        environments: EnvironmentService,
        runtimes: OpenRuntimes,
        store: DeploymentStore,
        releases: ReleaseStore,
        resourcing: Resourcing,
        *,
        health_timeout: float,
    ) -> None:
        self.resourcing = resourcing
        self._sources = sources
        self.environments = environments
        self._runtimes = runtimes
        self._store = store
        self._releases = releases
        self._health_timeout = health_timeout

    def prepare(
        self, repository: str, commit: str | None, environment: str, entity_ref: str | None, owner: str | None
    ) -> Prepared:
        """Read and check the workload of a commit.

        Raises NotFound when repository, commit, environment, runtime or Score file are not there; Invalid with every
        fault of the workload and each resource that it needs and that is not there.
        """
        prepared = self._read(repository, commit, environment, entity_ref, owner)
        self._check(prepared.workload, prepared.environment, self._missing(prepared))
        return prepared

    def _read(
        self, repository: str, commit: str | None, environment: str, entity_ref: str | None, owner: str | None
    ) -> Prepared:
        place = self.environments.get(environment)
        found = self._sources.resolve(repository, commit or None)
        workload = read_workload(
            lambda path: self._sources.read(repository, found.id, path), f"{repository} at {found.id[:12]}", entity_ref
        )
        return Prepared(repository, found, place, workload, workload.owner or found.owner, owner_ref(owner))

    def preview(
        self,
        repository: str,
        commit: str | None,
        environment: str,
        entity_ref: str | None,
        owner: str | None,
        workspace: Files,
    ) -> Preview | None:
        """The plan of a deployment. Nothing is changed.

        While a template is planned its repository does not exist: then the files of the run's ``workspace`` are what
        will be in it. None when it cannot be known before the run. Raises as :meth:`prepare` does.
        """
        place = self.environments.get(environment)
        planned = _score_folder(workspace)
        if planned is not None:
            read = _workspace_reader(workspace, planned)
            workload = read_workload(read, "the files that this run creates", entity_ref)
            # The repository that the run makes will belong to the owner that the run names.
            prepared = Prepared(
                repository, SourceCommit(commit or ""), place, workload, workload.owner or owner_ref(owner)
            )
        else:
            try:
                prepared = self._read(repository, commit, environment, entity_ref, owner)
            except NotFound as error:
                if error.code.startswith("repositories.") or error.code == "deployments.empty_repository":
                    return None
                raise
            read = self._commit_reader(prepared)
        self._check(prepared.workload, place, [])
        return self._describe(prepared, read)

    def _missing(self, prepared: Prepared) -> list[Problem]:
        workload, place = prepared.workload, prepared.environment.name
        owner = self._owner(prepared)
        return self.resourcing.missing(workload.document, workload.entity_ref, place, owner, workload.line)

    def _owner(self, prepared: Prepared) -> str | None:
        """As it will be recorded: resources of another owner are not given to the workload."""
        known = self._store.get(deployment_id(prepared.workload.entity_ref, prepared.environment.name))
        return known.owner if known else prepared.owner or prepared.claimed

    def _commit_reader(self, prepared: Prepared) -> Read:
        return lambda path: self._sources.read(prepared.repository, prepared.commit.id, path)

    def _check(self, workload: Workload, place: Environment, missing: list[Problem]) -> None:
        problems = list(missing)
        runtime = self._runtimes.get(place.runtime)
        for problem in runtime.check(workload.document):
            line = problem.line if problem.line is not None else _line(workload, problem.field or "")
            problems.append(replace(problem, file=problem.file or SCORE_FILE, line=line))
        if problems:
            raise Invalid(
                "deployments.cannot_run",
                f"The workload {workload.name} cannot run in {place.name} on the runtime {place.runtime}.",
                hint=missing[0].hint if missing else f"Change {SCORE_FILE}, commit and deploy again.",
                problems=problems,
            )

    def _describe(self, prepared: Prepared, read: Read) -> Preview:
        workload, place = prepared.workload, prepared.environment
        place_id = deployment_id(workload.entity_ref, place.name)
        known = self._store.get(place_id)
        current = self._releases.get(known.current_release_id) if known and known.current_release_id else None
        existing = None
        if prepared.commit.id:
            existing = self._releases.find(prepared.repository, prepared.commit.id, workload.name)
        number = existing.number if existing else self._releases.next_number(prepared.repository, workload.name)
        release = f"r{number}"
        facts = {
            "Workload": workload.name,
            "Release": f"{current.version} → {release}" if current else f"{release} (the first here)",
            "Environment": f"{place.title} ({place.type})",
            "Runtime": place.runtime,
        }
        facts.update(self._runtime_facts(prepared, known, number, read))
        for label, text in _workload_facts(workload).items():
            facts.setdefault(label, text)
        facts |= self.resourcing.facts(workload.document, workload.entity_ref, place.name, self._owner(prepared))
        facts["If it fails"] = _fallback(release, current.version if current else None, self._health_timeout)
        return Preview(
            deployment=place_id,
            workload=workload.name,
            environment=place.name,
            entity_ref=workload.entity_ref,
            owner=known.owner if known else prepared.owner,
            release=release,
            is_new_release=existing is None,
            commit=prepared.commit.id,
            current=current.version if current else None,
            facts=facts,
            missing=tuple(f"{problem.message}. {problem.hint or ''}".strip() for problem in self._missing(prepared)),
        )

    def _runtime_facts(self, prepared: Prepared, known: Deployment | None, number: int, read: Read) -> dict[str, str]:
        workload, place = prepared.workload, prepared.environment
        release = replace(prepared.release("planned", _PLANNER, _LONG_AGO), number=number)
        deployment = known or Deployment(
            id=deployment_id(workload.entity_ref, place.name),
            entity_ref=workload.entity_ref,
            environment=place.name,
            runtime=place.runtime,
            workload=workload.name,
            repository=prepared.repository,
            owner=prepared.owner,
            desired="running",
            state="deploying",
            message="",
            since=_LONG_AGO,
            created_at=_LONG_AGO,
        )
        outputs = self.resourcing.shown(workload.document, workload.entity_ref, place.name, self._owner(prepared))
        # The folder does not exist before the run; a runtime only names paths below it in its plan.
        spec = spec_of(deployment, release, Path("source"), _required(read), outputs)
        return self._runtimes.get(place.runtime).plan(spec)


_PLANNER = Principal("system", "system:planner", "planner")


def _line(workload: Workload, field: str) -> int | None:
    """The line of a dotted field, or of what is nearest above it; names of annotations hold dots themselves."""
    parts = field.split(".")
    if parts[:2] == ["metadata", "annotations"]:
        parts = [*parts[:2], ".".join(parts[2:])]
    for end in range(len(parts), 0, -1):
        line = workload.line(tuple(parts[:end]))
        if line is not None:
            return line
    return None


def _required(read: Read) -> Callable[[str], bytes]:
    def read_or_raise(path: str) -> bytes:
        found = read(path.removeprefix("./"))
        if found is None:
            raise NotFound("deployments.no_such_file", f"There is no file {path!r}.")
        return found

    return read_or_raise


def _score_folder(workspace: Files) -> str | None:
    """The folder of the workspace that holds the Score file nearest to its root; None without one."""
    found = [item.path for item in workspace.glob(f"**/{SCORE_FILE}")]
    if workspace.exists(SCORE_FILE):
        found.append(SCORE_FILE)
    if not found:
        return None
    nearest = min(found, key=lambda path: (path.count("/"), path))
    return nearest.removesuffix(SCORE_FILE)


def _workspace_reader(workspace: Files, folder: str) -> Read:
    def read(path: str) -> bytes | None:
        whole = folder + path.removeprefix("./")
        return workspace.read_bytes(whole) if workspace.exists(whole) else None

    return read


def _workload_facts(workload: Workload) -> dict[str, str]:
    facts: dict[str, str] = {}
    containers = workload.document["containers"]
    for name, container in containers.items():
        prefix = f"{name}: " if len(containers) > 1 else ""
        command = [*container.get("command", ()), *container.get("args", ())]
        if command:
            facts[f"{prefix}Command"] = " ".join(command)
        if "readinessProbe" in container:
            facts[f"{prefix}Health"] = _probe(container["readinessProbe"])
        if "livenessProbe" in container:
            facts[f"{prefix}Liveness"] = _probe(container["livenessProbe"])
        limits = container.get("resources", {}).get("limits", {})
        if limits:
            facts[f"{prefix}Limits"] = ", ".join(f"{key} {value}" for key, value in sorted(limits.items()))
    ports = workload.document.get("service", {}).get("ports", {})
    if ports:
        facts["Ports"] = ", ".join(f"{name} {port['port']}/{port['protocol']}" for name, port in ports.items())
    return facts


def _probe(probe: dict[str, dict[str, object]]) -> str:
    if "exec" in probe:
        command = probe["exec"]["command"]
        return " ".join(command) if isinstance(command, list) else str(command)
    return f"GET {probe['httpGet']['path']} on port {probe['httpGet']['port']}"


def _fallback(release: str, current: str | None, timeout: float) -> str:
    text = f"{release} has {timeout:g} seconds to become healthy"
    if current is None or current == release:
        return f"{text}; if it does not, the run fails and shows its last log lines."
    return f"{text}. {current} serves until then, and goes on serving if {release} does not."
