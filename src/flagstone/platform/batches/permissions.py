"""What batches let people do. What their runs may do is decided when they start."""

from __future__ import annotations

from flagstone.sdk import Permission

READ = "batches.batch.read"
START = "batches.batch.start"
CHANGE = "batches.batch.change"

PERMISSIONS = [
    Permission(READ, "See batches and their entities.", "viewer"),
    Permission(START, "Start batches, and pause, continue, cancel and retry one's own.", "developer"),
    Permission(CHANGE, "Pause, continue, cancel and retry the batches of others.", "maintainer"),
]
