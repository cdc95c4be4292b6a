"""The portal alone, whole and in this process, in front of a platform that only takes notes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from flagstone.app.build import build
from flagstone.app.rooms import load_settings
from flagstone.contracts.deployments import DeploymentView, EnvironmentView, LogLine
from flagstone.contracts.gateway import DeploymentQuery, GatewayInfo, NoPlatform, RunGateway, RunQuery
from flagstone.contracts.plans import Change, Plan, PlannedFile, PlannedStep
from flagstone.contracts.repositories import CommitView, FileContent, RepositoryView, TreeEntry
from flagstone.contracts.runs import ENDED, RunEvent, RunRequest, RunSummary, RunView
from flagstone.foundation.access import AccessService
from flagstone.foundation.identity import IdentityService
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import utc_now
from flagstone.kernel.errors import Conflict, FlagstoneError, NotFound
from flagstone.kernel.ids import new_id
from flagstone.kernel.paging import Page
from flagstone.sdk import hookimpl
from flagstone.testing.client import Client
from flagstone.testing.people import CHEAP, People, people

ACME = Path(__file__).parents[3] / "examples" / "acme"


class RecordingGateway(NoPlatform):
    """A platform that executes nothing: requests are kept, what it answers is what a test put into it."""

    def __init__(self) -> None:
        self.requests: list[RunRequest] = []
        self.runs: list[RunView] = []
        self.run_log: dict[str, list[RunEvent]] = {}
        self.deployments: list[DeploymentView] = []
        self.log: list[LogLine] = []
        self.files: dict[str, dict[str, str]] = {}
        self.told: list[tuple[str, str]] = []
        self.fails: FlagstoneError | None = None
        self.salt = ""
        """Change it, and every plan has another digest."""
        self._keys: dict[str, RunView] = {}

    def info(self) -> GatewayInfo:
        return GatewayInfo(name="recording", connected=True, repo_hosts=("flagstone", "github.com"))

    def plan(self, request: RunRequest, actor: Principal) -> Plan:
        if self.fails:
            raise self.fails
        name = str(request.inputs.get("name", "thing"))
        steps = tuple(
            PlannedStep(
                id=step.id,
                name=step.name,
                action=step.action,
                permission="deployments.deployment.write",
                changes=(Change(kind="repository", op="create", subject=f"acme/{name}", detail=self.salt),),
            )
            for step in request.workflow.steps
        )
        files = (PlannedFile(path="app.py", text=f"print({name!r})\n"), PlannedFile(path="logo.png", size=9))
        return Plan(title=request.workflow.title, steps=steps, files=files).sealed()

    def submit(self, request: RunRequest, actor: Principal) -> RunView:
        if request.idempotency_key in self._keys:
            return self._keys[str(request.idempotency_key)]
        if request.plan_digest and request.plan_digest != self.plan(request, actor).digest:
            raise Conflict("runs.plan_changed", "The plan is not the one that was seen.")
        if self.fails:
            raise self.fails
        self.requests.append(request)
        run = self.add_run(
            title=request.workflow.title, workflow=request.workflow.name, inputs=request.inputs, actor=actor
        )
        if request.idempotency_key:
            self._keys[request.idempotency_key] = run
        return run

    def add_run(self, *, actor: Principal | None = None, state: str = "succeeded", **values: Any) -> RunView:
        """Pretend that something ran."""
        now = utc_now()
        given = {
            "id": new_id(),
            "number": len(self.runs) + 1,
            "title": "A run",
            "workflow": "test",
            "state": state,
            "actor": actor.id if actor else "user:nobody",
            "actor_name": actor.name if actor else "Nobody",
            "created_at": now,
            "started_at": now,
            "ended_at": now if state in ENDED else None,
        }
        run = RunView.model_validate(given | values)
        self.runs.append(run)
        return run

    def list_runs(self, query: RunQuery, actor: Principal) -> Page[RunSummary]:
        found = [
            run
            for run in reversed(self.runs)
            if (not query.state or run.state in query.state)
            and (query.actor in (None, run.actor))
            and (query.subject is None or query.subject in run.subjects)
            and (query.template_ref in (None, run.template_ref))
            and (query.text or "").lower() in run.title.lower()
        ]
        limit = query.limit or 50
        begin = int(query.cursor or 0)
        more = str(begin + limit) if len(found) > begin + limit else None
        return Page(tuple(found[begin : begin + limit]), more)

    def get_run(self, run_id: str, actor: Principal) -> RunView:
        found = next((run for run in self.runs if run_id in (run.id, str(run.number))), None)
        if found is None:
            raise NotFound("runs.no_run", f"There is no run {run_id}.")
        return found

    def run_events(self, run_id: str, actor: Principal, *, after: int = 0, limit: int = 1000) -> list[RunEvent]:
        return [event for event in self.run_log.get(run_id, []) if event.seq > after][:limit]

    async def follow_run(self, run_id: str, actor: Principal, *, after: int = 0) -> AsyncIterator[RunEvent]:
        for event in self.run_events(run_id, actor, after=after):
            yield event

    def cancel(self, run_id: str, actor: Principal, *, undo: bool = False) -> RunView:
        self.told.append(("cancel and undo" if undo else "cancel", run_id))
        return self.get_run(run_id, actor)

    def retry(self, run_id: str, actor: Principal, *, from_step: str | None = None) -> RunView:
        self.told.append(("retry", run_id))
        return self.get_run(run_id, actor)

    def list_environments(self, actor: Principal) -> list[EnvironmentView]:
        return [
            EnvironmentView(name=name, type=name, title=name.capitalize(), runtime="local")
            for name in ("development", "staging")
        ]

    def list_deployments(self, query: DeploymentQuery, actor: Principal) -> Page[DeploymentView]:
        found = [
            item
            for item in self.deployments
            if query.entity_ref in (None, item.entity_ref) and (not query.owners or item.owner in query.owners)
        ]
        return Page(tuple(found))

    def get_deployment(self, deployment_id: str, actor: Principal) -> DeploymentView:
        found = next((item for item in self.deployments if item.id == deployment_id), None)
        if found is None:
            raise NotFound("deployments.no_deployment", f"There is no deployment {deployment_id}.")
        return found

    def deployment_log(
        self, deployment_id: str, actor: Principal, *, after: int = -1, limit: int = 500
    ) -> list[LogLine]:
        found = [line for line in self.log if line.seq > after]
        return found[:limit] if after >= 0 else found[-limit:]

    async def follow_deployment_log(
        self, deployment_id: str, actor: Principal, *, after: int = -1
    ) -> AsyncIterator[LogLine]:
        for line in self.deployment_log(deployment_id, actor, after=after):
            yield line

    def list_repositories(self, actor: Principal, *, cursor: str | None = None) -> Page[RepositoryView]:
        return Page(tuple(self.get_repository(name, actor) for name in sorted(self.files)))

    def get_repository(self, name: str, actor: Principal) -> RepositoryView:
        if name not in self.files:
            raise NotFound("repositories.no_repository", f"There is no repository {name}.")
        head = "c" * 40 if self.files[name] else None
        return RepositoryView(
            name=name, clone_url=f"http://test/git/{name}.git", web_url=f"/repositories/{name}", head=head
        )

    def repository_tree(self, name: str, actor: Principal, *, commit: str | None = None) -> list[TreeEntry]:
        return [TreeEntry(path=path, type="blob", size=len(text)) for path, text in sorted(self.files[name].items())]

    def repository_file(self, name: str, path: str, actor: Principal, *, commit: str | None = None) -> FileContent:
        if path not in self.files.get(name, {}):
            raise NotFound("repositories.no_file", f"There is no file {path} in {name}.")
        text = self.files[name][path]
        return FileContent(path=path, commit="c" * 40, text=text, size=len(text))

    def repository_commits(self, name: str, actor: Principal, *, limit: int = 20) -> list[CommitView]:
        return [CommitView(id="c" * 40, author="Ada", at=utc_now(), subject="Begin")]


class _Plugin:
    def __init__(self, gateway: RunGateway) -> None:
        self._gateway = gateway

    @hookimpl
    def flagstone_register_run_gateways(self) -> dict[str, RunGateway]:
        """The gateway of the test."""
        return {"recording": self._gateway}


class PortalApp:
    """The real portal with the example organisation. Without a gateway there is no platform behind it."""

    def __init__(
        self, folder: Path, gateway: RunGateway | None = None, locations: Sequence[tuple[str, str]] = ()
    ) -> None:
        targets = [("file", str(ACME / "catalog-info.yaml")), *locations]
        settings = load_settings(
            None,
            environ={},
            overrides={
                "server.data_dir": str(folder),
                "platform.gateway": "recording" if gateway else "none",
                "catalog.locations": [{"type": kind, "target": target} for kind, target in targets],
                "sources.allowed_folders": [str(ACME), str(folder.parent)],
                "identity.password_memory_kib": CHEAP.password_memory_kib,
                "identity.password_rounds": CHEAP.password_rounds,
            },
        )
        plugins: dict[str, object] = {"recording": _Plugin(gateway)} if gateway else {}
        self.application = build(settings, "portal", discover=False, plugins=plugins)
        self.application.migrate()
        self.application.start()
        deadline = time.monotonic() + 30
        while self.application.waiting_for():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the portal waits for {self.application.waiting_for()}")
            time.sleep(0.05)
        self.deps = self.application.deps
        self.people: People = people(self.deps.get(IdentityService), self.deps.get(AccessService))

    def client(self, person: Any) -> Client:
        """A browser of somebody that says so in every request."""
        return Client(self.application.asgi, headers={**person.headers, "Accept": "text/html"})

    def stop(self) -> None:
        """End it."""
        self.application.stop()
