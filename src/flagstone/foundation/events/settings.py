"""Section ``[events]``."""

from __future__ import annotations

from pydantic import Field

from flagstone.toolkit.settings import SettingsModel


class EventsSettings(SettingsModel):
    """Section ``[events]``."""

    keep_days: int = Field(30, ge=1, le=3650)
    """Days that events are kept for readers elsewhere. What a reader of the room itself has not read is kept longer."""
