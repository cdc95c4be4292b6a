"""The slice registers itself."""

from __future__ import annotations

from pathlib import Path

from flagstone.foundation.audit import HomeAudit
from flagstone.foundation.vault import api
from flagstone.foundation.vault.permissions import PERMISSIONS
from flagstone.foundation.vault.service import VaultService, load_key
from flagstone.foundation.vault.settings import VaultSettings
from flagstone.sdk import Deps, Slice, hookimpl
from flagstone.sdk.remotes import SecretReader
from flagstone.toolkit.db import HomeDatabase
from flagstone.toolkit.settings.server import ServerSettings


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Provide the vault. The key file is made here, at the first start."""
    folder = Path(deps.get(ServerSettings).data_dir).expanduser().resolve()
    key = load_key(deps.settings("vault", VaultSettings).key, folder / "vault.key")
    service = VaultService(deps.get(HomeDatabase), key, deps.get(HomeAudit))
    deps.provide(service)
    deps.provide(service, as_=SecretReader)
    return Slice(
        "vault",
        room="foundation",
        routers=[api.router(service)],
        permissions=PERMISSIONS,
        migrations=Path(__file__).parent / "migrations",
        migrate="home",
        in_workers=True,
        start=service.check_key,
    )
