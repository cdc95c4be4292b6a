"""Approvals: somebody else has to agree before a run goes on.

- *request*: asked by one step of one run; says who is asked, how many of them, until when, and what it is bound to
- *decision*: what one person said; the same person counts once, and never for their own run
- *delegation*: who was asked lets somebody else decide in their place
- *void*: what was to be approved is another thing by now, or its run has ended

When a run needs an approval belongs to ``workflows`` (templates and policies); waiting itself belongs to ``runs``.
"""

from flagstone.platform.approvals.permissions import PERMISSIONS
from flagstone.platform.approvals.service import ApprovalService

__all__ = ["PERMISSIONS", "ApprovalService"]
