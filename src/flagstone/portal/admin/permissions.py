"""Who sees the pages of the installation."""

from flagstone.sdk import Permission

PERMISSIONS = (
    Permission("admin.overview.read", "See version, health, plugins and permissions of the installation.", "viewer"),
    Permission("admin.settings.read", "See every setting (secrets excepted).", "admin"),
    Permission("admin.people.read", "See accounts and their roles.", "admin"),
)
