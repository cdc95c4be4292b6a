"""Offers the gateway ``http`` when ``platform.url`` is set."""

from __future__ import annotations

from flagstone.builtin.http_gateway.gateway import HttpGateway
from flagstone.contracts.gateway import RunGateway
from flagstone.contracts.settings import GatewaySettings
from flagstone.sdk import Deps, hookimpl


@hookimpl
def flagstone_register_run_gateways(deps: Deps) -> dict[str, RunGateway]:
    """The door to ``platform.url``."""
    settings = deps.settings("platform", GatewaySettings)
    if not settings.url:
        return {}
    return {"http": HttpGateway(settings.url, settings.secret.get_secret_value())}
