"""Settings of golden paths."""

from __future__ import annotations

from pydantic import Field

from flagstone.toolkit.settings import SettingsModel


class GoldenPathsSettings(SettingsModel):
    """Section ``[golden_paths]``."""

    draft_days: float = Field(default=30, gt=0)
    """How long a draft that nobody touches is kept."""

    features: tuple[str, ...] = ()
    """Feature flags that are on: pages and fields of forms with ``ui:backstage: {featureFlag: ...}`` need theirs."""
