"""Use cases of workflows: check, plan, submit."""

from __future__ import annotations

from flagstone.platform.workflows.service.planning import PlanningContext
from flagstone.platform.workflows.service.workflows import WorkflowService

__all__ = ["PlanningContext", "WorkflowService"]
