"""The plugin registers itself. A policy that is off is not even asked: plans and runs cost nothing more then."""

from __future__ import annotations

from collections.abc import Iterable

from flagstone.builtin.policies.policies import Deletions, Production
from flagstone.builtin.policies.settings import PoliciesSettings
from flagstone.sdk import Deps, Policy, Slice, hookimpl


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Nothing but its settings: what is wrong in them is told at the start."""
    deps.settings("policies", PoliciesSettings)
    return Slice("policies", room="platform")


@hookimpl
def flagstone_register_policies(deps: Deps) -> Iterable[Policy]:
    """Those that are on."""
    settings = deps.settings("policies", PoliciesSettings)
    found: list[Policy] = []
    if settings.production.approvers:
        found.append(Production(settings))
    if settings.deletions.approvers:
        found.append(Deletions(settings))
    return found
