"""Runs as Backstage's tasks: states, events, validation errors. No I/O.

Source of the shapes: the API of ``@backstage/plugin-scaffolder-backend`` as its public client reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flagstone.contracts.runs import RunEvent, RunSummary, RunView

STATUS = {
    "queued": "open",
    "running": "processing",
    "waiting": "processing",
    "cancelling": "processing",
    "unknown": "processing",
    "succeeded": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
}
STEP_STATUS = {
    "pending": "open",
    "running": "processing",
    "waiting": "processing",
    "unknown": "processing",
    "succeeded": "completed",
    "failed": "failed",
    "skipped": "skipped",
    "cancelled": "cancelled",
}
_STEP_TEXT = {
    "running": "Beginning step {name}",
    "succeeded": "Finished step {name}",
    "skipped": "Skipping step {id} because its if condition was false",
    "waiting": "Step {name} is waiting",
    "cancelled": "Step {id} was cancelled",
}


def states_of(statuses: list[str]) -> tuple[str, ...]:
    """States of runs that have one of Backstage's statuses; all when none is wanted."""
    return tuple(state for state, status in STATUS.items() if status in statuses)


def moment(at: datetime) -> str:
    """As JavaScript writes it, with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def task(run: RunSummary) -> dict[str, Any]:
    """A run as a task in a list."""
    spec: dict[str, Any] = {
        "apiVersion": "scaffolder.backstage.io/v1beta3",
        "steps": [],
        "output": {},
        "parameters": {},
        "user": {"ref": run.actor_ref} if run.actor_ref else {},
    }
    if run.template_ref:
        name = run.template_ref.rpartition("/")[2]
        namespace = run.template_ref.partition(":")[2].partition("/")[0]
        metadata = {"name": name, "namespace": namespace, "title": run.title}
        spec["templateInfo"] = {"entityRef": run.template_ref, "entity": {"metadata": metadata}}
    found: dict[str, Any] = {
        "id": run.id,
        "spec": spec,
        "status": STATUS[run.state],
        "createdAt": moment(run.created_at),
        "lastHeartbeatAt": moment(run.ended_at or run.started_at or run.created_at),
    }
    if run.actor_ref:
        found["createdBy"] = run.actor_ref
    return found


def whole_task(run: RunView) -> dict[str, Any]:
    """A run as a task with its steps and parameters; secrets are in neither."""
    found = task(run)
    found["spec"]["steps"] = [
        {"id": step.id, "name": step.name, "action": step.action, "input": step.inputs} for step in run.steps
    ]
    found["spec"]["parameters"] = run.inputs
    found["state"] = {"steps": {step.id: {"status": STEP_STATUS[step.state]} for step in run.steps}}
    return found


class EventWriter:
    """Events of one run as events of its task. ``id`` is the sequence number, by which a reader goes on."""

    def __init__(self, run: RunView) -> None:
        self._run = run
        self._names = {step.id: step.name for step in run.steps}

    def event(self, event: RunEvent) -> dict[str, Any] | None:
        """One event; None for what a task does not tell."""
        if event.type == "log":
            return self._told(event, "log", {"message": event.text, **_step(event)})
        if event.type == "step":
            return self._told(event, "log", {**self._step_body(event), "stepId": event.step})
        if event.state in ("succeeded", "failed", "cancelled"):
            return self._told(event, "completion", self._end(event))
        if event.state == "cancelling":
            return self._told(event, "cancelled", {"message": "The task is being cancelled"})
        if event.state == "running":
            text = f"Starting up task with {len(self._run.steps)} steps"
            return self._told(event, "log", {"message": text})
        return None

    def _step_body(self, event: RunEvent) -> dict[str, Any]:
        status = STEP_STATUS.get(event.state, "processing")
        if event.state == "failed":
            error = event.data.get("error") or {}
            message = str(error.get("detail") or error.get("title") or f"Step {event.step} failed")
        else:
            text = _STEP_TEXT.get(event.state, "Step {name} is {state}")
            name = self._names.get(event.step, event.step)
            message = text.format(name=name, id=event.step, state=event.state)
        return {"message": message, "status": status}

    @staticmethod
    def _end(event: RunEvent) -> dict[str, Any]:
        status = STATUS[event.state]
        body: dict[str, Any] = {"message": f"Run completed with status: {status}", "status": status}
        if isinstance(event.data.get("output"), dict):
            body["output"] = event.data["output"]
        error = event.data.get("error")
        if isinstance(error, dict):
            body["error"] = {"name": str(error.get("title") or "Error"), "message": str(error.get("detail") or "")}
        elif event.state == "succeeded":
            body.setdefault("output", {})
        return body

    def _told(self, event: RunEvent, type_: str, body: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": event.seq,
            "isTaskRecoverable": False,
            "taskId": self._run.id,
            "body": body,
            "type": type_,
            "createdAt": moment(event.at),
        }


def _step(event: RunEvent) -> dict[str, Any]:
    return {"stepId": event.step} if event.step else {}


def validation_error(field: str, message: str, instance: Any = None) -> dict[str, Any]:
    """One fault of the parameters, as the library that Backstage validates with tells it."""
    path = [part for part in field.split(".") if part]
    where = ".".join(["instance", *path])
    return {
        "path": path,
        "property": where,
        "message": message,
        "instance": instance,
        "name": "",
        "stack": f"{where} {message}",
    }


def parameter_schema(path: Any) -> dict[str, Any]:
    """The form of a golden path: pages become steps."""
    found: dict[str, Any] = {
        "title": path.title,
        "steps": [_page(page) for page in path.pages] if path.parameters is not None else [],
    }
    if path.description:
        found["description"] = path.description
    if path.labels:
        found["presentation"] = {"buttonLabels": dict(path.labels)}
    return found


def _page(page: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"title": page.get("title"), "schema": dict(page)}
    if page.get("description"):
        found["description"] = page["description"]
    return found
