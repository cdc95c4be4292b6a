"""Resources as values: their identity, what is wanted of one, and which definition fits best."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from jsonschema import Draft202012Validator

from flagstone.contracts.resources import ResourceCriteria, ResourceState, ResourceView
from flagstone.kernel.errors import Problem
from flagstone.kernel.refs import parse_ref
from flagstone.sdk import ResourceDefinition

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
_MOST_SPECIFIC = ("name", "environment", "component", "environment_type")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody asks for. The entity ref is in lower case."""

    type: str
    resource_class: str
    name: str
    environment: str
    entity_ref: str | None = None
    owner: str | None = None
    """Owner ref; None: that of the resource that is there, or nobody."""
    params: Mapping[str, Any] = field(default_factory=dict)
    adopt: bool = False
    """Whether to go over to the definition that fits today."""
    claimed: str | None = None
    """Owner ref that the request as a whole names: taken for a resource that is new when ``owner`` is not set."""

    def canonical(self) -> Wanted:
        """With full refs in lower case. Raises Invalid for one that is none."""
        return replace(
            self,
            entity_ref=_ref(self.entity_ref, "component"),
            owner=_ref(self.owner, "group"),
            claimed=_ref(self.claimed, "group"),
        )

    @property
    def uid(self) -> str:
        """The id of the resource that is meant."""
        return resource_uid(self.entity_ref, self.environment, self.type, self.resource_class, self.name)


@dataclass(frozen=True, slots=True)
class Resource:
    """What is known of one resource. It keeps the definition and the configuration that it was made with."""

    id: str
    type: str
    resource_class: str
    name: str
    entity_ref: str | None
    environment: str
    owner: str | None
    definition: str
    driver: str
    config: Mapping[str, Any]
    state: ResourceState
    params: Mapping[str, Any]
    created_at: datetime
    created_by: str
    updated_at: datetime
    message: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    secret_names: tuple[str, ...] = ()
    monthly_cost: Decimal | None = None
    currency: str = "USD"
    generation: int = 1
    made: bool = False
    """Whether it was ready once: only then it is tied to its definition."""
    made_key: str = ""
    """Key of the step that asked for it first, in this generation."""
    removed_key: str = ""
    """Key of the step that removed it."""
    removed: tuple[str, ...] = ()
    """What its removal did, in words."""
    last_run_id: str | None = None
    fence: int = 0
    """Grows with every holder of its lock: a write of one that has lost it is refused."""

    def fits(self, wanted: Wanted) -> bool:
        """Whether it is there just as it is wanted, whoever provides it."""
        same_owner = wanted.owner is None or wanted.owner == self.owner
        return self.state == "ready" and self.params == wanted.params and same_owner

    def view(self, drift: str = "") -> ResourceView:
        """As seen through the door."""
        return ResourceView(
            id=self.id,
            type=self.type,
            resource_class=self.resource_class,
            name=self.name,
            entity_ref=self.entity_ref,
            environment=self.environment,
            owner=self.owner,
            definition=self.definition,
            driver=self.driver,
            state=self.state,
            message=self.message,
            params=dict(self.params),
            outputs=dict(self.outputs),
            secret_names=self.secret_names,
            monthly_cost=self.monthly_cost,
            currency=self.currency,
            drift=drift,
            created_at=self.created_at,
            created_by=self.created_by,
            updated_at=self.updated_at,
            last_run_id=self.last_run_id,
        )


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource is wanted, as far as definitions ask."""

    environment: str
    environment_type: str
    component: str | None
    name: str


def resource_uid(entity_ref: str | None, environment: str, type_: str, resource_class: str, name: str) -> str:
    """The same for the same resource for ever; safe in file names, URLs and names of databases' things."""
    label = re.sub(r"[^a-z0-9]+", "-", f"{type_[:12]}-{name[:16]}-{environment[:16]}".lower()).strip("-")
    whole = "\0".join(((entity_ref or "").lower(), environment, type_, resource_class, name))
    return f"{label}-{hashlib.sha256(whole.encode()).hexdigest()[:12]}"


def _ref(text: str | None, kind: str) -> str | None:
    return str(parse_ref(text, default_kind=kind, default_namespace="default")).lower() if text else None


def name_problem(name: str) -> Problem | None:
    """What is wrong with the name of a resource, if anything."""
    if _NAME.fullmatch(name):
        return None
    return Problem(
        f"{name!r:.100} is not a name for a resource",
        field="name",
        hint="Use 1 to 63 lower case letters, digits, dots and hyphens, with a letter or digit at both ends.",
    )


def param_problems(schema: Mapping[str, Any], params: Mapping[str, Any]) -> list[Problem]:
    """Everything that is wrong with params, by field."""
    found = []
    for error in Draft202012Validator(dict(schema)).iter_errors(dict(params)):
        path = ".".join(str(part) for part in ("params", *error.absolute_path))
        found.append(Problem(error.message[:300], field=path))
    return sorted(found, key=lambda problem: (problem.field or "", problem.message))


def digest(value: Any) -> str:
    """SHA-256 of plain data."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def matches(criteria: ResourceCriteria, place: Place) -> bool:
    """Whether every field that is set is that of the place."""
    fields = (
        (criteria.environment_type, place.environment_type),
        (criteria.component, place.component),
        (criteria.environment, place.environment),
        (criteria.name, place.name),
    )
    return all(wanted is None or wanted == there for wanted, there in fields)


def specificity(criteria: ResourceCriteria) -> tuple[bool, ...]:
    """To be compared: whoever has the most specific field wins, then whoever has the next."""
    return tuple(getattr(criteria, name) is not None for name in _MOST_SPECIFIC)


def words(criteria: ResourceCriteria) -> str:
    """For people: ``environment production, component component:default/orders``; ``everywhere``."""
    found = [f"{name.replace('_', ' ')} {value}" for name, value in criteria.model_dump(exclude_none=True).items()]
    return ", ".join(found) or "everywhere"


def duplicates(definitions: list[ResourceDefinition]) -> tuple[ResourceDefinition, ResourceDefinition] | None:
    """Two definitions of one type and class between which nothing decides, or that have one name."""
    names: dict[str, ResourceDefinition] = {}
    places: dict[str, ResourceDefinition] = {}
    for one in definitions:
        place = digest([one.type, one.resource_class, one.criteria.model_dump()])
        other = names.get(one.name) or places.get(place)
        if other is not None:
            return other, one
        names[one.name] = places[place] = one
    return None
