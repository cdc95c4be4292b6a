"""Settings of the catalog."""

from __future__ import annotations

from pydantic import Field

from flagstone.toolkit.settings import SettingsModel


class LocationSetting(SettingsModel):
    """One location that is always read."""

    type: str = "file"
    """Kind of source: ``file``, ``url`` or ``hosted``."""
    target: str
    """What to read: an absolute path, an address, or ``project/repository/path`` in the built-in git hosting."""


class CatalogSettings(SettingsModel):
    """Section ``[catalog]``."""

    locations: list[LocationSetting] = Field(default_factory=list)
    """Locations that are always read. Taking one out of the settings removes its entities."""
    extra_locations: list[LocationSetting] = Field(default_factory=list)
    """More of them, from the command line (`flagstone up --location PATH`)."""
    refresh_seconds: float = Field(default=100.0, gt=0)
    """How often each location is read again. A push or a request only makes it happen sooner."""
    max_file_bytes: int = Field(default=5_000_000, gt=0)
    """The largest entity file that is read."""
    deletion_guard_share: float = Field(default=0.1, ge=0, le=1)
    """A read that would remove more than this share of a location's entities stops and asks."""
    deletion_guard_minimum: int = Field(default=5, ge=0)
    """Up to this many removals are never asked about."""
