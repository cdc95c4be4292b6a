"""JSON API of resources. Everything that changes one starts a run and answers with it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, status
from pydantic import BaseModel, ConfigDict, Field

from flagstone.contracts.resources import (
    ResourceDefinitionView,
    ResourceQuery,
    ResourceState,
    ResourceTypeView,
    ResourceView,
)
from flagstone.contracts.runs import RunView
from flagstone.kernel.actor import Principal
from flagstone.platform.resources.model import Wanted
from flagstone.platform.resources.permissions import READ, REMOVE, REQUEST
from flagstone.platform.resources.service import ResourceRuns, ResourceService
from flagstone.sdk.guards import permit

Reader = Annotated[Principal, permit(READ)]
Cursor = Annotated[str | None, Query(max_length=1000)]
Limit = Annotated[int | None, Query(ge=1)]


class ResourceList(BaseModel):
    """A page of resources."""

    items: list[ResourceView]
    next_cursor: str | None = None


class ResourceTypeList(BaseModel):
    """All resource types."""

    items: list[ResourceTypeView]


class ResourceDefinitionList(BaseModel):
    """All resource definitions."""

    items: list[ResourceDefinitionView]


class RequestBody(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    type: str
    name: str
    environment: str = "development"
    resource_class: str = Field("default", alias="class")
    entity_ref: str | None = None
    owner: str | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    adopt: bool = False


def router(service: ResourceService, runs: ResourceRuns) -> APIRouter:
    """Routes under ``/api/v1/resources``, ``/api/v1/resource-types`` and ``/api/v1/resource-definitions``."""
    routes = APIRouter(prefix="/api/v1", tags=["resources"])
    _add_views(routes, service)
    _add_changes(routes, runs)
    return routes


def _add_views(routes: APIRouter, service: ResourceService) -> None:
    @routes.get("/resources", summary="Resources, by component, environment, type and name")
    def list_resources(
        principal: Reader,
        entity_ref: str | None = None,
        environment: str | None = None,
        type: Annotated[str | None, Query()] = None,  # noqa: A002  the name on the wire
        state: Annotated[tuple[ResourceState, ...], Query()] = (),
        owners: Annotated[tuple[str, ...], Query()] = (),
        cursor: Cursor = None,
        limit: Limit = None,
    ) -> ResourceList:
        """Removed ones are left out unless their state is asked for."""
        query = ResourceQuery(
            entity_ref=entity_ref,
            environment=environment,
            type=type,
            state=state,
            owners=owners,
            cursor=cursor,
            limit=limit,
        )
        page = service.list(query, principal)
        return ResourceList(items=list(page.items), next_cursor=page.next_cursor)

    @routes.get("/resources/{resource_id}", summary="One resource, also a removed one")
    def get_resource(resource_id: str, principal: Reader) -> ResourceView:
        return service.get(resource_id, principal)

    @routes.get("/resource-types", summary="What may be asked for")
    def list_types(principal: Reader) -> ResourceTypeList:
        return ResourceTypeList(items=service.types(principal))

    @routes.get("/resource-definitions", summary="Who provides what where, the most specific first")
    def list_definitions(principal: Reader) -> ResourceDefinitionList:
        return ResourceDefinitionList(items=service.definitions(principal))


def _add_changes(routes: APIRouter, runs: ResourceRuns) -> None:
    accepted = status.HTTP_202_ACCEPTED

    @routes.post("/resources", status_code=accepted, summary="Ask for a resource")
    def request_resource(body: RequestBody, principal: Annotated[Principal, permit(REQUEST)]) -> RunView:
        """One that is there already is made to fit what is asked for."""
        return runs.request(principal, Wanted(**body.model_dump()))

    @routes.delete("/resources/{resource_id}", status_code=accepted, summary="Remove a resource")
    def remove_resource(
        resource_id: str,
        principal: Annotated[Principal, permit(REMOVE)],
        delete_data: Annotated[
            bool, Query(description="Delete its data for good instead of keeping them aside.")
        ] = False,
    ) -> RunView:
        return runs.remove(principal, resource_id, delete_data=delete_data)
