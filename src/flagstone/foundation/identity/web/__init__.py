"""Pages of identity: signing in and out, and one's own account."""

from __future__ import annotations

from fastapi import APIRouter

from flagstone.foundation.access import AccessService
from flagstone.foundation.identity.service import IdentityService
from flagstone.foundation.identity.web.profile import profile_router
from flagstone.foundation.identity.web.signin import signin_router
from flagstone.toolkit.web.pages import Pages


def router(service: IdentityService, access: AccessService, pages: Pages) -> APIRouter:
    """``/login``, ``/logout``, ``/me``."""
    web = APIRouter(include_in_schema=False)
    web.include_router(signin_router(service, pages))
    web.include_router(profile_router(service, access, pages))
    return web


__all__ = ["router"]
