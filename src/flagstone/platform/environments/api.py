"""JSON API of environments."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, status
from pydantic import BaseModel, ConfigDict

from flagstone.contracts.deployments import EnvironmentView
from flagstone.foundation.access import permit
from flagstone.kernel.actor import Principal
from flagstone.platform.environments.permissions import READ, WRITE
from flagstone.platform.environments.service import EnvironmentService


class EnvironmentList(BaseModel):
    """All environments."""

    items: list[EnvironmentView]


class NewEnvironment(BaseModel):
    """What a new environment needs."""

    model_config = ConfigDict(extra="forbid")

    name: str
    type: str
    runtime: str = "local"
    title: str = ""
    description: str = ""


def router(service: EnvironmentService) -> APIRouter:
    """Routes under ``/api/v1/environments``."""
    routes = APIRouter(prefix="/api/v1/environments", tags=["environments"])

    @routes.get("")
    def list_environments(principal: Annotated[Principal, permit(READ)]) -> EnvironmentList:
        """All environments, in order of promotion."""
        return EnvironmentList(items=service.list(principal))

    @routes.post("", status_code=status.HTTP_201_CREATED)
    def create_environment(body: NewEnvironment, principal: Annotated[Principal, permit(WRITE)]) -> EnvironmentView:
        """Add an environment."""
        return service.create(
            principal,
            name=body.name,
            environment_type=body.type,
            runtime=body.runtime,
            title=body.title,
            description=body.description,
        )

    return routes
