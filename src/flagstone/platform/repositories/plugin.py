"""The slice registers itself."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import PlatformAudit
from flagstone.foundation.events import PlatformEvents
from flagstone.foundation.identity import IdentityService
from flagstone.platform.repositories import api
from flagstone.platform.repositories.actions import (
    DeleteRepository,
    PublishGit,
    PublishPullRequest,
    UpgradeRepository,
)
from flagstone.platform.repositories.permissions import PERMISSIONS
from flagstone.platform.repositories.ports import RepositoryFolders
from flagstone.platform.repositories.service import ChangeService, Proposals, Pushes, RepositoryService, Upgrades
from flagstone.platform.repositories.service.remotes import RemoteGit
from flagstone.platform.repositories.settings import RepositoriesSettings
from flagstone.platform.repositories.store import ChangeStore, RepositoryStore
from flagstone.platform.runs import HostedFiles
from flagstone.sdk import Action, Deps, Slice, hookimpl
from flagstone.sdk.remotes import GitRemotes
from flagstone.toolkit.db import PlatformDatabase
from flagstone.toolkit.settings.server import ServerSettings


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Build the hosting of repositories."""
    server = deps.get(ServerSettings)
    settings = deps.settings("repositories", RepositoriesSettings)
    folders = RepositoryFolders(Path(server.data_dir).expanduser().resolve() / "repositories")
    store, audit, events = (
        RepositoryStore(deps.get(PlatformDatabase)),
        deps.get(PlatformAudit),
        deps.get(PlatformEvents),
    )
    pushes = Pushes(store, folders, audit=audit, events=events)
    service = RepositoryService(
        store,
        folders,
        access=deps.get(AccessService),
        audit=audit,
        events=events,
        base_url=lambda: base_url(server),
    )
    changes = ChangeService(
        store,
        ChangeStore(store.db),
        folders,
        pushes,
        access=deps.get(AccessService),
        audit=audit,
        events=events,
        base_url=lambda: base_url(server),
        author_email=settings.author_email,
    )
    deps.provide(service)
    deps.provide(changes)
    deps.provide(RemoteGit(folders), as_=GitRemotes)
    deps.provide(Proposals(changes, folders, pushes))
    deps.provide(Upgrades(changes, folders, pushes))
    deps.provide(service, as_=HostedFiles)
    identity = deps.get(IdentityService)
    git = api.git_app(service, pushes, changes, folders.environment, identity.principal_for_token, settings)
    return Slice(
        "repositories",
        room="platform",
        routers=[api.router(service, changes)],
        mounts=[("/git", git)],
        permissions=PERMISSIONS,
        migrations=Path(__file__).parent / "migrations",
        # In the background: with thousands of repositories it takes seconds, and nothing waits for it.
        start=lambda: threading.Thread(target=pushes.reconcile, name="repositories-reconcile", daemon=True).start(),
    )


@hookimpl
def flagstone_register_actions(deps: Deps) -> Iterable[Action]:
    """The actions of this slice."""
    service = deps.get(RepositoryService)
    settings = deps.settings("repositories", RepositoriesSettings)
    return [
        PublishGit(service, settings.author_email),
        PublishPullRequest(deps.get(Proposals), settings.author_email),
        UpgradeRepository(deps.get(Upgrades), deps.get(Proposals), settings.author_email),
        DeleteRepository(service),
    ]


def base_url(server: ServerSettings) -> str:
    """The address under which people reach this server."""
    if server.public_url:
        return server.public_url.rstrip("/")
    host = "127.0.0.1" if server.host in ("0.0.0.0", "::", "") else server.host  # noqa: S104  compared, not listened on
    return f"http://{f'[{host}]' if ':' in host else host}:{server.port}"
