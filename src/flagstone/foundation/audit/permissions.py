"""What can be allowed here."""

from __future__ import annotations

from flagstone.sdk import Permission

PERMISSIONS = [
    Permission("audit.read", "Read the audit log", "maintainer"),
    Permission("audit.verify", "Check that the audit log was not changed", "admin"),
]
