"""Who sees the reference."""

from flagstone.sdk import Permission

READ = "action_reference.read"
PERMISSIONS = (Permission(READ, "See which actions there are.", "viewer"),)
