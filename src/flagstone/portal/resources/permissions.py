"""What people may do with resources in the portal. The platform decides again."""

from __future__ import annotations

from flagstone.sdk import Permission

READ = "resources.page.read"
CHANGE = "resources.page.change"

PERMISSIONS = [
    Permission(READ, "See in the portal what resources there are and what may be asked for.", "viewer"),
    Permission(CHANGE, "Ask for resources and remove them in the portal.", "maintainer", owner=True),
]
