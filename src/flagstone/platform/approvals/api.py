"""JSON API of requests for approval. They are made by runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from flagstone.contracts.approvals import ApprovalQuery, ApprovalState, ApprovalVerdict, ApprovalView
from flagstone.contracts.plans import Plan
from flagstone.kernel.actor import Principal
from flagstone.platform.approvals.permissions import DECIDE, READ
from flagstone.platform.approvals.service import ApprovalService
from flagstone.sdk.guards import permit

Reader = Annotated[Principal, permit(READ)]
Decider = Annotated[Principal, permit(DECIDE)]


class ApprovalList(BaseModel):
    """A page of requests."""

    items: list[ApprovalView]
    next_cursor: str | None = None
    total: int | None = None


class Waiting(BaseModel):
    """How many wait for the caller."""

    count: int


class PlanOf(BaseModel):
    """The plan that a request is bound to; null when it is about no whole run, or when the plan was deleted since."""

    plan: Plan | None


class DecisionBody(BaseModel):
    """``plan_digest``, when given, has to be that of the request: what was seen is what is decided."""

    model_config = ConfigDict(extra="forbid")

    verdict: ApprovalVerdict
    comment: str = Field(default="", max_length=5_000)
    plan_digest: str = Field(default="", max_length=100)


class DelegationBody(BaseModel):
    """To whom: the ref of a user."""

    model_config = ConfigDict(extra="forbid")

    to: str = Field(max_length=300)


def router(service: ApprovalService) -> APIRouter:
    """Routes under ``/api/v1/approvals``."""
    routes = APIRouter(prefix="/api/v1/approvals", tags=["approvals"])

    @routes.get("", summary="Requests for approval, newest first")
    def list_approvals(
        principal: Reader,
        state: Annotated[list[ApprovalState] | None, Query()] = None,
        mine: Annotated[bool, Query(description="Only those that the caller may decide now.")] = False,
        by_me: Annotated[bool, Query(description="Only those of runs that the caller started.")] = False,
        run_id: Annotated[str | None, Query(max_length=100)] = None,
        cursor: str | None = None,
        limit: int | None = None,
    ) -> ApprovalList:
        query = ApprovalQuery(
            state=tuple(state or ()), mine=mine, by_me=by_me, run_id=run_id, cursor=cursor, limit=limit
        )
        page = service.list(query, principal)
        return ApprovalList(items=list(page.items), next_cursor=page.next_cursor, total=page.total)

    @routes.get("/count", summary="How many wait for the caller")
    def count_approvals(principal: Reader) -> Waiting:
        return Waiting(count=service.count(principal))

    @routes.get("/{approval_id}", summary="One request")
    def get_approval(approval_id: str, principal: Reader) -> ApprovalView:
        return service.get(approval_id, principal)

    @routes.get("/{approval_id}/plan", summary="The plan that a request is bound to")
    def get_plan(approval_id: str, principal: Reader) -> PlanOf:
        return PlanOf(plan=service.plan(approval_id, principal))

    @routes.post("/{approval_id}/decision", summary="Approve or reject")
    def decide(approval_id: str, body: DecisionBody, principal: Decider) -> ApprovalView:
        return service.decide(approval_id, principal, body.verdict, comment=body.comment, plan_digest=body.plan_digest)

    @routes.post("/{approval_id}/delegation", summary="Let somebody else decide in one's place")
    def delegate(approval_id: str, body: DelegationBody, principal: Decider) -> ApprovalView:
        return service.delegate(approval_id, principal, body.to)

    return routes
