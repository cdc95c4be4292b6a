"""The part of the door that is about resources."""

from __future__ import annotations

from flagstone.contracts.resources import ResourceDefinitionView, ResourceQuery, ResourceTypeView, ResourceView
from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page
from flagstone.platform.resources import ResourceService


class LocalResources:
    """See ``flagstone.contracts.resources.ResourceDoor``."""

    _resources: ResourceService

    def list_resources(self, query: ResourceQuery, actor: Principal) -> Page[ResourceView]:
        """A page of resources."""
        return self._resources.list(query, actor)

    def get_resource(self, resource_id: str, actor: Principal) -> ResourceView:
        """One resource."""
        return self._resources.get(resource_id, actor)

    def resource_types(self, actor: Principal) -> list[ResourceTypeView]:
        """What may be asked for."""
        return self._resources.types(actor)

    def resource_definitions(self, actor: Principal) -> list[ResourceDefinitionView]:
        """Who provides what where."""
        return self._resources.definitions(actor)
