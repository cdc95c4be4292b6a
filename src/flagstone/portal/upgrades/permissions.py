"""What upgrades let people do. The platform decides again: who proposes must be allowed to push."""

from __future__ import annotations

from flagstone.sdk import Permission

READ = "upgrades.component.read"
OPEN = "upgrades.component.open"

PERMISSIONS = [
    Permission(READ, "See which golden path made a component, and which are behind.", "viewer"),
    Permission(OPEN, "Preview the upgrade of a component and open it as a change request.", "developer", owner=True),
]
