"""What workloads are given of their resources: the outputs, secret ones included, of those that are ready."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flagstone.contracts.resources import ResourceQuery
from flagstone.kernel.errors import NotFound
from flagstone.platform.resources.model import Resource, resource_uid
from flagstone.platform.resources.ports import ResourceRegistry
from flagstone.platform.resources.service.driving import Driving
from flagstone.platform.resources.store import ResourceStore


@dataclass(frozen=True, slots=True)
class Need:
    """A resource that a workload declares under ``name``.

    With ``shared`` it is one of no component, which others may declare as well.
    """

    name: str
    type: str
    resource_class: str = "default"
    shared: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    """What the workload says of it; a resource that was made with others is used all the same."""

    def uid(self, entity_ref: str, environment: str) -> str:
        """The id of the resource that is meant."""
        entity = None if self.shared else entity_ref
        return resource_uid(entity, environment, self.type, self.resource_class, self.shared or self.name)


@dataclass(frozen=True, slots=True)
class Found:
    """What there is for a need. ``problem`` says in words why it cannot be used; empty when it can."""

    need: Need
    resource: Resource | None
    problem: str = ""
    hint: str = ""


class ResourceProvider:
    """For whoever brings workloads up. Decides nothing about people: what belongs to whom is compared."""

    def __init__(self, store: ResourceStore, driving: Driving, registry: ResourceRegistry) -> None:
        self._store = store
        self._driving = driving
        self._registry = registry

    def look(self, entity_ref: str, environment: str, owner: str | None, needs: Iterable[Need]) -> list[Found]:
        """What there is for each need; nothing secret is read."""
        return [self._look(entity_ref, environment, owner, need) for need in needs]

    def outputs(self, resource: Resource) -> dict[str, Any]:
        """All outputs. The secret ones come from the vault, which notes that they were read."""
        return {**resource.outputs, **self.secrets(resource)}

    def secrets(self, resource: Resource) -> dict[str, str]:
        """The secret outputs alone."""
        return self._driving.secrets(resource) if resource.secret_names else {}

    def foretold(self, need: Need) -> dict[str, bool]:
        """The outputs of a type, and whether each is secret; empty when there is no such type."""
        try:
            type_ = self._registry.type(need.type)
        except NotFound:
            return {}
        return {name: name in type_.secret_outputs for name in type_.outputs_schema.get("properties", {})}

    def of(self, entity_ref: str, environment: str) -> tuple[Resource, ...]:
        """The resources of a component in an environment."""
        return self._store.list(ResourceQuery(entity_ref=entity_ref, environment=environment, limit=500)).items

    def _look(self, entity_ref: str, environment: str, owner: str | None, need: Need) -> Found:
        resource = self._store.get(need.uid(entity_ref, environment))
        what = f"{need.type} {need.shared or need.name} in {environment}"
        if resource is None or resource.state == "removed":
            return Found(need, None, f"there is no {what}", _how_to_ask(need, entity_ref, environment, owner))
        if resource.state != "ready":
            return Found(
                need, resource, f"{what} is {resource.state}: {resource.message}", "Look at the run that made it."
            )
        if (resource.owner or None) != (owner or None):
            # Else whoever names a component of others would get their databases, or give them one of his own.
            return Found(
                need,
                resource,
                f"{what} belongs to {resource.owner or 'nobody'}, the workload to {owner or 'nobody'}",
                f"Ask for it again with the owner {owner}."
                if owner
                else "Say in catalog-info.yaml who owns the workload.",
            )
        return Found(need, resource)


def _how_to_ask(need: Need, entity_ref: str, environment: str, owner: str | None) -> str:
    words = ["flagstone resources request", need.type, need.shared or need.name, "--env", environment]
    words += [] if need.shared else ["--component", entity_ref]
    words += [] if need.resource_class == "default" else ["--class", need.resource_class]
    words += ["--owner", owner] if owner else []
    for name, value in need.params.items():
        text = value if isinstance(value, str) else json.dumps(value)
        words += ["--param", f"{name}={text}" if text.isalnum() else f"'{name}={text}'"]
    return f"Ask for it: {' '.join(words)}, or by a step flagstone:resource:request."
