"""Permissions on environments."""

from __future__ import annotations

from flagstone.sdk import Permission

READ = "environments.environment.read"
WRITE = "environments.environment.write"

PERMISSIONS = [
    Permission(READ, "See the environments and what each is for.", "viewer"),
    Permission(WRITE, "Add environments.", "admin"),
]
