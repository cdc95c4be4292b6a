"""Which definition provides a resource somewhere: the settings' own first, then what drivers bring."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from pydantic import BaseModel, ValidationError

from flagstone.contracts.resources import ResourceCriteria, ResourceDefinitionView
from flagstone.kernel.errors import Invalid, Problem
from flagstone.platform.resources.model import (
    Place,
    Resource,
    digest,
    duplicates,
    matches,
    specificity,
    words,
)
from flagstone.platform.resources.ports import ResourceRegistry
from flagstone.platform.resources.settings import DefinitionEntry, ResourcesSettings
from flagstone.sdk import ResourceDefinition

log = logging.getLogger("flagstone.resources")

_EXAMPLE = """\
Add one to flagstone.toml: [[resources.definitions]] with name, type = "{type}"{class_}, driver and config."""


class Definitions:
    """Filled by :meth:`seal` once all drivers are known."""

    def __init__(self, registry: ResourceRegistry, settings: ResourcesSettings) -> None:
        self._registry = registry
        self._settings = settings
        self._own: list[ResourceDefinition] = []
        self._brought: list[ResourceDefinition] = []

    def seal(self) -> None:
        """Check everything. Raises Invalid, so that the process does not start with definitions that cannot work."""
        self._own = [_definition(entry) for entry in self._settings.definitions]
        brought = [one for driver in self._registry.drivers() for one in driver.definitions]
        self._brought = [one for one in brought if one.name not in self._settings.leave_out and self._is_sound(one)]
        problems = [problem for one in self._own for problem in self._problems(one)]
        for group in (self._own, self._brought):
            clash = duplicates(group)
            if clash is not None:
                problems.append(_clash(*clash))
        taken = {one.name for one in self._own} & {one.name for one in self._brought}
        problems += [Problem(f"a driver brings a definition named {name!r} already") for name in sorted(taken)]
        if problems:
            raise Invalid(
                "resources.bad_definitions",
                "The resource definitions cannot be used.",
                hint="Mend [[resources.definitions]] in flagstone.toml; what a driver brings is turned off with "
                "resources.leave_out.",
                problems=problems,
            )

    def choose(self, type_: str, resource_class: str, place: Place) -> ResourceDefinition:
        """The one that provides a type somewhere. Raises Invalid saying what there is and how to add one."""
        for group in (self._own, self._brought):
            fitting = [one for one in _of(group, type_, resource_class) if matches(one.criteria, place)]
            if fitting:
                return max(fitting, key=lambda one: specificity(one.criteria))
        others = [f"{one.name} (class {one.resource_class}, {words(one.criteria)})" for one in self._all(type_)]
        class_ = "" if resource_class == "default" else f', class = "{resource_class}"'
        where = f"{place.environment}, an environment of type {place.environment_type or 'unknown'}"
        raise Invalid(
            "resources.no_definition",
            f"Nobody provides {type_} of class {resource_class} in {where}. "
            f"Definitions of this type: {'; '.join(others) or 'none'}.",
            hint=_EXAMPLE.format(type=type_, class_=class_),
        )

    def find(self, name: str) -> ResourceDefinition | None:
        """One by its name."""
        return next((one for one in self._all() if one.name == name), None)

    def config(self, driver: str, config: object) -> BaseModel:
        """A configuration as its driver reads it. Raises NotFound without the driver, Invalid by field."""
        try:
            return self._registry.driver(driver).config_model.model_validate(config)
        except ValidationError as error:
            raise Invalid(
                "resources.bad_config",
                f"The configuration that the resource was made with does not suit the driver {driver} any more.",
                hint="Ask for it again with the definition of today (adopt).",
                problems=_faults(error, "config"),
            ) from error

    def drift(self, resource: Resource, place: Place) -> str:
        """What has changed about who provides a resource since it was made, in words; empty when nothing has."""
        if resource.state == "removed":
            return ""
        try:
            now = self.choose(resource.type, resource.resource_class, place)
        except Invalid:
            return f"It was made by the definition {resource.definition}; today no definition provides it here."
        if now.name != resource.definition:
            return f"It was made by the definition {resource.definition}; today it would be {now.name}."
        if digest([now.driver, now.config]) != digest([resource.driver, resource.config]):
            return f"The definition {now.name} has changed since it was made."
        return ""

    def names(self, type_: str) -> tuple[str, ...]:
        """Names of the definitions of a type."""
        return tuple(one.name for one in self._all(type_))

    def views(self, counts: dict[str, int]) -> list[ResourceDefinitionView]:
        """All, by type, the most specific first."""
        own = {one.name for one in self._own}
        ordered = sorted(
            self._all(),
            key=lambda one: (
                one.type,
                one.name not in own,
                *(not is_set for is_set in specificity(one.criteria)),
                one.name,
            ),
        )
        return [_view(one, counts.get(one.name, 0), own=one.name in own) for one in ordered]

    def _all(self, type_: str | None = None) -> list[ResourceDefinition]:
        return [one for one in (*self._own, *self._brought) if type_ in (None, one.type)]

    def _is_sound(self, one: ResourceDefinition) -> bool:
        """What a plugin brings and cannot work is left out: nobody here can mend it."""
        problems = self._problems(one)
        for problem in problems:
            log.warning("a definition of the driver %s is left out: %s", one.driver, problem)
        return not problems

    def _problems(self, one: ResourceDefinition) -> list[Problem]:
        where = f"definition {one.name}"
        drivers = {driver.name: driver for driver in self._registry.drivers()}
        types = {found.name for found in self._registry.types()}
        if one.type not in types:
            known = ", ".join(sorted(types)) or "none"
            return [Problem(f"{where}: there is no resource type {one.type!r}", hint=f"Known types: {known}.")]
        driver = drivers.get(one.driver)
        if driver is None:
            known = ", ".join(sorted(drivers)) or "none"
            return [Problem(f"{where}: there is no driver {one.driver!r}", hint=f"Known drivers: {known}.")]
        if one.type not in driver.types:
            hint = f"It makes: {', '.join(driver.types)}."
            return [Problem(f"{where}: the driver {one.driver} does not make {one.type}", hint=hint)]
        try:
            driver.config_model.model_validate(dict(one.config))
        except ValidationError as error:
            return _faults(error, f"{where}: config")
        return []


def _of(group: Iterable[ResourceDefinition], type_: str, resource_class: str) -> list[ResourceDefinition]:
    return [one for one in group if one.type == type_ and one.resource_class == resource_class]


def _definition(entry: DefinitionEntry) -> ResourceDefinition:
    criteria = entry.criteria.model_dump()
    if criteria["component"]:
        criteria["component"] = criteria["component"].lower()
    return ResourceDefinition(
        name=entry.name,
        type=entry.type,
        driver=entry.driver,
        config=dict(entry.config),
        resource_class=entry.resource_class,
        criteria=ResourceCriteria(**criteria),
        monthly_cost=entry.monthly_cost,
        currency=entry.currency,
    )


def _clash(one: ResourceDefinition, other: ResourceDefinition) -> Problem:
    if one.name == other.name:
        return Problem(f"two definitions are named {one.name!r}", hint="Give each a name of its own.")
    return Problem(
        f"{one.name} and {other.name} both provide {one.type} of class {one.resource_class} {words(one.criteria)}",
        hint="Make one of them more specific, or give it another class.",
    )


def _faults(error: ValidationError, where: str) -> list[Problem]:
    # What was written there is left out: somebody may have put a secret into it.
    return [Problem(f"{where}.{'.'.join(map(str, fault['loc']))}: {fault['msg']}") for fault in error.errors()]


def _view(one: ResourceDefinition, count: int, *, own: bool) -> ResourceDefinitionView:
    return ResourceDefinitionView(
        name=one.name,
        type=one.type,
        resource_class=one.resource_class,
        driver=one.driver,
        criteria=one.criteria,
        monthly_cost=one.monthly_cost,
        currency=one.currency,
        origin="settings" if own else "driver",
        resources=count,
    )
