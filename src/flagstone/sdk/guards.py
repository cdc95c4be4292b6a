"""Guards of routes: each route of a slice or plugin names its permission, or why everybody may.

Not imported by the package itself: it needs FastAPI, which the command line does not load.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from fastapi import Depends
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from flagstone.kernel.actor import ANONYMOUS, Principal


class Admission(Protocol):
    """The part of the decision point that a guard needs; it lies in ``app.state.access``."""

    def admit(self, principal: Principal, permission: str) -> bool:
        """Whether the route may be entered: fast, without side effects."""

    def refuse(self, principal: Principal, permission: str, resource: str) -> None:
        """Raise Unauthenticated or Denied, and leave an audit row."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A FastAPI dependency that returns the principal, or raises. Exactly one of its two members is set."""

    permission: str | None = None
    reason: str | None = None
    """Why everybody may: only for routes without a permission."""

    async def __call__(self, request: HTTPConnection) -> Principal:
        """The caller. Raises Unauthenticated or Denied."""
        principal: Principal = getattr(request.state, "principal", ANONYMOUS)
        if self.permission is None:
            return principal
        access: Admission = request.app.state.access
        if not access.admit(principal, self.permission):
            # a refusal writes to the database
            await run_in_threadpool(access.refuse, principal, self.permission, request.url.path)
        return principal


def permit(permission: str) -> Any:
    """Guard a route with a permission.

    ``principal: Annotated[Principal, permit("runs.read")]``

    For a permission that owners have, too, the route lets in whoever might own the thing, because only the service
    knows which thing it is: it must call ``AccessService.check`` with the owner.
    """
    return Depends(Guard(permission=permission))


def public(reason: str) -> Any:
    """A route for everybody, signed in or not, with the reason why."""
    return Depends(Guard(reason=reason))
