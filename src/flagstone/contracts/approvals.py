"""Approvals: who must agree before a run goes on, what was asked, and what was decided."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import Field

from flagstone.contracts.base import Wire
from flagstone.kernel.actor import ROLES, Principal
from flagstone.kernel.errors import Invalid
from flagstone.kernel.paging import Page
from flagstone.kernel.refs import parse_ref

if TYPE_CHECKING:
    from flagstone.contracts.plans import Plan

ApprovalState = Literal["pending", "approved", "rejected", "expired", "void"]
"""``void``: what was to be approved changed (another plan digest) or the run ended; a new request must be made."""
ApprovalVerdict = Literal["approve", "reject"]


class ApprovalRule(Wire):
    """Who must agree: ``count`` different people out of ``of``."""

    of: tuple[str, ...]
    """Each a group ref (``group:default/platform``: its members, and those of groups below it), a user ref,
    ``role:maintainer`` (this role or a higher one) or ``owner`` (the owner of what the run acts upon).
    """
    count: int = Field(default=1, ge=1, le=20)
    expires_hours: float = Field(default=72, gt=0, le=24 * 90)
    reason: str = ""
    """Why it is asked for, for people: the name of the policy, or what the template says."""


def approver(text: str) -> str:
    """One of ``ApprovalRule.of`` as people write it, in full: ``platform`` is ``group:default/platform``.

    Raises Invalid (``approvals.bad_approver``).
    """
    wanted = text.strip()
    kind, _, name = wanted.partition(":")
    if wanted == "owner" or (kind == "role" and name in ROLES):
        return wanted
    try:
        ref = parse_ref(wanted, default_kind="group", default_namespace="default")
    except Invalid:
        ref = None
    if ref is None or ref.kind.lower() not in ("group", "user"):
        raise Invalid(
            "approvals.bad_approver",
            f"{text!r:.100} is nobody who can be asked for an approval.",
            hint=f"Name a group, a user (user:default/ada), owner, or role: with one of {', '.join(ROLES)}.",
        )
    return str(ref).lower()


class ApprovalDecision(Wire):
    """What one person said."""

    actor: str
    actor_name: str
    verdict: ApprovalVerdict
    comment: str = ""
    at: datetime
    on_behalf_of: str = ""
    """Entity ref of who delegated to this person; empty when they were asked themselves."""


class ApprovalDelegation(Wire):
    """Somebody who was asked named somebody else to decide in their place."""

    by: str
    to: str
    at: datetime


class ApprovalView(Wire):
    """One request for approval: it belongs to one step of one run."""

    id: str
    state: ApprovalState
    run_id: str
    run_number: int
    run_title: str
    step_id: str
    rule: ApprovalRule
    plan_digest: str = ""
    message: str = ""
    owner: str | None = None
    subjects: tuple[str, ...] = ()
    requested_by: str
    requested_by_name: str
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None = None
    decisions: tuple[ApprovalDecision, ...] = ()
    delegations: tuple[ApprovalDelegation, ...] = ()
    may_decide: bool = False
    """Whether the one who looks may decide now."""
    why_not: str = ""
    """Why not, in words: own request, not asked, has decided."""


class ApprovalQuery(Wire):
    """Filters of a list of approvals; newest first."""

    state: tuple[ApprovalState, ...] = ()
    mine: bool = False
    """Only those that the one who asks may decide."""
    by_me: bool = False
    """Only those of runs that the one who asks started."""
    run_id: str | None = None
    cursor: str | None = None
    limit: int | None = None


class ApprovalDoor(Protocol):
    """The part of the door that is about approvals. Methods may raise Unavailable, Denied, NotFound, Conflict."""

    def list_approvals(self, query: ApprovalQuery, actor: Principal) -> Page[ApprovalView]:
        """A page of requests."""

    def count_approvals(self, actor: Principal) -> int:
        """How many wait for this person; cheap, for the side bar."""

    def get_approval(self, approval_id: str, actor: Principal) -> ApprovalView:
        """One request."""

    def approval_plan(self, approval_id: str, actor: Principal) -> Plan | None:
        """The plan that a request is bound to, as it was when it was asked; None when it is about no whole run."""

    def decide_approval(
        self, approval_id: str, actor: Principal, verdict: ApprovalVerdict, *, comment: str = "", plan_digest: str = ""
    ) -> ApprovalView:
        """Approve or reject. Raises Conflict when it is decided, expired or about another plan than the one seen."""

    def delegate_approval(self, approval_id: str, actor: Principal, to: str) -> ApprovalView:
        """Let a user (an entity ref) decide in one's place."""
