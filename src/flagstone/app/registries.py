"""Brings what plugins and slices contribute to those who collect it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from flagstone.contracts.gateway import NoPlatform, RunGateway
from flagstone.contracts.settings import GatewaySettings
from flagstone.foundation.access import AccessService
from flagstone.kernel.errors import Invalid
from flagstone.sdk import Slice
from flagstone.toolkit.plugins import Container, PluginHost
from flagstone.toolkit.web.pages import Pages

_PREFERENCE = ("http", "local", "none")


def fill_registries(host: PluginHost, deps: Container, slices: Sequence[Slice]) -> None:
    """Permissions, templates and everything that slices collect; then the registries are frozen."""
    access = deps.get(AccessService)
    pages = deps.get(Pages)
    for item in slices:
        access.register(item.permissions, item.name)
        if item.templates is not None:
            pages.add_templates(item.name, item.templates / item.name)
    for contribution in host.call("flagstone_register_template_dirs"):
        for name, folder in contribution.value.items():
            pages.add_templates(name, Path(folder))
    for item in slices:
        _collect(host, deps, item)
    for item in slices:
        if item.sealed is not None:
            item.sealed()


def _collect(host: PluginHost, deps: Container, item: Slice) -> None:
    for hook, add in item.collects.items():
        for contribution in host.call(hook, deps=deps):
            for value in _values(contribution.value):
                add(value, contribution.plugin)


def _values(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.items()
    return value if isinstance(value, list) else [value]


def choose_gateway(host: PluginHost, deps: Container) -> RunGateway:
    """The door that the settings name, or the best there is.

    Raises Invalid when the settings name one that nobody brings.
    """
    found: dict[str, RunGateway] = {"none": NoPlatform()}
    for contribution in host.call("flagstone_register_run_gateways", deps=deps):
        found.update(contribution.value)
    wanted = deps.settings("platform", GatewaySettings).gateway
    if wanted:
        if wanted not in found:
            raise Invalid(
                "gateway.unknown",
                f"platform.gateway is {wanted!r}, but there is no such gateway.",
                hint=f"There are: {', '.join(sorted(found))}.",
            )
        return found[wanted]
    return next(found[name] for name in _PREFERENCE if name in found)
