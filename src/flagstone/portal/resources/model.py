"""Resources in words, and what is asked for as a form. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from flagstone.contracts.deployments import EnvironmentView
from flagstone.contracts.resources import ResourceDefinitionView, ResourceTypeView, ResourceView
from flagstone.contracts.runs import WorkflowDefinition
from flagstone.contracts.workflows import request_resource_workflow
from flagstone.kernel.errors import Invalid

REQUEST = "/resources/request"
NAME = r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$"
_DOTS = {
    "requested": "progress",
    "provisioning": "progress",
    "ready": "healthy",
    "failed": "down",
    "removing": "progress",
    "removed": "unknown",
}
_WORDS = {"requested": "Requested", "provisioning": "Being made", "removing": "Being removed"}
_ICONS = {"volume": "hard-drive", "secret": "key-round"}
_MAX_TEXT = 20_000


def icon_of(type_: str) -> str:
    """The sign of a type."""
    return _ICONS.get(type_, "database")


def money(amount: Decimal | None, currency: str) -> str:
    """A monthly cost for people; empty where it is not known."""
    return "" if amount is None else f"{amount:,.2f} {currency}"


@dataclass(frozen=True, slots=True)
class Output:
    """One output. ``place`` is how a Score file names it; ``value`` is None for a secret one."""

    name: str
    value: str | None
    place: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class ResourceLine:
    """A resource in words."""

    view: ResourceView
    dot: str
    word: str
    title: str
    """Its type for people."""
    icon: str
    cost: str

    @property
    def href(self) -> str:
        """Its page."""
        return f"/resources/{self.view.id}"

    @property
    def busy(self) -> bool:
        """Whether something is being done with it."""
        return self.dot == "progress"


def resource_line(view: ResourceView, titles: Mapping[str, str]) -> ResourceLine:
    """Put a resource into words."""
    return ResourceLine(
        view=view,
        dot=_DOTS.get(view.state, "unknown"),
        word=_WORDS.get(view.state, view.state.capitalize()),
        title=titles.get(view.type, view.type),
        icon=icon_of(view.type),
        cost=money(view.monthly_cost, view.currency),
    )


def outputs_of(view: ResourceView, type_: ResourceTypeView | None) -> tuple[Output, ...]:
    """What it gives, in the order of its type; of secret ones only that there are such."""
    described: Mapping[str, Any] = (type_.outputs_schema.get("properties") or {}) if type_ else {}
    known = {*view.outputs, *view.secret_names}
    names = [name for name in described if name in known]
    return tuple(
        Output(
            name=name,
            value=None if name in view.secret_names else as_text(view.outputs.get(name)),
            place=score_place(view.name, name),
            text=str((described.get(name) or {}).get("description", "")),
        )
        for name in (*names, *sorted(known.difference(names)))
    )


def score_place(name: str, output: str) -> str:
    """How a Score file names an output."""
    return f"${{resources.{name}.{output}}}"


def score_lines(view: ResourceView) -> str:
    """What declares a resource in a Score file."""
    lines = ["resources:", f"  {view.name}:", f"    type: {view.type}"]
    if view.resource_class != "default":
        lines.append(f"    class: {view.resource_class}")
    if view.entity_ref is None:
        lines.append(f"    id: {view.name}")
    return "\n".join(lines) + "\n"


def as_text(value: Any) -> str:
    """A value of params or outputs for people."""
    return value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True, slots=True)
class Offer:
    """What may be asked for: types, who provides them, and environments."""

    types: tuple[ResourceTypeView, ...] = ()
    definitions: tuple[ResourceDefinitionView, ...] = ()
    environments: tuple[EnvironmentView, ...] = ()

    def type(self, name: str) -> ResourceTypeView | None:
        """A type by its name."""
        return next((one for one in self.types if one.name == name), None)

    @property
    def titles(self) -> dict[str, str]:
        """Titles of the types by name."""
        return {one.name: one.title for one in self.types}

    def classes(self, type_: str) -> list[str]:
        """Classes in which somebody provides a type, the default one first."""
        found = {one.resource_class for one in self.definitions if one.type == type_}
        return sorted(found, key=lambda name: (name != "default", name))

    def where(self, type_: str) -> str:
        """In which environments a type is provided, in words."""
        fitting = [one.criteria for one in self.definitions if one.type == type_]
        everywhere = [one for one in fitting if not one.component and not one.name]
        names = [
            env.name
            for env in self.environments
            if any(
                one.environment in (None, env.name) and one.environment_type in (None, env.type) for one in everywhere
            )
        ]
        if names and len(names) == len(self.environments):
            return "Provided in every environment."
        if names:
            return f"Provided in {', '.join(names)}."
        return "Provided for some components only." if fitting else "Nobody provides it yet."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for, as its form and its address hold it."""

    type: str = ""
    resource_class: str = "default"
    environment: str = ""
    name: str = ""
    entity_ref: str = ""
    owner: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    adopt: bool = False

    @property
    def values(self) -> dict[str, Any]:
        """The same as values of the form."""
        found: dict[str, Any] = {
            "type": self.type,
            "class": "" if self.resource_class == "default" else self.resource_class,
            "environment": self.environment,
            "name": self.name,
            "entityRef": self.entity_ref,
            "owner": self.owner,
            "params": self.params,
        }
        return {name: value for name, value in found.items() if value}

    @property
    def text(self) -> str:
        """The same as JSON, for :func:`read_wanted`."""
        given = self.values | ({"adopt": True} if self.adopt else {})
        return json.dumps(given, separators=(",", ":"), sort_keys=True)

    @property
    def query(self) -> str:
        """The same for an address."""
        return urlencode({"values": self.text})

    def workflow(self) -> WorkflowDefinition:
        """What the platform is asked to run."""
        return request_resource_workflow(
            title=f"Request {self.type} {self.name} in {self.environment}",
            type=self.type,
            name=self.name,
            environment=self.environment,
            entity_ref=self.entity_ref or None,
            owner=self.owner or None,
            resource_class=self.resource_class,
            params=self.params,
            adopt=self.adopt,
        )


def wanted_of(values: Mapping[str, Any]) -> Wanted:
    """Out of values of the form; what is missing is empty."""
    params = values.get("params")
    return Wanted(
        type=_word(values, "type"),
        resource_class=_word(values, "class") or "default",
        environment=_word(values, "environment"),
        name=_word(values, "name"),
        entity_ref=_word(values, "entityRef").lower(),
        owner=_word(values, "owner").lower(),
        params=dict(params) if isinstance(params, dict) else {},
        adopt=values.get("adopt") is True,
    )


def read_wanted(text: str) -> Wanted:
    """Out of an address. Raises Invalid."""
    try:
        values = json.loads(text) if len(text) <= _MAX_TEXT else None
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise Invalid(
            "resources.unreadable", "What is asked for cannot be read from the address.", hint="Begin again: " + REQUEST
        )
    return wanted_of(values)


def wanted_again(view: ResourceView, *, adopt: bool = False) -> Wanted:
    """The same resource, asked for once more."""
    return Wanted(
        view.type,
        view.resource_class,
        view.environment,
        view.name,
        view.entity_ref or "",
        view.owner or "",
        dict(view.params),
        adopt,
    )


def request_form(offer: Offer, wanted: Wanted) -> dict[str, Any]:
    """The form as a JSON Schema: which settings it asks for depends on the type, and the owner on the component."""
    properties: dict[str, Any] = {"type": _type_rule(offer.types, offer)}
    classes = offer.classes(wanted.type)
    if len(classes) > 1 or (classes and classes != ["default"]):
        properties["class"] = {"type": "string", "title": "Class", "enum": classes, "default": classes[0]}
    properties["environment"] = {
        "type": "string",
        "title": "Environment",
        "enum": [one.name for one in offer.environments],
        "enumNames": [one.title for one in offer.environments],
    }
    if offer.environments:
        properties["environment"]["default"] = offer.environments[0].name
    properties["entityRef"] = {
        "type": "string",
        "title": "Component",
        "description": "What it is for. Left empty, it belongs to no component.",
        "ui:field": "EntityPicker",
        "ui:options": {"catalogFilter": {"kind": "Component"}, "defaultKind": "Component"},
    }
    required = ["type", "environment", "name"]
    if not wanted.entity_ref:
        properties["owner"] = {
            "type": "string",
            "title": "Owner",
            "description": "The team that looks after it. That of a component belongs to the owner of the component.",
            "ui:field": "OwnerPicker",
            "ui:options": {"catalogFilter": {"kind": "Group"}},
        }
        required.append("owner")
    properties["name"] = {
        "type": "string",
        "title": "Name",
        "description": "What score.yaml calls it: the name below `resources`.",
        "pattern": NAME,
        "maxLength": 63,
        "ui:placeholder": "data",
        "errorMessage": {
            "pattern": "Use lower case letters, digits, dots and hyphens, with a letter or digit at both ends."
        },
    }
    chosen = offer.type(wanted.type)
    if chosen is not None and chosen.params_schema.get("properties"):
        properties["params"] = {**chosen.params_schema, "title": "Settings"}
    return {"type": "object", "title": "What do you need?", "properties": properties, "required": required}


def _type_rule(types: Sequence[ResourceTypeView], offer: Offer) -> dict[str, Any]:
    ordered = sorted(types, key=lambda one: not one.definitions)
    return {
        "type": "string",
        "title": "Type",
        "enum": [one.name for one in ordered],
        "enumNames": [one.title for one in ordered],
        "ui:enumDescriptions": [f"{one.description} {offer.where(one.name)}".strip() for one in ordered],
    }


def _word(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value.strip()[:300] if isinstance(value, str) else ""
