"""What may be asked at the door itself."""

from flagstone.sdk import Permission

PERMISSIONS = (
    Permission("door.gateway.read", "See what the platform can do.", "viewer"),
    Permission("door.events.read", "Read the platform's events, as a portal does.", "admin"),
)
