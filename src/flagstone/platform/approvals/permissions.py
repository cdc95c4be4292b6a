"""Permissions on requests for approval. Who is asked in particular is said by each request."""

from __future__ import annotations

from flagstone.sdk import Permission

READ = "approvals.request.read"
DECIDE = "approvals.request.decide"

PERMISSIONS = (
    Permission(READ, "See requests for approval, what they are about and who decided what.", "viewer"),
    Permission(DECIDE, "Decide and delegate requests for approval; only those who are asked can.", "viewer"),
)
