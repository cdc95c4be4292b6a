"""What the catalog lets people do."""

from __future__ import annotations

from flagstone.sdk import Permission

PERMISSIONS = [
    Permission("catalog.entity.read", "See entities, their relations, history and source.", "viewer"),
    Permission("catalog.entity.refresh", "Have an entity's source read again now.", "developer", owner=True),
    Permission(
        "catalog.entity.delete", "Delete an entity; it comes back when its file is read anew.", "maintainer", owner=True
    ),
    Permission("catalog.entity.star", "Star entities for oneself.", "viewer"),
    Permission("catalog.view.save", "Save views of the catalog, for oneself or for everybody.", "viewer"),
    Permission("catalog.location.read", "See which locations entities are read from, and their problems.", "viewer"),
    Permission("catalog.location.create", "Register locations.", "developer"),
    Permission("catalog.location.delete", "Unregister locations, agree to deletions.", "maintainer", owner=True),
]
