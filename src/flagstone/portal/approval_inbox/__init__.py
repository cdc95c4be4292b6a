"""The inbox of approvals: what waits for somebody's word, what a run would do, and the buttons that decide.

Who may decide, and everything else that counts, is said by the platform; this slice shows it.
"""

from flagstone.portal.approval_inbox.permissions import PERMISSIONS
from flagstone.portal.approval_inbox.service import Inbox

__all__ = ["PERMISSIONS", "Inbox"]
