"""The part of the door that is about approvals, over HTTP."""

from __future__ import annotations

from urllib.parse import quote

from flagstone.builtin.http_gateway.calls import Calls
from flagstone.contracts.approvals import ApprovalQuery, ApprovalVerdict, ApprovalView
from flagstone.contracts.plans import Plan
from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page

_ALL = "/api/v1/approvals"


class HttpApprovals(Calls):
    """See ``flagstone.contracts.approvals.ApprovalDoor``."""

    def list_approvals(self, query: ApprovalQuery, actor: Principal) -> Page[ApprovalView]:
        """A page of requests."""
        return self._page(ApprovalView, _ALL, actor, query.model_dump(exclude_none=True))

    def count_approvals(self, actor: Principal) -> int:
        """How many wait for this person."""
        return int(self._send("GET", f"{_ALL}/count", actor, params={})["count"])

    def get_approval(self, approval_id: str, actor: Principal) -> ApprovalView:
        """One request."""
        return self._one(ApprovalView, _path(approval_id), actor)

    def approval_plan(self, approval_id: str, actor: Principal) -> Plan | None:
        """The plan it is bound to."""
        found = self._send("GET", f"{_path(approval_id)}/plan", actor, params={})["plan"]
        return Plan.model_validate(found) if found is not None else None

    def decide_approval(
        self, approval_id: str, actor: Principal, verdict: ApprovalVerdict, *, comment: str = "", plan_digest: str = ""
    ) -> ApprovalView:
        """Approve or reject."""
        body = {"verdict": verdict, "comment": comment, "plan_digest": plan_digest}
        return self._one(ApprovalView, f"{_path(approval_id)}/decision", actor, method="POST", body=body)

    def delegate_approval(self, approval_id: str, actor: Principal, to: str) -> ApprovalView:
        """Let somebody else decide."""
        return self._one(ApprovalView, f"{_path(approval_id)}/delegation", actor, method="POST", body={"to": to})


def _path(approval_id: str) -> str:
    return f"{_ALL}/{quote(approval_id, safe='')}"
