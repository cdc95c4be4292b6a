"""The policy point: every policy says what it thinks of a plan. One that breaks forbids the run: it fails closed."""

from __future__ import annotations

import logging

from pydantic import SecretStr

from flagstone.contracts.approvals import ApprovalRule
from flagstone.contracts.plans import Plan
from flagstone.contracts.policy import Verdict
from flagstone.contracts.runs import RunRequest
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict
from flagstone.platform.runs import MASK
from flagstone.sdk import Policy, PolicyCase

log = logging.getLogger("flagstone.workflows")

_MOST = 200


class PolicyRegistry:
    """All policies by id, in the order of their registration. Frozen when the process starts."""

    def __init__(self) -> None:
        self._policies: dict[str, tuple[Policy, str]] = {}
        self._frozen = False

    def __len__(self) -> int:
        return len(self._policies)

    def add(self, policy: Policy, source: str) -> None:
        """Take a policy of a plugin. Raises Conflict for a second one with its id."""
        if self._frozen:
            raise RuntimeError("policies are registered when the process starts, not later")
        if policy.id in self._policies:
            other = self._policies[policy.id][1]
            raise Conflict("workflows.policy_twice", f"{source} and {other} both bring a policy {policy.id!r}.")
        self._policies[policy.id] = (policy, source)

    def freeze(self) -> None:
        """No more policies."""
        self._frozen = True

    def verdicts(self, plan: Plan, request: RunRequest, actor: Principal) -> tuple[Verdict, ...]:
        """What all of them say. They see the names of secrets, never the values."""
        masked = request.model_copy(update={"secrets": dict.fromkeys(request.secrets, SecretStr(MASK))})
        case = PolicyCase(plan, masked, actor)
        return tuple(verdict for policy, _ in self._policies.values() for verdict in self._ask(policy, case))

    @staticmethod
    def _ask(policy: Policy, case: PolicyCase) -> list[Verdict]:
        try:
            found = [Verdict.model_validate(verdict) for verdict in policy.verdicts(case)]
            return [verdict.model_copy(update={"policy": policy.id}) for verdict in found]
        except Exception as error:
            log.exception("the policy %s failed; the run is refused", policy.id)
            what = f"{type(error).__name__}: {error}"[:_MOST]
            return [
                Verdict(
                    policy=policy.id,
                    severity="deny",
                    message=f"The policy {policy.id} cannot decide: {what}",
                    hint="Nothing runs while a policy fails. Ask an administrator; the server's log has the details.",
                )
            ]


def unanswerable(rule: ApprovalRule, owner: str | None) -> str:
    """Why nobody could ever give this approval; "" when somebody can."""
    if any(ref != "owner" for ref in rule.of) or ("owner" in rule.of and owner):
        return ""
    why = f" ({rule.reason})" if rule.reason else ""
    if rule.of:
        return f"It needs the agreement of the owner{why}, but nobody is named as the owner of what it acts upon."
    return f"It needs an approval{why}, but the rule names nobody who could give it."
