"""Section ``batches`` of the settings."""

from __future__ import annotations

from pydantic import Field

from flagstone.toolkit.settings import SettingsModel


class BatchesSettings(SettingsModel):
    """Batches: one golden path for each of many entities."""

    keep_secrets_hours: float = Field(24, ge=0)
    """Hours for which the secrets of a batch are kept after it failed, so that it can be retried without giving them
    again. Those of one that succeeded or was cancelled are deleted at once."""
