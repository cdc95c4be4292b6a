"""Reading and deciding requests through the gateway, and the names of those who are asked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from flagstone.contracts.approvals import ApprovalQuery, ApprovalState, ApprovalVerdict, ApprovalView
from flagstone.contracts.gateway import GatewayInfo, RunGateway
from flagstone.contracts.plans import Plan
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError
from flagstone.kernel.paging import Page
from flagstone.portal.catalog import CatalogService

_COUNT_SECONDS = 3.0
_MOST_COUNTS = 5_000
_DECIDED: tuple[ApprovalState, ...] = ("approved", "rejected", "expired", "void")
VIEWS: dict[str, ApprovalQuery] = {
    "mine": ApprovalQuery(mine=True),
    "asked": ApprovalQuery(by_me=True),
    "decided": ApprovalQuery(state=_DECIDED),
    "all": ApprovalQuery(),
}
"""What each list shows."""


class Inbox:
    """Requests as the portal shows them."""

    def __init__(self, gateway: RunGateway, catalog: CatalogService) -> None:
        self._gateway = gateway
        self._catalog = catalog
        self._counts: dict[str, tuple[float, int | None]] = {}

    def platform(self) -> GatewayInfo:
        """What is behind the door."""
        return self._gateway.info()

    def list(
        self, principal: Principal, view: str, *, cursor: str | None = None, limit: int = 50
    ) -> Page[ApprovalView]:
        """A page of one of the :data:`VIEWS`."""
        query = VIEWS[view].model_copy(update={"cursor": cursor, "limit": limit})
        return self._gateway.list_approvals(query, principal)

    def count(self, principal: Principal) -> int | None:
        """How many wait for this person; None for none or when it cannot be told. Remembered for three seconds."""
        until, found = self._counts.get(principal.id, (0.0, None))
        if until < time.monotonic():
            try:
                found = self._gateway.count_approvals(principal) or None
            except FlagstoneError:
                found = None
            if len(self._counts) > _MOST_COUNTS:
                self._counts.clear()
            self._counts[principal.id] = (time.monotonic() + _COUNT_SECONDS, found)
        return found

    def get(self, principal: Principal, approval_id: str) -> tuple[ApprovalView, Plan | None]:
        """One request with its plan. Raises NotFound."""
        return self._gateway.get_approval(approval_id, principal), self._gateway.approval_plan(approval_id, principal)

    def decide(
        self, principal: Principal, approval_id: str, verdict: ApprovalVerdict, comment: str, plan_digest: str
    ) -> ApprovalView:
        """Approve or reject. Raises Denied, Conflict."""
        self._counts.pop(principal.id, None)
        return self._gateway.decide_approval(approval_id, principal, verdict, comment=comment, plan_digest=plan_digest)

    def delegate(self, principal: Principal, approval_id: str, to: str) -> ApprovalView:
        """Let somebody else decide. Raises Denied, Invalid, Conflict."""
        self._counts.pop(principal.id, None)
        return self._gateway.delegate_approval(approval_id, principal, to)

    def names(self, refs: Iterable[str]) -> Mapping[str, str]:
        """Titles of those refs that are in the catalog."""
        wanted = {ref for ref in refs if ref.startswith(("group:", "user:"))}
        return {ref: entity.title for ref, entity in self._catalog.get_many(wanted).items()}
