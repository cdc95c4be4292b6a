"""Section ``resources`` of the settings."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pydantic import Field

from flagstone.toolkit.settings import SettingsModel


class CriteriaEntry(SettingsModel):
    """Where a definition applies. What is left out matches everything."""

    environment_type: str | None = None
    """Only in environments of this type."""
    component: str | None = None
    """Only for this component, such as ``component:default/orders``."""
    environment: str | None = None
    """Only in this environment."""
    name: str | None = None
    """Only for resources of this name."""


class DefinitionEntry(SettingsModel):
    """One entry ``[[resources.definitions]]``: who provides a type where."""

    name: str = Field(min_length=1, max_length=100)
    """Name of the definition, for people."""
    type: str
    """Resource type, such as ``postgres``."""
    resource_class: str = Field("default", alias="class")
    """Class that a request names; it must be equal."""
    driver: str
    """Name of the driver that makes it."""
    config: dict[str, Any] = Field(default_factory=dict)
    """What the driver is to know. It names secrets of the vault and never holds one."""
    criteria: CriteriaEntry = CriteriaEntry()
    """Where it applies: of several that match, the one with the most specific field is taken."""
    monthly_cost: Decimal | None = Field(None, ge=0)
    """What one such resource costs a month: shown before anything is made."""
    currency: str = Field("USD", pattern=r"[A-Z]{3}")
    """Currency of the cost, by its ISO 4217 code."""


class ResourcesSettings(SettingsModel):
    """Who provides the resources that software needs, and where."""

    definitions: tuple[DefinitionEntry, ...] = ()
    """Who provides what where: each with `name`, `type`, `driver`, and if needed `class`, `config` (what the driver is
    to know; it names secrets of the vault), `criteria` (`environment_type`, `component`, `environment`, `name`: the
    most specific one that fits is taken), `monthly_cost` and `currency`. They come before what drivers bring."""
    leave_out: tuple[str, ...] = ()
    """Names of definitions that drivers bring and that do not apply here."""
    lock_wait: float = Field(20.0, ge=0, le=3600)
    """Seconds that a second change of the same resource waits for the first one before its step tries again later."""
