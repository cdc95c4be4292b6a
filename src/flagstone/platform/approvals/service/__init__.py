"""Use cases of approvals: see, decide and delegate (:class:`ApprovalService`), ask (:class:`Desk`), tidy up."""

from __future__ import annotations

from flagstone.platform.approvals.service.approvals import ApprovalService
from flagstone.platform.approvals.service.asking import Desk, Step, Subject
from flagstone.platform.approvals.service.settling import Settler

__all__ = ["ApprovalService", "Desk", "Settler", "Step", "Subject"]
