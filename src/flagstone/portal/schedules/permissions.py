"""What people may do with schedules in the portal. The platform decides again."""

from __future__ import annotations

from flagstone.sdk import Permission

READ = "schedules.schedule.read"
WRITE = "schedules.schedule.write"

PERMISSIONS = [
    Permission(READ, "See schedules and event triggers, and their runs.", "viewer"),
    Permission(WRITE, "Run golden paths on a schedule.", "developer"),
]
