"""Requests for approval as values, and the rules: who may decide now, and in whose place. No I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from flagstone.contracts.approvals import (
    ApprovalDecision,
    ApprovalDelegation,
    ApprovalRule,
    ApprovalState,
    ApprovalVerdict,
    ApprovalView,
)
from flagstone.kernel.actor import ROLES, Principal, is_asked


@dataclass(frozen=True, slots=True)
class Decision:
    """What one person said. ``seat`` is the one of the asked who is heard in it: the person, or who delegated."""

    seat: str
    actor: str
    actor_ref: str | None
    actor_name: str
    verdict: ApprovalVerdict
    comment: str
    at: datetime
    on_behalf_of: str = ""


@dataclass(frozen=True, slots=True)
class Delegation:
    """``seat`` gave the right to decide in its place to ``to``; both as in :func:`seat_of`."""

    seat: str
    by_name: str
    to: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ApprovalRecord:
    """A request as stored."""

    id: str
    state: ApprovalState
    run_id: str
    run_number: int
    run_title: str
    step_id: str
    rule: ApprovalRule
    plan_digest: str
    message: str
    owner: str | None
    subjects: tuple[str, ...]
    requested_by: str
    requested_by_ref: str | None
    requested_by_name: str
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None = None
    decisions: tuple[Decision, ...] = field(default=(), compare=False)
    delegations: tuple[Delegation, ...] = field(default=(), compare=False)

    def state_at(self, now: datetime) -> ApprovalState:
        """Its state; one whose time has run out is expired, whether somebody wrote that down or not."""
        return "expired" if self.state == "pending" and self.expires_at <= now else self.state

    @property
    def approvals(self) -> int:
        """How many people agreed."""
        return sum(decision.verdict == "approve" for decision in self.decisions)

    def view(self, principal: Principal, now: datetime) -> ApprovalView:
        """What a person sees of it."""
        place = standing(self, principal, now)
        return ApprovalView(
            id=self.id,
            state=self.state_at(now),
            run_id=self.run_id,
            run_number=self.run_number,
            run_title=self.run_title,
            step_id=self.step_id,
            rule=self.rule,
            plan_digest=self.plan_digest,
            message=self.message,
            owner=self.owner,
            subjects=self.subjects,
            requested_by=self.requested_by,
            requested_by_name=self.requested_by_name,
            created_at=self.created_at,
            expires_at=self.expires_at,
            decided_at=self.decided_at,
            decisions=tuple(
                ApprovalDecision(
                    actor=item.actor,
                    actor_name=item.actor_name,
                    verdict=item.verdict,
                    comment=item.comment,
                    at=item.at,
                    on_behalf_of=item.on_behalf_of,
                )
                for item in self.decisions
            ),
            delegations=tuple(ApprovalDelegation(by=item.seat, to=item.to, at=item.at) for item in self.delegations),
            may_decide=place.may,
            why_not=place.why_not,
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether somebody may decide a request now, in whose place, and why not."""

    may: bool
    why_not: str = ""
    code: str = ""
    """Last part of the code of the error that says so."""
    seat: str = ""
    on_behalf_of: str = ""


def seat_of(principal: Principal) -> str:
    """One person, whatever account or token they use: the catalog's User where it is known, else the account."""
    return (principal.entity_ref or principal.id).lower()


def same_person(principal: Principal, actor: str, actor_ref: str | None) -> bool:
    """Whether it is them, by account or by the User of the catalog."""
    mine = principal.entity_ref
    return principal.id == actor or (mine is not None and actor_ref is not None and mine.lower() == actor_ref.lower())


def standing(record: ApprovalRecord, principal: Principal, now: datetime) -> Standing:  # noqa: PLR0911  one per reason
    """What a person may do with a request at this moment."""
    state = record.state_at(now)
    if state != "pending":
        return Standing(False, f"It is {state}.", "not_pending")
    if principal.kind not in ("user", "service"):
        return Standing(False, "Only people decide.", "not_asked")
    if any(same_person(principal, item.actor, item.actor_ref) for item in record.decisions):
        return Standing(False, "You have decided already.", "decided")
    if same_person(principal, record.requested_by, record.requested_by_ref):
        return Standing(False, "You asked for it yourself; somebody else has to decide.", "own_request")
    taken = {item.seat: item for item in record.decisions}
    own = seat_of(principal)
    asked = is_asked(principal, record.rule.of, record.owner)
    if asked and own not in taken:
        return Standing(True, seat=own)
    for delegation in record.delegations:
        if delegation.to == own and delegation.seat not in taken:
            return Standing(True, seat=delegation.seat, on_behalf_of=delegation.seat)
    if asked:
        return Standing(False, f"{taken[own].actor_name} has decided in your place.", "decided")
    return Standing(False, f"It asks {', '.join(record.rule.of)}.", "not_asked")


def asked_refs(rule: ApprovalRule, owner: str | None) -> tuple[str, ...]:
    """Who is asked, for looking up: refs in lower case, the owner by its ref."""
    named = [(owner or "") if ref == "owner" else ref for ref in rule.of]
    return tuple(dict.fromkeys(ref.lower() for ref in named if ref))


def refs_of(principal: Principal) -> tuple[str, ...]:
    """Everything by which a person may be asked."""
    rank = ROLES.index(principal.role) if principal.role is not None else -1
    roles = [f"role:{role}" for role in ROLES[: rank + 1]]
    return (*sorted({ref.lower() for ref in principal.owner_refs} | {seat_of(principal)}), *roles)
