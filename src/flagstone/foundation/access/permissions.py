"""What can be allowed here."""

from __future__ import annotations

from flagstone.sdk import Permission

PERMISSIONS = [Permission("access.read", "See permissions and one's own decisions", "viewer")]
