"""Section ``approvals`` of the settings."""

from __future__ import annotations

from pydantic import Field

from flagstone.toolkit.settings import SettingsModel


class ApprovalsSettings(SettingsModel):
    """Requests for approval."""

    keep_plans_days: int = Field(365, ge=1)
    """How long the plan that was approved or refused can still be looked at, in days. Decisions are kept for ever."""
