"""Resources: what software needs beside itself (a database, a volume, a secret), who provides it where, what there is.

Values of secret outputs never travel: views only name them.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Literal, Protocol

from pydantic import Field

from flagstone.contracts.base import JSON, Wire
from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page

REQUEST_ACTION = "flagstone:resource:request"
"""Inputs: ``type``, ``class``, ``name``, ``environment``, ``entityRef``, ``owner``, ``params``,
``adopt``; outputs: ``id``, ``outputs`` (no secret one), ``secretNames``."""
REMOVE_ACTION = "flagstone:resource:remove"
"""Inputs: ``resource`` (its id), ``deleteData``; outputs: ``removed`` (in words, also where data is kept)."""

ResourceState = Literal["requested", "provisioning", "ready", "failed", "removing", "removed"]
"""``removed``: nothing of it is in use any more; its message says where data was kept. Lists leave it out."""
ALIVE: tuple[ResourceState, ...] = ("requested", "provisioning", "ready", "failed", "removing")


class ResourceTypeView(Wire):
    """What may be asked for. Schemas are JSON Schema objects; ``params_schema`` is what a form is made of."""

    name: str
    title: str
    description: str = ""
    params_schema: dict[str, JSON]
    outputs_schema: dict[str, JSON]
    secret_outputs: tuple[str, ...] = ()
    stateful: bool = False
    """Whether it holds data: then removing it keeps them unless it is told to delete them."""
    definitions: tuple[str, ...] = ()
    """Names of the definitions that provide it somewhere; empty: nobody does, and requests are refused."""
    source: str = "flagstone"
    """The plugin that brought it."""


class ResourceCriteria(Wire):
    """Where a definition applies; fields that are None match everything. From least to most specific."""

    environment_type: str | None = None
    component: str | None = None
    """Entity ref."""
    environment: str | None = None
    name: str | None = None
    """Name of the resource."""


class ResourceDefinitionView(Wire):
    """Who provides a type where. Its configuration is for those who run the platform and is not shown."""

    name: str
    type: str
    resource_class: str = "default"
    driver: str
    criteria: ResourceCriteria = ResourceCriteria()
    monthly_cost: Decimal | None = None
    currency: str = "USD"
    origin: Literal["settings", "driver"] = "settings"
    """``driver``: what the driver offers by itself, where nothing in the settings matches."""
    resources: int = 0
    """How many there are that it made."""


class ResourceView(Wire):
    """One resource: what was asked for, and what there is of it."""

    id: str
    type: str
    resource_class: str = "default"
    name: str
    """Unique within component, environment, type and class: the name under ``resources`` of a Score file."""
    entity_ref: str | None = None
    """The component it belongs to; None: to no component of the catalog."""
    environment: str
    owner: str | None = None
    definition: str
    driver: str
    state: ResourceState
    message: str = ""
    """Why it is in this state, in words; of a removed one where its data are."""
    params: dict[str, JSON] = Field(default_factory=dict)
    outputs: dict[str, JSON] = Field(default_factory=dict)
    """Without the secret ones."""
    secret_names: tuple[str, ...] = ()
    """Outputs whose values only workloads are given."""
    monthly_cost: Decimal | None = None
    currency: str = "USD"
    drift: str = ""
    """That another definition would be chosen today, or that its own has changed, in words. Nothing follows from it."""
    created_at: datetime
    created_by: str = ""
    updated_at: datetime
    last_run_id: str | None = None


class ResourceQuery(Wire):
    """Filters of a list by component, environment, type, name. Without ``state`` removed ones are left out."""

    entity_ref: str | None = None
    environment: str | None = None
    type: str | None = None
    state: tuple[ResourceState, ...] = ()
    owners: tuple[str, ...] = ()
    cursor: str | None = None
    limit: int | None = None


class ResourceDoor(Protocol):
    """The part of the door that is about resources. Methods may raise Unavailable, Denied, NotFound.

    Requests and removals are runs: ``flagstone.contracts.workflows.request_resource_workflow`` and
    ``remove_resource_workflow`` with ``plan`` and ``submit``.
    """

    def list_resources(self, query: ResourceQuery, actor: Principal) -> Page[ResourceView]:
        """A page of resources."""

    def get_resource(self, resource_id: str, actor: Principal) -> ResourceView:
        """One resource, also a removed one."""

    def resource_types(self, actor: Principal) -> list[ResourceTypeView]:
        """What may be asked for, by name."""

    def resource_definitions(self, actor: Principal) -> list[ResourceDefinitionView]:
        """Who provides what where: by type, the most specific first."""
