"""What people may do with batches in the portal. The platform decides again."""

from __future__ import annotations

from flagstone.sdk import Permission

READ = "batches.page.read"
WRITE = "batches.page.write"

PERMISSIONS = [
    Permission(READ, "See batches and their entities in the portal.", "viewer"),
    Permission(WRITE, "Preview and start batches of golden paths, and change one's own.", "developer"),
]
