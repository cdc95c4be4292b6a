"""The two policies. What a plan cannot foretell counts as what it might be: who hides an input hides nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flagstone.builtin.policies.settings import PoliciesSettings
from flagstone.contracts.plans import PlannedStep
from flagstone.contracts.policy import Verdict
from flagstone.sdk import Policy, PolicyCase

_DEPLOYING = frozenset({"flagstone:deploy", "flagstone:start", "flagstone:stop", "flagstone:undeploy"})
_DELETING = frozenset(
    {"flagstone:undeploy", "flagstone:repository:delete", "catalog:unregister", "catalog:delete-entity"}
)
_KINDS = frozenset({"deployment", "workload", "release"})
_DELETED = frozenset({"repository", "entity", "location", "deployment", "workload", "resource"})


class Production(Policy):
    """Somebody has to agree before anything changes in production."""

    id = "flagstone:production"
    title = "Production needs approval"

    def __init__(self, settings: PoliciesSettings) -> None:
        self._settings = settings
        self._names = frozenset(name.lower() for name in settings.production_environments)

    def verdicts(self, case: PolicyCase) -> Iterable[Verdict]:
        """One for each step that touches production, or might."""
        rule = self._settings.production.rule("Production")
        for step in _steps(case):
            where = self._touches(step)
            if where:
                message = f"{step.name} changes {where}: it needs approval."
                yield Verdict(policy=self.id, severity="warn", message=message, subject=step.id, approvals=(rule,))

    def _touches(self, step: PlannedStep) -> str:
        changes = [change for change in step.changes if change.kind in _KINDS and change.op != "none"]
        words = {
            word.lower()
            for change in changes
            for text in (change.subject, change.detail, *change.facts.values())
            for word in text.replace("/", " ").replace(",", " ").replace(".", " ").split()
        }
        given = step.inputs.get("environment")
        if isinstance(given, str):
            words.add(given.lower())
        found = sorted(words & self._names)
        if found:
            return found[0]
        unknown = step.action in _DEPLOYING and not changes and not given
        return "an environment that is only known when it runs" if unknown else ""


class Deletions(Policy):
    """Somebody has to agree before anything is deleted."""

    id = "flagstone:deletions"
    title = "Deletions need approval"

    def __init__(self, settings: PoliciesSettings) -> None:
        self._settings = settings

    def verdicts(self, case: PolicyCase) -> Iterable[Verdict]:
        """One for each step that deletes."""
        rule = self._settings.deletions.rule("Deletion")
        for step in _steps(case):
            gone = [change.subject for change in step.changes if change.op == "delete" and change.kind in _DELETED]
            if gone or step.action in _DELETING:
                what = ", ".join(gone[:3]) or "something"
                message = f"{step.name} deletes {what}: it needs approval."
                yield Verdict(policy=self.id, severity="warn", message=message, subject=step.id, approvals=(rule,))


def _steps(case: PolicyCase) -> Iterator[PlannedStep]:
    return (step for step in case.plan.steps if not step.skipped)
