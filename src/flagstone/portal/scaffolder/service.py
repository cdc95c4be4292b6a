"""Tasks over the golden paths and the gateway."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

from pydantic import SecretStr

from flagstone.contracts.gateway import RunGateway, RunQuery
from flagstone.contracts.plans import Plan
from flagstone.contracts.runs import ENDED, RunSummary
from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, Invalid, Problem
from flagstone.kernel.refs import parse_ref
from flagstone.portal.golden_paths import GoldenPath, GoldenPathService, unregistered
from flagstone.portal.scaffolder.model import (
    EventWriter,
    parameter_schema,
    states_of,
    task,
    validation_error,
    whole_task,
)
from flagstone.portal.scaffolder.permissions import CREATE, DRY_RUN
from flagstone.toolkit.templating import names

_PAGE = 200
_MOST = 10_000
"""Tasks of one answer, also when no limit is asked for."""
_ORDERS: dict[str, Literal["number", "state", "actor_ref"]] = {
    "created_at": "number",
    "status": "state",
    "created_by": "actor_ref",
}


class NotValid(Invalid):
    """Parameters that the form does not take; ``errors`` as Backstage tells them."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("scaffolder.bad_values", "; ".join(str(error["stack"]) for error in errors))
        self.errors = errors


class ScaffolderService:
    """Every method decides through the services that it asks."""

    def __init__(self, paths: GoldenPathService, gateway: RunGateway, access: AccessService) -> None:
        self._paths = paths
        self._gateway = gateway
        self._access = access

    def schema(self, namespace: str, name: str) -> dict[str, Any]:
        """The form of a template. Raises NotFound."""
        return parameter_schema(self._paths.get(namespace, name))

    def actions(self) -> list[dict[str, Any]]:
        """All kinds of step."""
        return [
            {
                "id": spec.id,
                "description": spec.description or spec.title,
                "examples": [
                    {"description": str(item.get("title", "")), "example": str(item.get("yaml", ""))}
                    for item in (example if isinstance(example, Mapping) else {} for example in _examples(spec))
                ],
                "schema": {"input": spec.input_schema, "output": spec.output_schema},
            }
            for spec in self._gateway.list_actions()
        ]

    def extensions(self) -> dict[str, Any]:
        """Filters and functions that templates may use."""
        filters, functions = names()
        return {
            "filters": {name: {"description": text, "schema": {}, "examples": []} for name, text in filters.items()},
            "globals": {
                "functions": {name: {"description": text, "schema": {}} for name, text in functions.items()},
                "values": {},
            },
        }

    def create(
        self, principal: Principal, template_ref: str, values: Mapping[str, Any], secrets: Mapping[str, SecretStr]
    ) -> str:
        """Start a task; returns its id. Raises NotValid with every fault of the values."""
        ref = parse_ref(template_ref, default_kind="template")
        path = self._paths.get(ref.namespace, ref.name)
        # One page after the other, and no further than the first that is wrong.
        for page in self._paths.faults(path, values):
            if page:
                raise NotValid([validation_error(fault.name, fault.message) for fault in page])
        return self._paths.start(principal, path, values, secrets).id

    def tasks(
        self,
        principal: Principal,
        *,
        created_by: list[str],
        status: list[str],
        limit: int | None,
        offset: int,
        order: str,
    ) -> dict[str, Any]:
        """A page of tasks, and how many there are."""
        states = states_of(status)
        if status and not states:
            return {"tasks": [], "totalTasks": 0}
        direction, field = _order(order)
        wanted = _MOST if limit is None else min(limit, _MOST)
        refs = tuple(ref.lower() for ref in created_by)
        query = RunQuery(
            state=states, actor_refs=refs, order=field, ascending=direction == "asc", offset=offset, limit=1, count=True
        )
        total = self._gateway.list_runs(query, principal).total or 0
        found: list[RunSummary] = []
        while len(found) < min(wanted, total - offset):
            more = {"count": False, "offset": offset + len(found), "limit": min(_PAGE, wanted - len(found))}
            page = self._gateway.list_runs(query.model_copy(update=more), principal)
            found += page.items
            if not page.items:
                break
        return {"tasks": [task(run) for run in found], "totalTasks": total}

    def get(self, principal: Principal, task_id: str) -> dict[str, Any]:
        """One task. Raises NotFound."""
        return whole_task(self._gateway.get_run(task_id, principal))

    def cancel(self, principal: Principal, task_id: str) -> None:
        """Ask a task to stop."""
        self._access.check(principal, CREATE, resource=f"run:{task_id}")
        self._gateway.cancel(task_id, principal)

    def retry(self, principal: Principal, task_id: str) -> str:
        """Go on from where a task failed. Raises Conflict while it is at work."""
        self._access.check(principal, CREATE, resource=f"run:{task_id}")
        run = self._gateway.get_run(task_id, principal)
        if run.state not in ENDED and run.state != "unknown":
            raise Conflict("scaffolder.not_ended", f"The task {task_id} has not ended.", hint="Cancel it first.")
        return self._gateway.retry(task_id, principal).id

    def events(self, principal: Principal, task_id: str, after: int) -> tuple[list[dict[str, Any]], bool]:
        """Events after a cursor, and whether the task has ended."""
        run = self._gateway.get_run(task_id, principal)
        writer = EventWriter(run)
        events = self._gateway.run_events(run.id, principal, after=after)
        told = [item for event in events if (item := writer.event(event)) is not None]
        return told, run.state in ENDED

    async def follow(self, principal: Principal, task_id: str, after: int) -> AsyncIterator[dict[str, Any]]:
        """Events as they come, until the task has ended."""
        writer = EventWriter(self._gateway.get_run(task_id, principal))
        async for event in self._gateway.follow_run(task_id, principal, after=after):
            told = writer.event(event)
            if told is not None:
                yield told

    def dry_run(
        self,
        principal: Principal,
        template: Mapping[str, Any],
        values: Mapping[str, Any],
        secrets: Mapping[str, SecretStr],
        files: Mapping[str, str],
    ) -> dict[str, Any]:
        """What a template that is not registered would do. Unlike Backstage's, a dry run that fails tells what came
        before.
        """
        self._access.check(principal, DRY_RUN)
        path = unregistered(template, "inline:template.yaml")
        for page in self._paths.faults(path, values):
            if page:
                raise NotValid([validation_error(fault.name, fault.message) for fault in page])
        request = self._paths.request(path, values, secrets, principal=principal).model_copy(
            update={"files": dict(files)}
        )
        return _tried(path, self._gateway.plan(request, principal))


def _order(text: str) -> tuple[str, Literal["number", "state", "actor_ref"]]:
    """``desc:created_at`` and the like. Raises Invalid for another."""
    direction, _, field = (text or "desc:created_at").partition(":")
    if direction not in ("asc", "desc") or field not in _ORDERS:
        raise Invalid(
            "scaffolder.bad_order",
            f"{text!r:.100} is no order of tasks.",
            hint=f"Write asc: or desc: and one of {', '.join(_ORDERS)}.",
        )
    return direction, _ORDERS[field]


def _examples(spec: Any) -> list[Any]:
    return list(getattr(spec, "examples", ()) or ())


def _tried(path: GoldenPath, plan: Plan) -> dict[str, Any]:
    log: list[dict[str, Any]] = [{"body": {"message": f"Starting up task with {len(plan.steps)} steps"}}]
    for step in plan.steps:
        status = "skipped" if step.skipped else "completed"
        changes = (f"{change.op} {change.kind} {change.subject}" for change in step.changes)
        texts = [text for text in (step.summary, *changes, *step.notes) if text]
        log += [{"body": {"stepId": step.id, "message": text}} for text in texts]
        log.append({"body": {"stepId": step.id, "status": status, "message": f"Finished step {step.name}"}})
    if plan.problems:
        raise Invalid(
            "scaffolder.dry_run_failed",
            f"{path.title} would fail.",
            problems=[Problem(text) for text in plan.problems],
        )
    return {
        "log": log,
        "steps": [{"id": step.id, "name": step.name, "action": step.action} for step in plan.steps],
        "output": plan.output,
        "directoryContents": [
            {
                "path": file.path,
                "executable": file.executable,
                "base64Content": base64.b64encode((file.text or "").encode()).decode(),
            }
            for file in plan.files
            if file.op != "delete"
        ],
    }
