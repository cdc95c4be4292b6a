"""What the inbox lets people do. The platform decides again, by its own permissions and by each request's rule."""

from __future__ import annotations

from flagstone.sdk import Permission

READ = "approval_inbox.request.read"
DECIDE = "approval_inbox.request.decide"

PERMISSIONS = (
    Permission(READ, "See requests for approval in the portal.", "viewer"),
    Permission(DECIDE, "Decide and delegate requests for approval in the portal, when one is asked.", "viewer"),
)
