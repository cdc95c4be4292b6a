"""The slice registers itself."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from flagstone.contracts.settings import GatewaySettings
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import HomeAudit
from flagstone.foundation.identity import api, web
from flagstone.foundation.identity.middleware import IdentityMiddleware
from flagstone.foundation.identity.permissions import PERMISSIONS
from flagstone.foundation.identity.service import IdentityService
from flagstone.foundation.identity.settings import IdentitySettings
from flagstone.sdk import Deps, Slice, hookimpl
from flagstone.toolkit.db import HomeDatabase
from flagstone.toolkit.schedule import Every
from flagstone.toolkit.settings.server import ServerSettings
from flagstone.toolkit.web.pages import Pages


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Provide accounts, sign-in and the middleware that tells who asks."""
    settings = deps.settings("identity", IdentitySettings)
    public_url = deps.get(ServerSettings).public_url
    secret = deps.settings("platform", GatewaySettings).secret.get_secret_value()
    service = IdentityService(deps.get(HomeDatabase), deps.get(AccessService), deps.get(HomeAudit), settings)
    deps.provide(service)
    tidying = Every("identity-tidying", 3600, service.housekeeping)
    here = Path(__file__).parent
    return Slice(
        "identity",
        room="foundation",
        routers=[
            api.router(service, public_url),
            web.router(service, deps.get(AccessService), deps.get(Pages)),
        ],
        permissions=PERMISSIONS,
        templates=here / "templates",
        migrations=here / "migrations",
        migrate="home",
        start=tidying.start,
        stop=tidying.stop,
        middleware=[partial(IdentityMiddleware, identity=service, public_url=public_url, actor_secret=secret)],
    )
