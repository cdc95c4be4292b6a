"""Resource types and drivers: what software may ask for, and the code that makes it.

    class Redis:
        name = "acme-redis"
        types = ("redis",)
        config_model = RedisConfig              # a pydantic model: what a definition in the settings says
        definitions = ()                        # what it provides without any setting

        def open(self, ctx): ...
        def plan(self, request): return ResourcePlan(facts={"Server": request.config.host})
        def provision(self, request): return {"host": ..., "port": ..., "password": ...}
        def remove(self, request, *, delete_data): return ["The database acme_7f3a."]
        def status(self, request): return ResourceStatus("ready")

The platform keeps what was asked for and what came of it, decides who may, and makes calls for one resource one after
the other. A driver keeps nothing but the thing itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from flagstone.contracts.resources import ResourceCriteria

DEFAULT_CLASS = "default"


@dataclass(frozen=True, slots=True)
class ResourceType:
    """What may be asked for. Schemas are JSON Schema objects with ``properties``; every driver gives all outputs."""

    name: str
    """As in Score files: ``postgres``, ``volume``."""
    title: str
    description: str = ""
    params_schema: Mapping[str, Any] = field(
        default_factory=lambda: {"type": "object", "properties": {}, "additionalProperties": False}
    )
    outputs_schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object", "properties": {}})
    secret_outputs: tuple[str, ...] = ()
    """Outputs that go to the vault and to workloads, and nowhere else."""
    stateful: bool = False
    """Whether it holds data that removing it keeps unless told otherwise."""


@dataclass(frozen=True, slots=True)
class ResourceDefinition:
    """Who provides a type where: a driver, its configuration, and where it applies."""

    name: str
    type: str
    driver: str
    config: Mapping[str, Any] = field(default_factory=dict)
    """Never holds a secret: it names secrets of the vault, which ``ResourceRequest.secret`` reads."""
    resource_class: str = DEFAULT_CLASS
    criteria: ResourceCriteria = field(default_factory=ResourceCriteria)
    monthly_cost: Decimal | None = None
    currency: str = "USD"


@dataclass(frozen=True, slots=True)
class DriverContext:
    """What a driver is given once."""

    state_dir: Path
    """A folder of its own below the data folder, made when it is first needed."""


@dataclass(frozen=True, slots=True)
class ResourceRequest:
    """One resource that is wanted. The same ``uid`` and ``generation`` always mean the same one thing."""

    uid: str
    """Lower case letters, digits and hyphens, at most 60; the same for ever."""
    generation: int
    """Counts from 1 and grows when a resource is asked for again after it was removed: names what removal keeps."""
    type: str
    resource_class: str
    name: str
    environment: str
    entity_ref: str | None
    params: Mapping[str, Any]
    """Valid in the schema of the type."""
    config: Any
    """The definition's configuration: an instance of the driver's ``config_model``."""
    known: Mapping[str, Any]
    """The outputs of an earlier provisioning, secret ones included; empty the first time. Keep what need not change."""
    secret: Callable[[str], str]
    """A secret of the vault by its name. Raises NotFound. Only to be called in provision, remove and status."""
    hide: Callable[[str], str] = lambda value: value
    """Say that a value is secret, at once when it is generated; returns it. What was hidden is masked ever after."""
    log: Callable[[str], None] = lambda _text: None
    """A line for people in the log of the run. Secrets that were read or hidden are masked."""


@dataclass(frozen=True, slots=True)
class ResourcePlan:
    """What provisioning would do."""

    facts: Mapping[str, str] = field(default_factory=dict)
    """Short labelled facts for people."""
    notes: tuple[str, ...] = ()
    """What cannot be known before it is done."""


@dataclass(frozen=True, slots=True)
class ResourceStatus:
    """What is there in truth. ``missing``: somebody took it away behind the platform's back."""

    state: Literal["ready", "missing"]
    message: str = ""


class ResourceDriver(Protocol):
    """Makes resources of some types. Calls for one resource never overlap; others run in other threads meanwhile.

    Every method may raise FlagstoneError: Temporary (tried again), Unavailable, Invalid for a configuration or params
    that cannot be.
    """

    @property
    def name(self) -> str:
        """What definitions call it."""

    @property
    def types(self) -> Sequence[str]:
        """Resource types that it can make."""

    @property
    def config_model(self) -> type[BaseModel]:
        """What a definition's ``config`` must be. Forbid extra members, so that a slip is told at start."""

    @property
    def definitions(self) -> Sequence[ResourceDefinition]:
        """What it provides without any setting; any matching definition of the settings comes before."""

    def open(self, ctx: DriverContext) -> None:
        """Called once before anything else. Touches nothing outside."""

    def plan(self, request: ResourceRequest) -> ResourcePlan:
        """What would be made or changed; changes nothing, reaches nobody, reads no secret. Raises Invalid."""

    def provision(self, request: ResourceRequest) -> Mapping[str, Any]:
        """Make it, or make it fit the params; returns all outputs of its type.

        Idempotent by ``uid``: called again after a crash at any instant, it ends in the same one thing.
        """

    def remove(self, request: ResourceRequest, *, delete_data: bool) -> list[str]:
        """Take it away; says in words what was removed, and where data was kept. What is missing is fine.

        Without ``delete_data`` data are moved aside under a name that tells ``uid`` and ``generation``. Called again
        after a crash, it says the same.
        """

    def status(self, request: ResourceRequest) -> ResourceStatus:
        """Whether it is there."""
