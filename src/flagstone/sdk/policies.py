"""Policies: they see a plan before anything is written and say what they think of it.

class NoFridayDeployments(Policy):
    id = "acme:no-friday"
    title = "No deployments on Fridays"

    def verdicts(self, case):
        if date.today().weekday() == 4 and any(change.kind == "deployment" for change in case.changes):
            yield Verdict(policy=self.id, severity="deny", message="Deployments wait until Monday.")
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from flagstone.contracts.plans import Change, Plan
from flagstone.contracts.policy import Verdict
from flagstone.contracts.runs import RunRequest
from flagstone.kernel.actor import Principal


@dataclass(frozen=True, slots=True)
class PolicyCase:
    """What a policy decides about: the plan, the request it was made from and who asks."""

    plan: Plan
    request: RunRequest
    actor: Principal

    @property
    def changes(self) -> tuple[Change, ...]:
        """All changes of all steps."""
        return tuple(change for step in self.plan.steps for change in step.changes)


class Policy:
    """Base of all policies. A policy that raises counts as a ``deny`` that names the failure: it fails closed."""

    id: ClassVar[str]
    title: ClassVar[str]

    def verdicts(self, case: PolicyCase) -> Iterable[Verdict]:
        """What it says; nothing when it has no objection."""
        raise TypeError(f"{type(self).__name__} must say something: define verdicts().")
