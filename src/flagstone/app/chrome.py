"""What surrounds every page: made for the person who looks, from what the slices contribute."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from fastapi import Request

from flagstone.foundation.access import AccessService
from flagstone.foundation.identity import IdentityService
from flagstone.kernel.actor import ANONYMOUS, Principal
from flagstone.sdk import NavItem, Slice
from flagstone.toolkit.web import chrome as web

if TYPE_CHECKING:
    from flagstone.app.build import Application

_GROUPS = ("", "Build", "Improve", "Govern")


class ChromeMaker:
    """Callable per request; keeps the sorted navigation."""

    def __init__(self, app: Application, slices: list[Slice]) -> None:
        self._product = app.server.product
        self._access = app.deps.get(AccessService)
        self._identity = app.deps.get(IdentityService)
        items = sorted((item for piece in slices for item in piece.nav), key=lambda item: (item.order, item.label))
        self._items: dict[str, list[NavItem]] = defaultdict(list)
        for item in items:
            self._items[item.group].append(item)
        self._groups = [*_GROUPS, *sorted(set(self._items) - set(_GROUPS))]

    def __call__(self, request: Request) -> web.Chrome:
        """The chrome of one page."""
        principal: Principal = getattr(request.state, "principal", ANONYMOUS)
        if principal.kind == "anonymous":
            return web.Chrome(product=self._product, csrf_token=self._identity.csrf_token(request))
        navigation = tuple(
            (group or None, shown)
            for group in self._groups
            if (shown := self._shown(self._items.get(group, []), principal))
        )
        return web.Chrome(
            product=self._product,
            person=web.Person(principal.name, principal.role or "", principal.name[:2].upper()),
            navigation=navigation,
            csrf_token=self._identity.csrf_token(request),
            active=self._active(request.url.path),
            sign_out="/logout",
            account=(
                web.NavItem("/me", "Your account", "user", "me"),
                web.NavItem("/me/tokens", "API tokens", "key", "tokens"),
            ),
            flashes=tuple(web.Flash(text, tone) for text, tone in getattr(request.state, "flashes", ())),
        )

    def _shown(self, items: list[NavItem], principal: Principal) -> tuple[web.NavItem, ...]:
        return tuple(
            web.NavItem(item.href, item.label, item.icon, item.id, item.count(principal) if item.count else None)
            for item in items
            if item.permission is None or self._access.decide(principal, item.permission).allowed
        )

    def _active(self, path: str) -> str:
        best = ""
        found = ""
        for items in self._items.values():
            for item in items:
                matches = path == item.href or path.startswith(item.href.rstrip("/") + "/")
                if matches and len(item.href) > len(best):
                    best, found = item.href, item.id
        return found if best != "/" or path == "/" else ""
