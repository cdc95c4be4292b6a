"""Checking, planning and submitting requests."""

from __future__ import annotations

from flagstone.contracts.plans import Plan
from flagstone.contracts.runs import RunRequest, RunView
from flagstone.foundation.access import AccessService
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, Denied, Invalid, Problem
from flagstone.platform.runs import START, ActionRegistry, RunService
from flagstone.platform.workflows.permissions import PLAN
from flagstone.platform.workflows.service.checking import checked
from flagstone.platform.workflows.service.gates import gated, ungated
from flagstone.platform.workflows.service.planning import Planner


class WorkflowService:
    """The way into ``runs``: nothing is executed that was not checked here."""

    def __init__(self, runs: RunService, registry: ActionRegistry, planner: Planner, access: AccessService) -> None:
        self._runs = runs
        self._registry = registry
        self._planner = planner
        self._access = access

    def plan(self, request: RunRequest, actor: Principal) -> Plan:
        """What a run would change. Raises Invalid for a bad request; what would fail is a problem of the plan."""
        self._access.check(actor, PLAN)
        return self._planner.plan(checked(request, self._registry, complete=False), actor)

    def check(self, request: RunRequest, *, complete: bool = True) -> RunRequest:
        """The request as it would be started, with its defaults. Raises Invalid with everything that is wrong.

        Not ``complete``: secrets that are missing are not.
        """
        return checked(request, self._registry, complete=complete)

    def submit(self, request: RunRequest, actor: Principal) -> RunView:
        """Start a run.

        When somebody has to agree first, it begins with a step that waits for that. Raises Invalid for bad inputs,
        Conflict when a plan was seen and is another one by now, Denied (also by a policy).
        """
        request = checked(request, self._registry)
        if request.files:
            raise Invalid(
                "workflows.preview_only",
                "A template that comes with its files can be previewed, not run.",
                hint="Register it in the catalog, then run it.",
            )
        # Asked again with the same key: the world has changed by the first run itself, so its plan means nothing now.
        known = self._runs.known(request, actor)
        if known is not None:
            return known
        if not (request.plan_digest or request.workflow.approvals or self._planner.judged):
            return self._runs.start(request, actor)
        self._access.check(actor, START, owner=request.owner)
        plan = self._planner.plan(request, actor)
        self._check_plan(request, plan)
        return self._runs.start(gated(request, plan), actor, asked_as=request)

    def plan_of_run(self, run_id: str) -> Plan:
        """The plan of a run made again, for other slices of the platform: without the step that waits for its approval.

        Raises NotFound.
        """
        request, actor = self._runs.asked_for(run_id)
        return self._planner.plan(ungated(request), actor)

    @staticmethod
    def _check_plan(request: RunRequest, plan: Plan) -> None:
        if request.plan_digest and plan.digest != request.plan_digest:
            raise Conflict(
                "workflows.plan_changed",
                f"What {request.workflow.title} would do has changed since the plan was shown.",
                hint="Look at the new plan and confirm it.",
            )
        if plan.problems:
            raise Invalid(
                "workflows.plan_has_problems",
                f"{request.workflow.title} would fail.",
                hint="Correct what is listed and plan again.",
                problems=[Problem(text) for text in plan.problems],
            )
        denied = [verdict for verdict in plan.verdicts if verdict.severity == "deny"]
        if denied:
            raise Denied(
                "workflows.denied_by_policy",
                f"A policy forbids this: {denied[0].message}",
                hint=denied[0].hint or None,
                problems=[
                    Problem(verdict.message, field=verdict.policy, hint=verdict.hint or None) for verdict in denied
                ],
            )
