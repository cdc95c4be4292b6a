"""Who sees the home page."""

from flagstone.sdk import Permission

PERMISSIONS = (Permission("home.page.read", "See the home page and the command palette.", "viewer"),)
