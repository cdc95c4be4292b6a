"""Plans and new runs as JSON."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter

from flagstone.contracts.plans import Plan
from flagstone.contracts.runs import RunRequest, RunView
from flagstone.kernel.actor import Principal
from flagstone.platform.runs import START
from flagstone.platform.workflows.permissions import PLAN
from flagstone.platform.workflows.service import WorkflowService
from flagstone.sdk.guards import permit


def router(service: WorkflowService) -> APIRouter:
    """``POST /api/v1/plans`` and ``POST /api/v1/runs``."""
    api = APIRouter()

    @api.post("/api/v1/plans", tags=["runs"], summary="What a run would change, without starting it")
    def plan(body: RunRequest, principal: Annotated[Principal, permit(PLAN)]) -> Plan:
        return service.plan(body, principal)

    @api.post("/api/v1/runs", tags=["runs"], summary="Start a run", status_code=201)
    def submit(body: RunRequest, principal: Annotated[Principal, permit(START)]) -> RunView:
        return service.submit(body, principal)

    return api
