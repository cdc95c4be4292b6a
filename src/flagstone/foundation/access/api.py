"""Permissions and one's own decisions, as JSON."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from flagstone.foundation.access.service import AccessService
from flagstone.kernel.actor import Principal
from flagstone.sdk.guards import permit


def router(service: AccessService) -> APIRouter:
    """Routes under ``/api/v1/access``."""
    api = APIRouter(prefix="/api/v1/access", tags=["access"])

    @api.get("/permissions")
    def list_permissions(principal: Annotated[Principal, permit("access.read")]) -> dict[str, Any]:
        """Every permission: what it is for, the least role that has it, whether owners have it, whether you have it."""
        return {
            "items": [
                {
                    "name": item.name,
                    "description": item.description,
                    "role": item.role,
                    "owner": item.owner,
                    "allowed": service.decide(principal, item.name).allowed,
                }
                for item in service.permissions()
            ],
            "scopes": service.scopes(),
        }

    @api.get("/explain")
    def explain(
        principal: Annotated[Principal, permit("access.read")],
        permission: Annotated[str, Query(max_length=200)],
        owner: Annotated[str | None, Query(max_length=300)] = None,
    ) -> dict[str, Any]:
        """Whether you may use a permission on something of an owner, and why."""
        decision = service.decide(principal, permission, owner=owner)
        return {
            "permission": decision.permission,
            "allowed": decision.allowed,
            "reason": decision.reason,
            "hint": decision.hint,
            "role": principal.role,
            "owner_refs": sorted(principal.owner_refs),
        }

    return api
