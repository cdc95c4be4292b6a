"""What a run waits for, on its page: the buttons of an approval, and the form of a step that asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.concurrency import run_in_threadpool

from flagstone.contracts.approvals import ApprovalQuery, ApprovalView
from flagstone.contracts.runs import RunView
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, Denied, FlagstoneError, Invalid, NotFound
from flagstone.portal.self_service.permissions import RUN_ANSWER
from flagstone.portal.self_service.service import RunReader
from flagstone.toolkit.web.forms import Field, Pairs, fields, parse, parse_body


@dataclass(frozen=True, slots=True)
class Question:
    """A step that asks for input, with its form."""

    step_id: str
    step: str
    message: str
    until: datetime | None
    asked: tuple[str, ...]
    fields: tuple[Field, ...]
    notice: str = ""


@dataclass(frozen=True, slots=True)
class WaitingPart:
    """Everything that the run waits for people to do."""

    run: RunView
    active: bool
    questions: tuple[Question, ...]
    approvals: tuple[ApprovalView, ...]


@dataclass(frozen=True, slots=True)
class Typed:
    """An answer that was not taken, and why."""

    step_id: str
    values: Mapping[str, Any]
    errors: Mapping[str, str]
    notice: str = ""


def waiting_part(
    runs: RunReader, principal: Principal, run: RunView, *, active: bool, typed: Typed | None = None
) -> WaitingPart:
    """What the run waits for; nothing when it does not."""
    waits = [step for step in run.steps if step.state == "waiting" and step.wait is not None]
    questions = []
    for step in waits:
        if step.wait is None or step.wait.kind != "input":
            continue
        mine = typed if typed is not None and typed.step_id == step.id else None
        drawn = fields(_page(step.wait.answer_schema), mine.values if mine else {}, mine.errors if mine else {})
        notice = mine.notice if mine else ""
        wait = step.wait
        questions.append(Question(step.id, step.name, wait.message, wait.until, wait.asked, drawn, notice))
    approvals: Sequence[ApprovalView] = ()
    if any(step.wait is not None and step.wait.kind == "approval" for step in waits):
        try:
            approvals = runs.gateway.list_approvals(
                ApprovalQuery(run_id=run.id, state=("pending",), limit=20), principal
            ).items
        except FlagstoneError:
            approvals = ()
    return WaitingPart(run, active, tuple(questions), tuple(approvals))


def _page(schema: Any) -> dict[str, Any]:
    return schema if isinstance(schema, dict) else {}


def schema_of(run: RunView, step_id: str) -> dict[str, Any]:
    """What a step asks for. Raises Conflict when it asks for nothing (any more)."""
    step = next((item for item in run.steps if item.id == step_id), None)
    if step is None or step.wait is None or step.wait.kind != "input":
        raise Conflict(
            "self_service.not_asked", f"The step {step_id} of run {run.number} does not ask (any more).",
            hint="Look at the run: somebody else may have answered.",
        )  # fmt: skip
    return _page(step.wait.answer_schema)


def waiting_routes(routes: APIRouter, runs: RunReader, show: Any) -> None:
    """Add the route that takes answers; ``show(request, principal, run_id, typed, status)`` draws the run's page."""

    def take(request: Request, principal: Principal, run_id: str, step_id: str, pairs: Pairs) -> Response:
        page = schema_of(runs.get(principal, run_id), step_id)
        operation = pairs.last("_op") or ""
        posted = parse(page, pairs, {}, operation)
        values = {**posted.values, **posted.secrets}
        if operation:
            drawn: Response = show(request, principal, run_id, Typed(step_id, values, {}), 200)
            return drawn
        given = {name: value for name, value in values.items() if value is not None}
        try:
            runs.answer(principal, run_id, step_id, given)
        except (Conflict, Denied, Invalid, NotFound) as error:
            errors = {problem.field: problem.message for problem in error.problems if problem.field}
            refused: Response = show(
                request, principal, run_id, Typed(step_id, values, errors, str(error.message)), error.status
            )
            return refused
        return RedirectResponse(f"/runs/{run_id}", 303)

    @routes.post("/runs/{run_id}/steps/{step_id}/answer", response_class=HTMLResponse)
    async def answer(
        request: Request, run_id: str, step_id: str, principal: Annotated[Principal, permit(RUN_ANSWER)]
    ) -> Response:
        """Answer a step that asks for input."""
        pairs = parse_body(await request.body())
        return await run_in_threadpool(take, request, principal, run_id, step_id, pairs)
