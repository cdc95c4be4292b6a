"""The policy point: what a policy says of a plan. Policies are plugins; an engine for Rego is one of them."""

from __future__ import annotations

from typing import Literal

from flagstone.contracts.approvals import ApprovalRule
from flagstone.contracts.base import Wire

Severity = Literal["advise", "warn", "deny"]


class Verdict(Wire):
    """One finding of one policy. ``deny`` forbids the run; ``approvals`` are needed besides those of others."""

    policy: str
    """Id of the policy that says so."""
    severity: Severity
    message: str
    hint: str = ""
    subject: str = ""
    """What it is about: a step, a file, an entity ref; empty for the whole plan."""
    approvals: tuple[ApprovalRule, ...] = ()
