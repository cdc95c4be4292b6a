"""The census of guards: every route of an application, and which of them has none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute, Host, Mount

from flagstone.sdk.guards import Guard


@dataclass(frozen=True, slots=True)
class RouteGuard:
    """One line of the census. ``guards`` holds every guard; more or fewer than one is a fault."""

    path: str
    methods: tuple[str, ...]
    guards: tuple[Guard, ...]
    kind: str = "route"
    """``route``, ``websocket`` or ``mount`` (an application that guards itself)."""

    @property
    def permission(self) -> str | None:
        """The permission of its only guard."""
        return self.guards[0].permission if len(self.guards) == 1 else None

    @property
    def public(self) -> str | None:
        """The reason why everybody may."""
        return self.guards[0].reason if len(self.guards) == 1 else None


def census(app: Any) -> list[RouteGuard]:
    """Every route of an application, through nested routers, hosts and mounts, with its guards."""
    return sorted(_walk(app.routes, ""), key=lambda item: (item.path, item.methods))


def _walk(routes: Sequence[BaseRoute], prefix: str) -> Iterator[RouteGuard]:
    for context in iter_route_contexts(routes):
        route = context.original_route
        path = prefix + (context.path or "")
        if isinstance(route, Mount | Host):
            below = getattr(route, "routes", None)
            base = path if isinstance(route, Mount) else prefix
            if below:
                yield from _walk(below, base)
            else:
                yield RouteGuard(base or "/", (), (), "mount")
            continue
        dependant = getattr(context, "dependant", None)
        methods = getattr(context, "methods", None)
        kind = "route" if methods is not None else "websocket"
        yield RouteGuard(path, tuple(sorted(methods or ())), tuple(_guards(dependant)), kind)


def _guards(dependant: Any) -> Iterator[Guard]:
    if dependant is None:
        return
    if isinstance(dependant.call, Guard):
        yield dependant.call
    for child in dependant.dependencies:
        yield from _guards(child)
