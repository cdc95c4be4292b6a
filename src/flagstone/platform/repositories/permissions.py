"""Permissions on hosted repositories."""

from __future__ import annotations

from flagstone.sdk import Permission

READ = "repositories.repository.read"
CREATE = "repositories.repository.create"
PUSH = "repositories.repository.push"
DELETE = "repositories.repository.delete"

PERMISSIONS = [
    Permission(READ, "See and clone hosted repositories.", "viewer"),
    Permission(CREATE, "Create hosted repositories.", "developer"),
    Permission(PUSH, "Push commits to hosted repositories.", "developer", owner=True),
    Permission(DELETE, "Delete hosted repositories with all their commits.", "maintainer", owner=True),
]
