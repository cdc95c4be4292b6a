"""The hooks, all in one place. Our own slices and built-ins use them, too.

A hook that takes ``deps`` may leave the argument out. Registration ends when the process starts: registries are frozen
then. Two contributions with one id: the process refuses to start and names both plugins.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import pluggy

if TYPE_CHECKING:
    from flagstone.contracts.gateway import RunGateway
    from flagstone.sdk.actions import Action
    from flagstone.sdk.cards import UICard
    from flagstone.sdk.forms import FormField
    from flagstone.sdk.kinds import EntityKind
    from flagstone.sdk.policies import Policy
    from flagstone.sdk.resources import ResourceDriver, ResourceType
    from flagstone.sdk.runtimes import Runtime
    from flagstone.sdk.slices import Slice
    from flagstone.sdk.sources import EntitySource

PROJECT = "flagstone"
"""Name of the pluggy project and of the entry point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

T = TypeVar("T")


class Deps(Protocol):
    """The collaborators of a process, by type. Filled in the order of the slices; asking too early is an error."""

    def get(self, kind: type[T]) -> T:
        """The one instance of a type. Raises KeyError with a hint when no slice provides it."""

    def find(self, kind: type[T]) -> T | None:
        """The same, or None."""

    def provide(self, instance: Any, *, as_: type[Any] | None = None) -> None:
        """Offer an instance to the slices that follow, under its own type or a given one."""

    def settings(self, section: str, model: type[T]) -> T:
        """The validated settings of a section of ``flagstone.toml``. Raises Invalid naming file, line and field."""


@hookspec
def flagstone_register_slice(deps: Deps) -> Slice | None:
    """Build a capability and say what it contributes."""


@hookspec
def flagstone_register_entity_kinds() -> Iterable[EntityKind]:
    """Kinds of entities, beside Backstage's own."""


@hookspec
def flagstone_register_entity_sources() -> Iterable[EntitySource]:
    """Types of locations that entities are read from."""


@hookspec
def flagstone_register_actions(deps: Deps) -> Iterable[Action]:
    """Kinds of steps for templates and runs."""


@hookspec
def flagstone_register_policies(deps: Deps) -> Iterable[Policy]:
    """What has a say about plans."""


@hookspec
def flagstone_register_runtimes(deps: Deps) -> Iterable[Runtime]:
    """What executes workloads."""


@hookspec
def flagstone_register_resource_types(deps: Deps) -> Iterable[ResourceType]:
    """What software may ask for beside itself: databases, volumes, secrets."""


@hookspec
def flagstone_register_resource_drivers(deps: Deps) -> Iterable[ResourceDriver]:
    """What makes resources of some types."""


@hookspec
def flagstone_register_form_fields(deps: Deps) -> Iterable[FormField]:
    """Fields that templates may ask for with ``ui:field``."""


@hookspec
def flagstone_register_ui_cards(deps: Deps) -> Iterable[UICard]:
    """Cards for the home page and entity pages."""


@hookspec
def flagstone_register_run_gateways(deps: Deps) -> dict[str, RunGateway]:
    """Doors to a platform, by name; ``platform.gateway`` in the settings chooses one."""


@hookspec
def flagstone_register_commands(app: Any) -> None:
    """Add commands to the command line (a Typer app). Called before any slice is built; keep imports light."""


@hookspec
def flagstone_register_template_dirs() -> dict[str, str]:
    """Folders of Jinja templates for cards, by plugin name: ``{"acme": "/path/that/holds/acme"}``."""
