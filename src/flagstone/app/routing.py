"""The routes of all slices, found by the first words of the path instead of by trying one after the other.

What a route does and who may use it is the slices' own; here they are only put into an order that is searched quickly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

_API = ("api", "v1")


class Branch(APIRouter):
    """Routes whose paths begin with the same words."""

    def __init__(self, words: str, routes: Sequence[BaseRoute]) -> None:
        super().__init__(routes=list(routes))
        self._words = words

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As every router, but paths that begin otherwise are told at once."""
        if not scope.get("root_path") and not scope["path"].startswith(self._words):
            return Match.NONE, {}
        return super().matches(scope)


def branches(routers: Iterable[APIRouter]) -> list[APIRouter]:
    """Routers with the same routes, one for each beginning; within it they stay in their order.

    Paths without a fixed beginning come last. A router that holds more than ordinary routes stays as it is.
    """
    found: dict[str, list[BaseRoute]] = {}
    others: list[APIRouter] = []
    for router in routers:
        if not all(isinstance(route, APIRoute) for route in router.routes):
            others.append(router)
            continue
        for route in router.routes:
            assert isinstance(route, APIRoute)
            found.setdefault(beginning(route.path), []).append(route)
    ordered = sorted(found, key=lambda words: words == "/")
    return [*(Branch(words, found[words]) for words in ordered), *others]


def beginning(path: str) -> str:
    """The first word of a path, or the one behind ``/api/v1``; ``/`` when it is not fixed."""
    parts = path.split("/")[1:]
    count = 3 if tuple(parts[:2]) == _API and len(parts) > 2 else 1
    words: list[str] = []
    for part in parts[:count]:
        if "{" in part:
            break
        words.append(part)
    return "/" + "/".join(words)
