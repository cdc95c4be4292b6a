"""Permissions on resources."""

from __future__ import annotations

from flagstone.sdk import Permission

READ = "resources.resource.read"
REQUEST = "resources.resource.request"
REMOVE = "resources.resource.remove"

PERMISSIONS = [
    Permission(READ, "See what resources there are, what may be asked for and who provides it.", "viewer"),
    Permission(REQUEST, "Ask for resources and change what was asked for.", "maintainer", owner=True),
    Permission(REMOVE, "Remove resources, their data included.", "maintainer", owner=True),
]
