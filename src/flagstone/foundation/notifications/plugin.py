"""The slice registers itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import HomeAudit
from flagstone.foundation.events import PlatformEvents, PortalEvents
from flagstone.foundation.identity import IdentityService
from flagstone.foundation.notifications import api, web
from flagstone.foundation.notifications.actions import Notify
from flagstone.foundation.notifications.jobs import NotificationsJob
from flagstone.foundation.notifications.permissions import OWN, PERMISSIONS
from flagstone.foundation.notifications.ports import Hook, Mail
from flagstone.foundation.notifications.service import Deliverer, Follower, Notifier, People, Reading
from flagstone.foundation.notifications.settings import NotificationsSettings
from flagstone.foundation.notifications.store import NotificationStore
from flagstone.foundation.vault import VaultService
from flagstone.kernel.actor import system
from flagstone.sdk import Action, Deps, NavItem, Slice, hookimpl
from flagstone.toolkit.db import HomeDatabase
from flagstone.toolkit.http import AllowedHost, Fetcher
from flagstone.toolkit.settings.server import ServerSettings
from flagstone.toolkit.signals import Signals
from flagstone.toolkit.web.pages import Pages

_SYSTEM = system("notifications")


@hookimpl
def flagstone_register_slice(deps: Deps) -> Slice:
    """Provide the notifier."""
    settings = deps.settings("notifications", NotificationsSettings)
    server, signals, vault = deps.get(ServerSettings), deps.get(Signals), deps.get(VaultService)
    access, pages = deps.get(AccessService), deps.get(Pages)
    store = NotificationStore(deps.get(HomeDatabase))
    people = People(deps.get(IdentityService), settings.people)
    notifier = Notifier(store, settings, people, signals, lambda: settings.portal_url or _base_url(server))
    reading = Reading(store, notifier, access, deps.get(HomeAudit), signals)
    deps.provide(notifier)
    hosts = [AllowedHost.parse(host) for host in settings.allowed_hosts]
    fetcher = Fetcher(hosts, setting="notifications.allowed_hosts")

    def secret(name: str) -> str:
        return vault.use(name, actor=_SYSTEM, purpose="notifications")

    mail = Mail(settings.smtp, secret, server.product) if settings.smtp.host else None
    hooks = {item.name: Hook(item, fetcher, secret) for item in settings.channels if item.kind != "email"}
    deliverer = Deliverer(store, mail, hooks, tries=settings.tries)
    here_too = deps.find(PlatformEvents)
    job = NotificationsJob(
        here_too or deps.get(PortalEvents),
        Follower(notifier),
        deliverer,
        signals,
        settings.keep_days,
        behind=None if here_too else lambda: deps.find(RunGateway),  # type: ignore[type-abstract]
    )

    def stop() -> None:
        job.stop()
        fetcher.close()

    here = Path(__file__).parent
    return Slice(
        "notifications",
        room="foundation",
        routers=[api.router(reading, notifier), web.router(reading, notifier, access, pages)],
        permissions=PERMISSIONS,
        nav=[
            NavItem(
                "notifications",
                "Notifications",
                "/notifications",
                "bell",
                "",
                20,
                OWN,
                lambda who: reading.unread(who) or None,
            )
        ],
        templates=here / "templates",
        migrations=here / "migrations",
        migrate="home",
        start=job.start,
        stop=stop,
    )


@hookimpl
def flagstone_register_actions(deps: Deps) -> Iterable[Action]:
    """The step that tells somebody something."""
    return [Notify(deps.get(Notifier))]


def _base_url(server: ServerSettings) -> str:
    if server.public_url:
        return server.public_url
    host = "127.0.0.1" if server.host in ("0.0.0.0", "::", "") else server.host  # noqa: S104  compared, not listened on
    return f"http://{f'[{host}]' if ':' in host else host}:{server.port}"
