"""The use cases that change a deployment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flagstone.contracts.deployments import DeploymentView, LogLine, ReleaseView
from flagstone.contracts.gateway import DeploymentQuery
from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError, NotFound
from flagstone.kernel.ids import new_id
from flagstone.kernel.paging import Page
from flagstone.platform.deployments.model import Deployment, HistoryEntry, Release, deployment_id
from flagstone.platform.deployments.permissions import WRITE
from flagstone.platform.deployments.service.preparation import Preparation, Prepared
from flagstone.platform.deployments.service.queries import Queries
from flagstone.platform.deployments.service.recorder import Recorder, status_values
from flagstone.platform.deployments.service.release_files import ReleaseFiles
from flagstone.platform.deployments.service.removal import Removal
from flagstone.platform.deployments.service.rollouts import Rollout, Rollouts
from flagstone.platform.deployments.service.runtimes import OpenRuntimes
from flagstone.platform.deployments.service.supervisor import Supervisor
from flagstone.platform.deployments.service.turns import Execution, Turn, Turns, stopping
from flagstone.platform.deployments.store import DeploymentStore, HistoryStore, ReleaseStore


@dataclass(frozen=True, slots=True)
class Workshop:
    """What the service works with; put together by the plugin."""

    store: DeploymentStore
    releases: ReleaseStore
    history: HistoryStore
    files: ReleaseFiles
    turns: Turns
    recorder: Recorder
    runtimes: OpenRuntimes
    supervisor: Supervisor
    rollouts: Rollouts
    removal: Removal
    preparation: Preparation
    queries: Queries
    access: AccessService
    keep_releases: int


class DeploymentService:
    """Deployments, for everybody who asks. Everything that changes one decides for its ``actor`` with the owner.

    Changes are made by steps of runs: what was done for a step (``execution.step_key``) is not done again.
    """

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop

    def list(self, query: DeploymentQuery, actor: Principal) -> Page[DeploymentView]:
        """A page of deployments, by workload name then environment."""
        return self._shop.queries.list(query, actor)

    def get(self, deployment_id: str, actor: Principal) -> DeploymentView:
        """One deployment. Raises NotFound."""
        return self._shop.queries.get(deployment_id, actor)

    def log(self, deployment_id: str, actor: Principal, *, after: int = -1, limit: int = 500) -> tuple[LogLine, ...]:
        """Log lines after a cursor; ``after=-1`` gives the last ``limit`` lines."""
        return self._shop.queries.log(deployment_id, actor, after=after, limit=limit)

    def follow_log(self, deployment_id: str, actor: Principal, *, after: int = -1) -> AsyncIterator[LogLine]:
        """The same, live, until the follower leaves or the deployment is removed."""
        return self._shop.queries.follow_log(deployment_id, actor, after=after)

    def history(
        self, deployment_id: str, actor: Principal, *, cursor: str | None = None, limit: int | None = None
    ) -> Page[HistoryEntry]:
        """What was done to a deployment, newest first."""
        return self._shop.queries.history(deployment_id, actor, cursor=cursor, limit=limit)

    def list_releases(
        self, deployment_id: str, actor: Principal, *, cursor: str | None = None, limit: int | None = None
    ) -> Page[ReleaseView]:
        """Releases that a deployment can go back to or on to, newest first."""
        return self._shop.queries.releases(deployment_id, actor, cursor=cursor, limit=limit)

    def deploy(
        self,
        actor: Principal,
        *,
        repository: str,
        environment: str,
        execution: Execution,
        commit: str | None = None,
        entity_ref: str | None = None,
        owner: str | None = None,
    ) -> DeploymentView:
        """Bring a commit (default: head of the default branch) up in an environment.

        ``owner`` is recorded when neither the commit nor the repository names one; it decides nothing. Raises Invalid
        for a workload with faults, Denied, Conflict while another rollout goes on, RolloutFailed when it does not
        become healthy: what ran before still runs then.
        """
        prepared = self._shop.preparation.prepare(repository, commit, environment, entity_ref, owner)
        place = deployment_id(prepared.workload.entity_ref, environment)
        known = self._shop.store.get(place)
        self._check(actor, place, known.owner if known else prepared.owner)
        if known is not None and self._is_done(known, execution):
            return self._view(known)
        release = self._shop.releases.add(prepared.release(new_id(), actor, self._shop.recorder.now()))
        if known is None:
            self._shop.store.create(self._fresh(place, prepared))
        with self._turn(place, execution) as turn:
            deployment = self._need(place)
            self._check(actor, place, deployment.owner)
            rollout = Rollout(
                operation="deploy",
                deployment=deployment,
                release=release,
                current=self._release(deployment.current_release_id),
                runtime=prepared.environment.runtime,
                actor=actor,
                execution=execution,
                owner=prepared.owner or prepared.claimed,
            )
            after = self._shop.rollouts.bring_up(rollout, turn)
            self._prune(after)
        return self._settled(after)

    def redeploy(
        self, actor: Principal, place: str, *, execution: Execution, commit: str | None = None
    ) -> DeploymentView:
        """Deploy again what is there: a commit (default: head of the default branch) of the same repository."""
        known = self._need(place)
        return self.deploy(
            actor,
            repository=known.repository,
            environment=known.environment,
            execution=execution,
            commit=commit,
            entity_ref=known.entity_ref,
        )

    def rollback(self, actor: Principal, place: str, *, execution: Execution, to: str | None = None) -> DeploymentView:
        """Go back to the release before this one, or to the one named (``r3`` or its id)."""
        known = self._allowed(actor, place)
        if self._is_done(known, execution):
            return self._view(known)
        return self._again(actor, place, execution, self._shop.queries.rollback_target(known, to), back=True)

    def start(self, actor: Principal, place: str, *, execution: Execution) -> DeploymentView:
        """Start a stopped deployment with the release it had."""
        known = self._allowed(actor, place)
        if self._is_done(known, execution):
            return self._view(known)
        return self._again(actor, place, execution, self._shop.queries.current_release(known), back=False)

    def stop(self, actor: Principal, place: str, *, execution: Execution) -> DeploymentView:
        """End a workload and keep what is needed to start it again."""
        known = self._allowed(actor, place)
        if self._shop.history.done(execution.step_key) is not None and known.desired == "stopped":
            return self._view(known)
        with self._turn(place, execution) as turn:
            deployment = self._need(place)
            release = self._release(deployment.current_release_id)
            entry = self._shop.recorder.begin(deployment, "stop", release, actor=actor, execution=execution)
            status = self._shop.runtimes.get(deployment.runtime).stop(place)
            self._shop.supervisor.known(place)
            values = status_values(status, self._shop.recorder.now)
            # A runtime that never heard of it has nothing to end: it is stopped.
            values.update(state="stopped", desired="stopped", pid=None, next_run_at=None, last_run_id=execution.run_id)
            after = self._shop.recorder.end(deployment, turn, entry, "succeeded", actor=actor, **values)
        return self._view(after)

    def remove(self, actor: Principal, place: str, *, execution: Execution) -> tuple[str, ...]:
        """Remove a deployment with all it has; says what was removed, having checked that it is gone.

        Raises NotFound when there is none (and this step did not remove it), Conflict when something remains.
        """
        done = self._shop.history.done(execution.step_key)
        if done is not None and self._shop.store.get(place) is None:
            return tuple(done.detail.get("removed", ()))
        self._allowed(actor, place)
        with self._turn(place, execution) as turn:
            deployment = self._need(place)
            entry = self._shop.recorder.begin(deployment, "remove", None, actor=actor, execution=execution)
            changed = self._shop.recorder.change(
                deployment, turn, actor.id, state="removing", message="It is being removed.", desired="stopped"
            )
            try:
                removed = self._shop.removal.remove(deployment, execution.progress)
            except Exception as error:
                if self._shop.turns.closing:
                    raise stopping() from error
                message = error.message if isinstance(error, FlagstoneError) else f"{type(error).__name__}: {error}"
                self._shop.recorder.end(changed, turn, entry, "failed", actor=actor, state="failed", message=message)
                raise
            self._shop.recorder.removed(changed, turn, entry, actor=actor, detail={"removed": removed})
            self._shop.supervisor.forget(place)
        return tuple(removed)

    def _again(
        self, actor: Principal, place: str, execution: Execution, release: Release, *, back: bool
    ) -> DeploymentView:
        with self._turn(place, execution) as turn:
            deployment = self._need(place)
            rollout = Rollout(
                operation="rollback" if back else "start",
                deployment=deployment,
                release=release,
                current=self._release(deployment.current_release_id),
                runtime=deployment.runtime,
                actor=actor,
                execution=execution,
            )
            after = self._shop.rollouts.bring_up(rollout, turn)
        return self._settled(after)

    def _is_done(self, known: Deployment, execution: Execution) -> bool:
        done = self._shop.history.done(execution.step_key)
        return done is not None and known.desired == "running" and known.current_release_id == done.release_id

    @contextmanager
    def _turn(self, place: str, execution: Execution) -> Iterator[Turn]:
        try:
            with self._shop.turns.take(place, execution) as turn:
                yield turn
        finally:
            # What the runtime reported meanwhile was not recorded.
            self._shop.supervisor.hint(place)

    def _settled(self, deployment: Deployment) -> DeploymentView:
        self._shop.supervisor.look(deployment.id)
        return self._view(self._shop.store.get(deployment.id) or deployment)

    def _fresh(self, place: str, prepared: Prepared) -> Deployment:
        now = self._shop.recorder.now()
        return Deployment(
            id=place,
            entity_ref=prepared.workload.entity_ref,
            environment=prepared.environment.name,
            runtime=prepared.environment.runtime,
            workload=prepared.workload.name,
            repository=prepared.repository,
            owner=prepared.owner or prepared.claimed,
            desired="running",
            state="deploying",
            message="It is being deployed for the first time.",
            since=now,
            created_at=now,
        )

    def _prune(self, deployment: Deployment) -> None:
        shop = self._shop
        newest = shop.releases.list(deployment.repository, deployment.workload, cursor=None, limit=500).items
        in_use = shop.store.releases_in_use(deployment.repository, deployment.workload)
        shop.files.prune(newest, keep=shop.keep_releases, in_use=in_use)

    def _allowed(self, actor: Principal, place: str) -> Deployment:
        known = self._need(place)
        self._check(actor, place, known.owner)
        return known

    def _check(self, actor: Principal, place: str, owner: str | None) -> None:
        self._shop.access.check(actor, WRITE, owner=owner, resource=f"deployment:{place}")

    def _need(self, place: str) -> Deployment:
        found = self._shop.store.get(place)
        if found is None:
            raise NotFound(
                "deployments.not_found",
                f"There is no deployment {place!r}.",
                hint="`flagstone get deployments` lists all.",
            )
        return found

    def _release(self, release_id: str | None) -> Release | None:
        return self._shop.releases.get(release_id) if release_id else None

    def _view(self, deployment: Deployment) -> DeploymentView:
        return deployment.view(self._release(deployment.current_release_id))
