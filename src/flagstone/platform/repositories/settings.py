"""Section ``repositories`` of the settings."""

from __future__ import annotations

from pydantic import Field

from flagstone.toolkit.settings import SettingsModel


class RepositoriesSettings(SettingsModel):
    """The built-in git hosting."""

    max_push_mb: int = Field(500, ge=1, le=10_000)
    """Largest push that is taken, in megabytes."""
    concurrency: int = Field(8, ge=1, le=64)
    """Most clones, fetches and pushes that are served at once; more of them wait."""
    timeout_seconds: int = Field(900, ge=10)
    """Longest time that one clone, fetch or push may take, in seconds."""
    author_email: str = "noreply@flagstone.invalid"
    """Address of the author of commits that templates make, when a template does not give one."""
