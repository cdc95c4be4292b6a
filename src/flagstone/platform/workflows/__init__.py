"""Workflows: what a request must look like before it may become a run, and what that run would change.

- *workflow definition*: steps, parameters and output, as written in a template; nothing in it is evaluated
- *request*: a definition with inputs; its inputs fit the parameters, its actions exist
- *plan*: the change set; made by planning the actions one after the other in a folder that is thrown away
- *policy*: has a say about plans; its verdict may forbid a run, or ask for approvals before the first step

Executing belongs to ``runs``; reading templates out of the catalog belongs to the portal.
"""

from flagstone.platform.workflows.permissions import PERMISSIONS
from flagstone.platform.workflows.service import PlanningContext, WorkflowService

__all__ = ["PERMISSIONS", "PlanningContext", "WorkflowService"]
