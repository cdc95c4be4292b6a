"""Section ``environments`` of the settings."""

from __future__ import annotations

from flagstone.toolkit.settings import SettingsModel


class EnvironmentTypeEntry(SettingsModel):
    """One type of environments."""

    name: str
    """Name of the type, such as ``staging``."""
    title: str = ""
    """Name for people; made from the name when empty."""
    description: str = ""
    """What the type is for."""


class EnvironmentEntry(SettingsModel):
    """One environment."""

    name: str
    """Name of the environment, such as ``staging``."""
    type: str
    """The name of its type."""
    runtime: str = "local"
    """The runtime that executes its workloads."""
    title: str = ""
    """Name for people; made from the name when empty."""
    description: str = ""
    """What the environment is for."""


class EnvironmentsSettings(SettingsModel):
    """Which environments there are from the start; more can be added through the API."""

    types: tuple[EnvironmentTypeEntry, ...] = (
        EnvironmentTypeEntry(name="development", description="Changes are tried out here first."),
        EnvironmentTypeEntry(name="staging", description="As close to production as possible."),
        EnvironmentTypeEntry(name="production", description="What customers use."),
    )
    """Environment types in the order of promotion."""
    environments: tuple[EnvironmentEntry, ...] = (
        EnvironmentEntry(
            name="development", type="development", description="Runs on the machine that runs Flagstone."
        ),
    )
    """Environments that exist from the start. One that is taken out of the list goes when nothing is deployed to it."""
