"""The foundation over one database, and an application over it: for tests that need people and permissions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection

from flagstone.foundation import access as access_slice
from flagstone.foundation import audit as audit_slice
from flagstone.foundation import identity as identity_slice
from flagstone.foundation import vault as vault_slice
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.foundation.events import EventLog
from flagstone.foundation.identity import IdentityMiddleware, IdentityService, IdentitySettings
from flagstone.foundation.vault import VaultKey, VaultService
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now, utc_now
from flagstone.sdk import Permission
from flagstone.testing.databases import migrated
from flagstone.testing.people import CHEAP, People, people
from flagstone.toolkit.db import Database
from flagstone.toolkit.signals import Signals
from flagstone.toolkit.telemetry.requests import RequestMiddleware
from flagstone.toolkit.web.chrome import Chrome, Person
from flagstone.toolkit.web.problems import install

SLICES = ("events", "audit", "vault", "identity")


class Foundation:
    """Events, audit, vault, access and identity over one database, migrated, with all their permissions registered.

    ``migrations`` are those of the slice under test, by its name: a database is migrated with all its slices at once.
    """

    def __init__(
        self,
        db: Database,
        *,
        permissions: Sequence[Permission] = (),
        settings: IdentitySettings = CHEAP,
        now: Now = utc_now,
        migrations: Mapping[str, Path] | None = None,
    ) -> None:
        self.db = migrated(db, **{name: _migrations(name) for name in SLICES}, **(migrations or {}))
        self.signals = Signals()
        self.events = EventLog(db, self.signals, now=now)
        self.audit = AuditLog(db, now=now)
        self.vault = VaultService(db, VaultKey(bytes(range(32))), self.audit, now=now)
        self.access = AccessService(self.audit)
        for slice_permissions in (
            access_slice.PERMISSIONS,
            audit_slice.PERMISSIONS,
            identity_slice.PERMISSIONS,
            vault_slice.PERMISSIONS,
            permissions,
        ):
            self.access.register(slice_permissions)
        self.identity = IdentityService(db, self.access, self.audit, settings, now=now)

    def people(self) -> People:
        """One person of each role; see :mod:`flagstone.testing.people`."""
        return people(self.identity, self.access)

    def app(self, *routers: Any, public_url: str = "", actor_secret: str = "") -> FastAPI:
        """An application with middleware, error answers and the given routers."""
        identity = partial(IdentityMiddleware, identity=self.identity, public_url=public_url, actor_secret=actor_secret)
        app = FastAPI(
            middleware=[Middleware(RequestMiddleware), Middleware(identity)],
            docs_url=None,
            redoc_url=None,
            openapi_url=None,
        )
        app.state.access = self.access
        app.state.make_chrome = self._chrome
        install(app, None)
        for router in routers:
            app.include_router(router)
        return app

    def _chrome(self, request: HTTPConnection) -> Chrome:
        principal: Principal = request.state.principal
        person = None if principal.kind == "anonymous" else Person(principal.name)
        return Chrome("Flagstone", person, csrf_token=self.identity.csrf_token(request), sign_out="/logout")


def _migrations(name: str) -> Path:
    return Path(str(resources.files(f"flagstone.foundation.{name}"))) / "migrations"
