"""Puts the parts of the slice together: the only place that knows all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.kernel.clock import Now, utc_now
from flagstone.platform.deployments.ports import SourceFiles
from flagstone.platform.deployments.service.deployments import DeploymentService, Workshop
from flagstone.platform.deployments.service.planning import DeploymentPlanner
from flagstone.platform.deployments.service.preparation import Preparation
from flagstone.platform.deployments.service.queries import Queries
from flagstone.platform.deployments.service.recorder import Recorder
from flagstone.platform.deployments.service.release_files import ReleaseFiles
from flagstone.platform.deployments.service.removal import Removal
from flagstone.platform.deployments.service.requests import DeploymentRuns, Submit
from flagstone.platform.deployments.service.resourcing import Resourcing
from flagstone.platform.deployments.service.rollouts import Rollouts
from flagstone.platform.deployments.service.runtimes import OpenRuntimes
from flagstone.platform.deployments.service.supervisor import Supervisor
from flagstone.platform.deployments.service.turns import Turns
from flagstone.platform.deployments.settings import DeploymentsSettings
from flagstone.platform.deployments.store import DeploymentStore, HistoryStore, ReleaseStore
from flagstone.platform.environments import EnvironmentService, RuntimeRegistry
from flagstone.platform.resources import ResourceProvider
from flagstone.sdk import ProcessHost, RuntimeContext
from flagstone.toolkit.db import Database
from flagstone.toolkit.signals import Signals


@dataclass(frozen=True, slots=True)
class Collaborators:
    """What the slice needs from others."""

    db: Database
    sources: SourceFiles
    environments: EnvironmentService
    registry: RuntimeRegistry
    processes: ProcessHost
    access: AccessService
    audit: PlatformAudit
    events: PlatformEvents
    signals: Signals
    resources: ResourceProvider
    settings: DeploymentsSettings
    data: Path
    """The data folder."""
    now: Now = utc_now


@dataclass(frozen=True, slots=True)
class Parts:
    """What others use of the slice."""

    service: DeploymentService
    planner: DeploymentPlanner
    supervisor: Supervisor
    preparation: Preparation
    store: DeploymentStore
    access: AccessService
    resourcing: Resourcing

    def runs(self, submit: Submit) -> DeploymentRuns:
        """Changes as runs, which ``submit`` starts."""
        return DeploymentRuns(self.store, self.preparation, self.access, submit)


def assemble(given: Collaborators) -> Parts:
    """Build everything; nothing runs before the supervisor is started."""
    store, releases, history = DeploymentStore(given.db), ReleaseStore(given.db), HistoryStore(given.db)
    resourcing = Resourcing(given.resources, store, releases)
    files = ReleaseFiles(given.data / "releases", given.sources)
    turns = Turns(store, given.signals, wait=given.settings.lock_wait)
    recorder = Recorder(store, history, events=given.events, audit=given.audit, signals=given.signals, now=given.now)
    parallel = given.settings.parallel_restores
    supervisor = Supervisor(store, releases, files, turns, recorder, resourcing, now=given.now, parallel=parallel)
    runtimes = OpenRuntimes(given.registry, lambda name: _context(given, supervisor, name))
    supervisor.use(runtimes)
    removal = Removal(store, releases, files, runtimes)
    preparation = Preparation(
        given.sources,
        given.environments,
        runtimes,
        store,
        releases,
        resourcing,
        health_timeout=given.settings.health_timeout,
    )
    queries = Queries(store, releases, history, runtimes, given.access, resourcing)
    workshop = Workshop(
        store=store,
        releases=releases,
        history=history,
        files=files,
        turns=turns,
        recorder=recorder,
        runtimes=runtimes,
        supervisor=supervisor,
        rollouts=Rollouts(files, runtimes, turns, supervisor, recorder, resourcing),
        removal=removal,
        preparation=preparation,
        queries=queries,
        access=given.access,
        keep_releases=given.settings.keep_releases,
    )
    service = DeploymentService(workshop)
    given.environments.count_with(store.counts)
    planner = DeploymentPlanner(queries, preparation, removal, store, releases)
    return Parts(service, planner, supervisor, preparation, store, given.access, resourcing)


def _context(given: Collaborators, supervisor: Supervisor, runtime: str) -> RuntimeContext:
    state_dir = given.data / "runtime" / runtime
    state_dir.mkdir(parents=True, exist_ok=True)
    settings = given.settings
    return RuntimeContext(
        processes=given.processes,
        state_dir=state_dir,
        host=settings.host,
        public_host=settings.public_host or settings.host,
        port_range=settings.port_range,
        changed=supervisor.on_status,
        options={"health_timeout": settings.health_timeout},
    )
