"""Calls of drivers: what they are given, secrets kept in the vault, and nothing secret in what they say or raise."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from jsonschema import Draft202012Validator
from pydantic import SecretStr

from flagstone.foundation.vault import Masker, VaultService
from flagstone.kernel.errors import FlagstoneError, NotFound, Permanent, from_dict
from flagstone.platform.resources.model import Resource
from flagstone.platform.resources.ports import ResourceRegistry
from flagstone.platform.resources.service.definitions import Definitions
from flagstone.sdk import ResourceDriver, ResourcePlan, ResourceRequest, ResourceStatus

T = TypeVar("T")
Progress = Callable[[str], None]


class Driving:
    """See the module. Knows nothing of rows: what to record is the caller's business."""

    def __init__(self, registry: ResourceRegistry, definitions: Definitions, vault: VaultService) -> None:
        self._registry = registry
        self._definitions = definitions
        self._vault = vault

    def plan(self, resource: Resource) -> ResourcePlan:
        """What provisioning would do. Raises Invalid. Nothing secret is read."""
        driver = self._registry.driver(resource.driver)
        return driver.plan(self._request(resource, {}, _no_secret, _no_hiding, lambda _text: None))

    def provision(self, resource: Resource, progress: Progress) -> tuple[dict[str, Any], tuple[str, ...]]:
        """(outputs without the secret ones, names of those, whose values are in the vault now)."""
        found = self._call(resource, progress, lambda driver, request: driver.provision(request))
        known = self.secrets(resource)
        type_ = self._registry.type(resource.type)
        self._keeps_its_word(resource, found)
        names = tuple(sorted(name for name in type_.secret_outputs if name in found))
        for name in names:
            if known.get(name) != found[name]:
                self._vault.put(_vault_name(resource, name), SecretStr(found[name]))
        return {name: value for name, value in found.items() if name not in names}, names

    def remove(self, resource: Resource, progress: Progress, *, delete_data: bool) -> tuple[str, ...]:
        """Take it away; what was done in words."""
        done = self._call(resource, progress, lambda driver, request: driver.remove(request, delete_data=delete_data))
        return tuple(str(line) for line in done)

    def status(self, resource: Resource) -> ResourceStatus:
        """Whether it is there."""
        return self._call(resource, lambda _text: None, lambda driver, request: driver.status(request))

    def secrets(self, resource: Resource) -> dict[str, str]:
        """The values of its secret outputs, as far as the vault has them; also those that no row names yet."""
        found: dict[str, str] = {}
        for name in self._registry.type(resource.type).secret_outputs:
            with contextlib.suppress(NotFound):
                found[name] = self._vault.use(_vault_name(resource, name), purpose=f"resource {resource.id}")
        return found

    def forget(self, resource: Resource) -> None:
        """Delete the values of its secret outputs."""
        for name in {*self._registry.type(resource.type).secret_outputs, *resource.secret_names}:
            with contextlib.suppress(NotFound):
                self._vault.delete(_vault_name(resource, name))

    def _call(self, resource: Resource, progress: Progress, do: Callable[[ResourceDriver, ResourceRequest], T]) -> T:
        driver = self._registry.driver(resource.driver)
        known = self.secrets(resource)
        hidden = set(known.values())

        def read(name: str) -> str:
            value = self._vault.use(name, purpose=f"resource {resource.id}")
            hidden.add(value)
            return value

        def hide(value: str) -> str:
            hidden.add(value)
            return value

        def say(text: str) -> None:
            progress(Masker(hidden).mask(text))

        request = self._request(resource, {**resource.outputs, **known}, read, hide, say)
        try:
            return do(driver, request)
        except FlagstoneError as error:
            raise _masked(error, Masker(hidden)) from None
        except Exception as error:  # noqa: BLE001  whatever a driver raises is told without its secrets
            text = Masker(hidden).mask(f"{type(error).__name__}: {error}")
            raise Permanent("resources.driver_crashed", f"The driver {driver.name} failed. {text[:500]}") from None

    def _request(
        self,
        resource: Resource,
        known: Mapping[str, Any],
        secret: Callable[[str], str],
        hide: Callable[[str], str],
        say: Progress,
    ) -> ResourceRequest:
        return ResourceRequest(
            uid=resource.id,
            generation=resource.generation,
            type=resource.type,
            resource_class=resource.resource_class,
            name=resource.name,
            environment=resource.environment,
            entity_ref=resource.entity_ref,
            params=dict(resource.params),
            config=self._definitions.config(resource.driver, dict(resource.config)),
            known=known,
            secret=secret,
            hide=hide,
            log=say,
        )

    def _keeps_its_word(self, resource: Resource, outputs: Mapping[str, Any]) -> None:
        """Raises Permanent for outputs that are not those of the type: workloads would meet them much later."""
        type_ = self._registry.type(resource.type)
        known = type_.outputs_schema.get("properties", {})
        faults = [f"{name} is none of the type's outputs" for name in outputs if name not in known]
        # Values may be secret: only where they are and which rule they break is told.
        faults += [
            f"{'.'.join(map(str, error.absolute_path)) or 'outputs'} breaks the rule {error.validator}"
            for error in Draft202012Validator(dict(type_.outputs_schema)).iter_errors(dict(outputs))
        ]
        secret = type_.secret_outputs
        faults += [f"{name} is not a text" for name in secret if not isinstance(outputs.get(name, ""), str)]
        if faults:
            raise Permanent(
                "resources.bad_outputs",
                f"The driver {resource.driver} gave outputs that a {resource.type} does not have: {'; '.join(faults)}.",
                hint="This is a fault of the driver: tell whoever wrote it.",
            )


def _vault_name(resource: Resource, output: str) -> str:
    return f"resources/{resource.id}/{output}"


def _no_secret(name: str) -> str:
    raise Permanent("resources.secret_in_plan", f"A driver asked for the secret {name!r} while planning.")


def _no_hiding(value: str) -> str:
    return value


def _masked(error: FlagstoneError, masker: Masker) -> FlagstoneError:
    message, hint = masker.mask(error.message), masker.mask(error.hint) if error.hint else None
    if (message, hint) == (error.message, error.hint) and not error.problems:
        return error
    problems = [replace(one, message=masker.mask(one.message)).as_dict() for one in error.problems]
    return from_dict({**error.as_dict(), "detail": message, "hint": hint, "problems": problems})
