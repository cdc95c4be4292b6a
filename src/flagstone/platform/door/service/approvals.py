"""The part of the door that is about approvals."""

from __future__ import annotations

from flagstone.contracts.approvals import ApprovalQuery, ApprovalVerdict, ApprovalView
from flagstone.contracts.plans import Plan
from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page
from flagstone.platform.approvals import ApprovalService


class LocalApprovals:
    """See ``flagstone.contracts.approvals.ApprovalDoor``."""

    _approvals: ApprovalService

    def list_approvals(self, query: ApprovalQuery, actor: Principal) -> Page[ApprovalView]:
        """A page of requests."""
        return self._approvals.list(query, actor)

    def count_approvals(self, actor: Principal) -> int:
        """How many wait for this person."""
        return self._approvals.count(actor)

    def get_approval(self, approval_id: str, actor: Principal) -> ApprovalView:
        """One request."""
        return self._approvals.get(approval_id, actor)

    def approval_plan(self, approval_id: str, actor: Principal) -> Plan | None:
        """The plan it is bound to."""
        return self._approvals.plan(approval_id, actor)

    def decide_approval(
        self, approval_id: str, actor: Principal, verdict: ApprovalVerdict, *, comment: str = "", plan_digest: str = ""
    ) -> ApprovalView:
        """Approve or reject."""
        return self._approvals.decide(approval_id, actor, verdict, comment=comment, plan_digest=plan_digest)

    def delegate_approval(self, approval_id: str, actor: Principal, to: str) -> ApprovalView:
        """Let somebody else decide."""
        return self._approvals.delegate(approval_id, actor, to)
