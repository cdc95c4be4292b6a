"""The gateway protocol over the platform's REST API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx

from flagstone.builtin.http_gateway.approvals import HttpApprovals
from flagstone.builtin.http_gateway.batches import HttpBatches
from flagstone.builtin.http_gateway.calls import revealed, told
from flagstone.builtin.http_gateway.changes import HttpChangeRequests
from flagstone.builtin.http_gateway.resources import HttpResources
from flagstone.builtin.http_gateway.triggers import HttpTriggers
from flagstone.contracts.actions import ActionSpec
from flagstone.contracts.deployments import DeploymentView, EnvironmentView, LogLine
from flagstone.contracts.events import Event
from flagstone.contracts.gateway import DeploymentQuery, GatewayInfo, RunQuery
from flagstone.contracts.plans import Plan
from flagstone.contracts.repositories import CommitView, FileContent, RepositoryView, TreeEntry
from flagstone.contracts.runs import RunEvent, RunRequest, RunSummary, RunView, StepOutcome
from flagstone.kernel.actor import Principal, system
from flagstone.kernel.errors import Unavailable
from flagstone.kernel.paging import Page

_READER = system("portal")


class HttpGateway(HttpApprovals, HttpBatches, HttpChangeRequests, HttpResources, HttpTriggers):
    """See ``flagstone.contracts.gateway.RunGateway``."""

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def info(self) -> GatewayInfo:
        """Asks the platform; one that does not answer is said to be away, not an error."""
        try:
            return self._one(GatewayInfo, "/api/v1/gateway", _READER)
        except Unavailable as error:
            return GatewayInfo(name="http", connected=False, message=error.message, hint=error.hint or "")

    def list_actions(self) -> list[ActionSpec]:
        """All kinds of step."""
        return self._many(ActionSpec, "/api/v1/actions", _READER)

    def plan(self, request: RunRequest, actor: Principal) -> Plan:
        """Preview."""
        return self._one(Plan, "/api/v1/plans", actor, method="POST", body=_reveal(request))

    def submit(self, request: RunRequest, actor: Principal) -> RunView:
        """Start a run."""
        return self._one(RunView, "/api/v1/runs", actor, method="POST", body=_reveal(request))

    def list_runs(self, query: RunQuery, actor: Principal) -> Page[RunSummary]:
        """A page of runs."""
        return self._page(RunSummary, "/api/v1/runs", actor, query.model_dump(exclude_none=True))

    def get_run(self, run_id: str, actor: Principal) -> RunView:
        """One run."""
        return self._one(RunView, f"/api/v1/runs/{run_id}", actor)

    def run_events(self, run_id: str, actor: Principal, *, after: int = 0, limit: int = 1000) -> list[RunEvent]:
        """Events after a cursor."""
        return self._many(RunEvent, f"/api/v1/runs/{run_id}/events", actor, after=after, limit=limit)

    async def follow_run(self, run_id: str, actor: Principal, *, after: int = 0) -> AsyncIterator[RunEvent]:
        """Events, live."""
        async for data in self._stream(f"/api/v1/runs/{run_id}/stream", actor, after):
            yield RunEvent.model_validate(data)

    def cancel(self, run_id: str, actor: Principal, *, undo: bool = False) -> RunView:
        """Ask it to stop."""
        path = f"/api/v1/runs/{run_id}/cancel" + ("?undo=true" if undo else "")
        return self._one(RunView, path, actor, method="POST")

    def retry(self, run_id: str, actor: Principal, *, from_step: str | None = None) -> RunView:
        """Go on."""
        body = {"from_step": from_step}
        return self._one(RunView, f"/api/v1/runs/{run_id}/retry", actor, method="POST", body=body)

    def answer_run(self, run_id: str, step_id: str, values: dict[str, Any], actor: Principal) -> RunView:
        """Answer a step that asks."""
        path = f"/api/v1/runs/{run_id}/steps/{quote(step_id, safe='')}/answer"
        return self._one(RunView, path, actor, method="POST", body={"values": values})

    def resolve_step(
        self,
        run_id: str,
        step_id: str,
        outcome: StepOutcome,
        actor: Principal,
        *,
        outputs: dict[str, Any] | None = None,
    ) -> RunView:
        """Say what became of a step."""
        path = f"/api/v1/runs/{run_id}/steps/{quote(step_id, safe='')}/resolve"
        body = {"outcome": outcome, "outputs": outputs or {}}
        return self._one(RunView, path, actor, method="POST", body=body)

    def search_run_log(
        self,
        run_id: str,
        actor: Principal,
        *,
        text: str = "",
        step: str | None = None,
        after: int = 0,
        limit: int = 1000,
    ) -> list[RunEvent]:
        """Lines that hold a text."""
        path = f"/api/v1/runs/{run_id}/log"
        return self._many(RunEvent, path, actor, text=text, step=step, after=after, limit=limit)

    def list_environments(self, actor: Principal) -> list[EnvironmentView]:
        """All environments."""
        return self._many(EnvironmentView, "/api/v1/environments", actor)

    def list_deployments(self, query: DeploymentQuery, actor: Principal) -> Page[DeploymentView]:
        """A page of deployments."""
        return self._page(DeploymentView, "/api/v1/deployments", actor, query.model_dump(exclude_none=True))

    def get_deployment(self, deployment_id: str, actor: Principal) -> DeploymentView:
        """One deployment."""
        return self._one(DeploymentView, f"/api/v1/deployments/{deployment_id}", actor)

    def deployment_log(
        self, deployment_id: str, actor: Principal, *, after: int = -1, limit: int = 500
    ) -> list[LogLine]:
        """Log lines after a cursor."""
        return self._many(LogLine, f"/api/v1/deployments/{deployment_id}/log", actor, after=after, limit=limit)

    async def follow_deployment_log(
        self, deployment_id: str, actor: Principal, *, after: int = -1
    ) -> AsyncIterator[LogLine]:
        """Log lines, live."""
        async for data in self._stream(f"/api/v1/deployments/{deployment_id}/log/stream", actor, after):
            yield LogLine.model_validate(data)

    def list_repositories(self, actor: Principal, *, cursor: str | None = None) -> Page[RepositoryView]:
        """Hosted repositories."""
        return self._page(RepositoryView, "/api/v1/repositories", actor, {"cursor": cursor} if cursor else {})

    def get_repository(self, name: str, actor: Principal) -> RepositoryView:
        """One repository."""
        return self._one(RepositoryView, f"/api/v1/repositories/{name}", actor)

    def repository_tree(self, name: str, actor: Principal, *, commit: str | None = None) -> list[TreeEntry]:
        """All files and folders."""
        return self._many(TreeEntry, f"/api/v1/repositories/{name}/tree", actor, commit=commit)

    def repository_file(self, name: str, path: str, actor: Principal, *, commit: str | None = None) -> FileContent:
        """One file."""
        return self._one(FileContent, f"/api/v1/repositories/{name}/files/{quote(path)}", actor, commit=commit)

    def repository_commits(self, name: str, actor: Principal, *, limit: int = 20) -> list[CommitView]:
        """The newest commits."""
        return self._many(CommitView, f"/api/v1/repositories/{name}/commits", actor, limit=limit)

    def events(self, *, after: int = 0, limit: int = 500, wait: float = 0) -> list[Event]:
        """Events after a cursor."""
        return self._many(Event, "/api/v1/gateway/events", _READER, after=after, limit=limit, wait=wait)

    async def _stream(self, path: str, actor: Principal, after: int) -> AsyncIterator[Any]:
        headers = {**self._headers(actor), "Accept": "text/event-stream"}
        if after >= 0:
            headers["Last-Event-ID"] = str(after)
        timeout = httpx.Timeout(None, connect=5)
        try:
            async with (
                httpx.AsyncClient(base_url=self._url, timeout=timeout) as client,
                client.stream("GET", path, headers=headers) as response,
            ):
                if response.status_code >= 400:
                    raise told(await response.aread(), response.status_code)
                async for line in response.aiter_lines():
                    if line.startswith("data:"):
                        yield json.loads(line[5:])
        except httpx.TransportError as error:
            raise self._away(error) from error


def _reveal(request: RunRequest) -> dict[str, Any]:
    return request.model_dump(mode="json") | {"secrets": revealed(request.secrets)}
