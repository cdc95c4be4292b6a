"""Settings of the catalog."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from flagstone.toolkit.settings import SettingsModel


class LocationSetting(SettingsModel):
    """One location that is always read."""

    type: str = "file"
    """Kind of source: ``file``, ``url``, ``git`` or ``hosted``."""
    target: str
    """What to read: an absolute path, an address, ``https://host/repo.git//path?ref=main`` of any git server, or
    ``project/repository/path`` in the built-in git hosting.
    """


class AllowedKind(SettingsModel):
    """A kind that a rule allows."""

    kind: str
    """Name of the kind, such as ``Component``."""
    spec_type: str = Field(default="", alias="spec.type")
    """Only entities of this ``spec.type``; empty: all."""


class RulePlace(SettingsModel):
    """Locations that a rule is about."""

    type: str
    """Kind of source: ``file``, ``url`` or ``hosted``."""
    exact: str = ""
    """The target, exactly."""
    pattern: str = ""
    """A pattern of targets, such as ``https://git.acme.example/**``."""


class RuleSetting(SettingsModel):
    """What may come from where."""

    allow: list[AllowedKind] = Field(min_length=1)
    """Kinds: names, or tables with ``kind`` and ``spec.type``."""
    locations: list[RulePlace] = Field(default_factory=list)
    """Registered locations that they may come from; none: all."""

    @field_validator("allow", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """A bare name stands for the kind."""
        return (
            [{"kind": item} if isinstance(item, str) else item for item in value] if isinstance(value, list) else value
        )


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
    kinds: list[str] = Field(default_factory=list)
    """Files that declare kinds of entities beside the built-in ones (absolute paths of ``*.kind.yaml`` files)."""
    extra_kinds: list[str] = Field(default_factory=list)
    """More of them, from the command line (those of the example organisation)."""
    rules: list[RuleSetting] = Field(default_factory=list)
    """Which kinds may come from which registered location. With none, everything may come from everywhere."""
    webhook_secrets: list[str] = Field(default_factory=list)
    """Secrets of the vault (names) that webhooks of git hosts are signed with; none: no webhook is taken."""
    readonly: bool = False
    """Nobody may register, move or unregister locations, or delete entities: the settings alone say what is read."""
    tombstone_days: int = Field(default=30, ge=1)
    """How long removed entities are listed with the means to bring them back. The history keeps them for good."""
