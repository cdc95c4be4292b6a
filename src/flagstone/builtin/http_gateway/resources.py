"""The part of the door that is about resources, over HTTP."""

from __future__ import annotations

from urllib.parse import quote

from flagstone.builtin.http_gateway.calls import Calls
from flagstone.contracts.resources import ResourceDefinitionView, ResourceQuery, ResourceTypeView, ResourceView
from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page

_ALL = "/api/v1/resources"


class HttpResources(Calls):
    """See ``flagstone.contracts.resources.ResourceDoor``."""

    def list_resources(self, query: ResourceQuery, actor: Principal) -> Page[ResourceView]:
        """A page of resources."""
        return self._page(ResourceView, _ALL, actor, query.model_dump(exclude_none=True))

    def get_resource(self, resource_id: str, actor: Principal) -> ResourceView:
        """One resource."""
        return self._one(ResourceView, f"{_ALL}/{quote(resource_id, safe='')}", actor)

    def resource_types(self, actor: Principal) -> list[ResourceTypeView]:
        """What may be asked for."""
        return self._many(ResourceTypeView, "/api/v1/resource-types", actor)

    def resource_definitions(self, actor: Principal) -> list[ResourceDefinitionView]:
        """Who provides what where."""
        return self._many(ResourceDefinitionView, "/api/v1/resource-definitions", actor)
