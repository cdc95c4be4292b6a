"""What may be done with workflows beside running them."""

from __future__ import annotations

from flagstone.sdk import Permission

PLAN = "workflows.plan.read"

PERMISSIONS = (Permission(PLAN, "See what a run would change, before it is started.", "viewer"),)
