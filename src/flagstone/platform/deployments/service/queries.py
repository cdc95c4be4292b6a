"""What can be seen of deployments."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from flagstone.contracts.deployments import DeploymentView, LogLine, ReleaseView
from flagstone.contracts.gateway import DeploymentQuery
from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, NotFound
from flagstone.kernel.paging import Page
from flagstone.platform.deployments.model import Deployment, HistoryEntry, Release
from flagstone.platform.deployments.permissions import LOG, READ
from flagstone.platform.deployments.service.resourcing import Resourcing
from flagstone.platform.deployments.service.runtimes import OpenRuntimes
from flagstone.platform.deployments.store import DeploymentStore, HistoryStore, ReleaseStore

_POLL = (0.2, 1.0)
"""Seconds between looks at a log: while it grows, and while nothing happens."""
_MAX_LOG = 5_000


class Queries:
    """See the module."""

    def __init__(
        self,
        store: DeploymentStore,
        releases: ReleaseStore,
        history: HistoryStore,
        runtimes: OpenRuntimes,
        access: AccessService,
        resourcing: Resourcing,
    ) -> None:
        self._resourcing = resourcing
        self._store = store
        self._releases = releases
        self._history = history
        self._runtimes = runtimes
        self._access = access

    def list(self, query: DeploymentQuery, actor: Principal) -> Page[DeploymentView]:
        """A page of deployments."""
        self._access.check(actor, READ)
        page = self._store.list(query)
        ids = [item.current_release_id for item in page.items if item.current_release_id]
        releases = self._releases.get_many(ids)
        views = tuple(item.view(releases.get(item.current_release_id or "")) for item in page.items)
        return Page(views, page.next_cursor, page.total)

    def get(self, deployment_id: str, actor: Principal) -> DeploymentView:
        """One deployment. Raises NotFound."""
        deployment = self._need(deployment_id, actor, READ)
        release_id = deployment.current_release_id
        return deployment.view(self._releases.get(release_id) if release_id else None)

    def log(self, deployment_id: str, actor: Principal, *, after: int, limit: int) -> tuple[LogLine, ...]:
        """Log lines after a cursor, or the last ones."""
        deployment = self._need(deployment_id, actor, LOG)
        size = max(1, min(limit, _MAX_LOG))
        lines = self._runtimes.get(deployment.runtime).log(deployment_id, after=after, limit=size)
        masker = self._resourcing.masker(deployment)
        masked = ((line, masker.mask(line.text)) for line in lines)
        return tuple(line if text == line.text else line.model_copy(update={"text": text}) for line, text in masked)

    async def follow_log(self, deployment_id: str, actor: Principal, *, after: int) -> AsyncIterator[LogLine]:
        """Log lines, live. Ends when the deployment is removed."""
        pause = _POLL[0]
        while True:
            try:
                lines = await asyncio.to_thread(self.log, deployment_id, actor, after=after, limit=500)
            except NotFound:
                return
            for line in lines:
                after = line.seq
                yield line
            pause = _POLL[0] if lines else min(pause * 1.5, _POLL[1])
            await asyncio.sleep(pause)

    def history(
        self, deployment_id: str, actor: Principal, *, cursor: str | None, limit: int | None
    ) -> Page[HistoryEntry]:
        """What was done to a deployment, even to one that is gone."""
        self._access.check(actor, READ, resource=f"deployment:{deployment_id}")
        return self._history.list(deployment_id, cursor=cursor, limit=limit)

    def releases(
        self, deployment_id: str, actor: Principal, *, cursor: str | None, limit: int | None
    ) -> Page[ReleaseView]:
        """Releases of the deployment's workload."""
        deployment = self._need(deployment_id, actor, READ)
        page = self._releases.list(deployment.repository, deployment.workload, cursor=cursor, limit=limit)
        return Page(tuple(item.view() for item in page.items), page.next_cursor)

    def current_release(self, deployment: Deployment) -> Release:
        """What a deployment runs, or would run. Raises Conflict when none was ever brought up."""
        found = self._releases.get(deployment.current_release_id) if deployment.current_release_id else None
        if found is None:
            raise Conflict(
                "deployments.nothing_to_start",
                f"No release of {deployment.workload} has ever become healthy in {deployment.environment}.",
                hint="Deploy a commit that does.",
            )
        return found

    def rollback_target(self, deployment: Deployment, to: str | None) -> Release:
        """The release before this one, or the one named."""
        wanted = to or deployment.previous_release_id
        if wanted is None:
            raise Conflict(
                "deployments.nothing_before",
                f"{deployment.workload} in {deployment.environment} has no release before this one.",
                hint="Name a release to go to; GET /api/v1/deployments/{id}/releases lists them.",
            )
        release = self._releases.get(wanted)
        if release is None and wanted[:1] == "r" and wanted[1:].isdigit():
            release = self._releases.by_number(deployment.repository, deployment.workload, int(wanted[1:]))
        if release is None or release.repository != deployment.repository:
            raise NotFound(
                "deployments.no_such_release",
                f"{deployment.workload} has no release {wanted!r}.",
                hint="GET /api/v1/deployments/{id}/releases lists them.",
            )
        return release

    def _need(self, deployment_id: str, actor: Principal, permission: str) -> Deployment:
        self._access.check(actor, permission, resource=f"deployment:{deployment_id}")
        found = self._store.get(deployment_id)
        if found is None:
            raise NotFound(
                "deployments.not_found",
                f"There is no deployment {deployment_id!r}.",
                hint="`flagstone get deployments` lists all.",
            )
        return found
