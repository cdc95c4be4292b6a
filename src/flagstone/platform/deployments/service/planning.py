"""What a change of a deployment would do, before it is done."""

from __future__ import annotations

from dataclasses import dataclass, field

from flagstone.kernel.errors import Invalid, NotFound
from flagstone.platform.deployments.model import Deployment, Release
from flagstone.platform.deployments.service.preparation import Preparation, Preview
from flagstone.platform.deployments.service.queries import Queries
from flagstone.platform.deployments.service.removal import Removal
from flagstone.platform.deployments.store import DeploymentStore, ReleaseStore
from flagstone.sdk import Files


@dataclass(frozen=True, slots=True)
class Intention:
    """What would become of an existing deployment."""

    deployment: Deployment
    subject: str
    """``orders in development``."""
    detail: str
    facts: dict[str, str] = field(default_factory=dict)
    removes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Promotion:
    """A release that moves on: where it comes from, and what is deployed."""

    source: Deployment
    release: Release
    environment: str
    missing: tuple[str, ...] = ()
    """Resources that it declares and that cannot be used there yet, in words."""


class DeploymentPlanner:
    """Looks, and changes nothing. Who may do it is decided by the action that asks, with the owner in the answer."""

    def __init__(
        self,
        queries: Queries,
        preparation: Preparation,
        removal: Removal,
        store: DeploymentStore,
        releases: ReleaseStore,
    ) -> None:
        self._queries = queries
        self._preparation = preparation
        self._removal = removal
        self._store = store
        self._releases = releases

    def deploy(
        self,
        workspace: Files,
        *,
        repository: str,
        commit: str | None,
        environment: str,
        entity_ref: str | None,
        owner: str | None,
    ) -> Preview | None:
        """What deploying would do; None when that is known only in the run. Raises Invalid, NotFound."""
        return self._preparation.preview(repository, commit, environment, entity_ref, owner, workspace)

    def promotion(self, deployment_id: str, environment: str) -> Promotion:
        """What moves on from a deployment to an environment.

        Raises NotFound, Conflict when nothing runs there, Invalid for an environment that does not come later.
        """
        source = self._need(deployment_id)
        if not self._preparation.environments.later(environment, source.environment):
            raise Invalid(
                "deployments.not_later",
                f"{environment} does not come after {source.environment} in the order of promotion.",
                hint="Use flagstone:deploy to deploy there, or flagstone:rollback to go back.",
            )
        release = self._queries.current_release(source)
        problems = self._preparation.resourcing.missing(release.workload, source.entity_ref, environment, source.owner)
        missing = tuple(f"{problem.message}. {problem.hint or ''}".strip() for problem in problems)
        return Promotion(source, release, environment, missing)

    def stop(self, deployment_id: str) -> Intention:
        """What stopping would do."""
        found = self._need(deployment_id)
        if found.desired == "stopped":
            return self._intend(found, "It is stopped already.")
        return self._intend(found, "Its processes end; release, address and logs are kept to start it again.")

    def start(self, deployment_id: str) -> Intention:
        """What starting would do. Raises Conflict when there is no release to start."""
        found = self._need(deployment_id)
        release = self._queries.current_release(found)
        return self._intend(
            found, f"{release.version} is started again.", Release=release.version, Commit=release.commit[:12]
        )

    def rollback(self, deployment_id: str, to: str | None) -> Intention:
        """What going back would do. Raises Conflict or NotFound when there is nothing to go back to."""
        found = self._need(deployment_id)
        target = self._queries.rollback_target(found, to)
        current = self._releases.get(found.current_release_id) if found.current_release_id else None
        before = current.version if current else "nothing"
        return self._intend(
            found,
            f"{target.version} is brought up; {before} serves until it is healthy, and goes on if it fails.",
            Release=f"{before} → {target.version}",
            Commit=f"{target.commit[:12]} {target.message}".strip(),
        )

    def remove(self, deployment_id: str) -> Intention:
        """What removing would do, thing by thing."""
        found = self._need(deployment_id)
        removes = tuple(self._removal.preview(found))
        intention = self._intend(found, "Everything of it is removed, and it is checked that it is gone.")
        return Intention(intention.deployment, intention.subject, intention.detail, intention.facts, removes)

    def _intend(self, deployment: Deployment, detail: str, **facts: str) -> Intention:
        shown = {
            "Environment": deployment.environment,
            "Runtime": deployment.runtime,
            "State": deployment.state,
            **facts,
        }
        return Intention(deployment, f"{deployment.workload} in {deployment.environment}", detail, shown)

    def _need(self, deployment_id: str) -> Deployment:
        found = self._store.get(deployment_id)
        if found is None:
            raise NotFound("deployments.not_found", f"There is no deployment {deployment_id!r}.")
        return found
