"""What triggers let people do. What their runs may do is decided when they start."""

from __future__ import annotations

from flagstone.sdk import Permission

READ = "triggers.trigger.read"
CREATE = "triggers.trigger.create"
CHANGE = "triggers.trigger.change"

PERMISSIONS = [
    Permission(READ, "See schedules and event triggers.", "viewer"),
    Permission(CREATE, "Make schedules and event triggers, and change one's own.", "developer"),
    Permission(CHANGE, "Pause, run and delete the triggers of others.", "maintainer", owner=True),
]
