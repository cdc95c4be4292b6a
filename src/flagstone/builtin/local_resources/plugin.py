"""Registers types and drivers."""

from __future__ import annotations

from collections.abc import Iterable

from flagstone.builtin.local_resources.local import RandomDriver, SqliteDriver, VolumeDriver
from flagstone.builtin.local_resources.postgresql import PostgresDriver
from flagstone.builtin.local_resources.types import TYPES
from flagstone.sdk import ResourceDriver, ResourceType, hookimpl


@hookimpl
def flagstone_register_resource_types() -> Iterable[ResourceType]:
    """What may be asked for."""
    return list(TYPES)


@hookimpl
def flagstone_register_resource_drivers() -> Iterable[ResourceDriver]:
    """Who makes it: one driver each, opened by the platform."""
    return [VolumeDriver(), SqliteDriver(), RandomDriver(), PostgresDriver()]
