"""Secrets as JSON: names in and out, values only in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, SecretStr

from flagstone.foundation.vault.model import SecretInfo
from flagstone.foundation.vault.service import VaultService
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import iso
from flagstone.sdk.guards import permit


class NewValue(BaseModel):
    """The value of a secret; it is never sent back."""

    model_config = ConfigDict(extra="forbid")

    value: SecretStr


def router(service: VaultService) -> APIRouter:
    """Routes under ``/api/v1/secrets``."""
    api = APIRouter(prefix="/api/v1/secrets", tags=["secrets"])

    @api.get("")
    def list_secrets(
        _principal: Annotated[Principal, permit("vault.secret.list")],
        cursor: Annotated[str | None, Query(max_length=1000)] = None,
        limit: Annotated[int | None, Query(ge=1)] = None,
    ) -> dict[str, Any]:
        """Names, versions and fingerprints; no values."""
        page = service.list(cursor=cursor, limit=limit)
        return {"items": [_as_json(item) for item in page.items], "next_cursor": page.next_cursor}

    @api.put("/{name:path}")
    def put_secret(
        name: str, body: NewValue, principal: Annotated[Principal, permit("vault.secret.write")]
    ) -> dict[str, Any]:
        """Set a secret; a new version when it exists."""
        return _as_json(service.put_by_hand(name, body.value, actor=principal))

    @api.delete("/{name:path}", status_code=204)
    def delete_secret(name: str, principal: Annotated[Principal, permit("vault.secret.write")]) -> None:
        """Delete a secret."""
        service.delete_by_hand(name, actor=principal)

    return api


def _as_json(item: SecretInfo) -> dict[str, Any]:
    return {
        "name": item.name,
        "version": item.version,
        "fingerprint": item.fingerprint,
        "created_at": iso(item.created_at),
        "created_by": item.created_by,
        "used_at": iso(item.used_at) if item.used_at else None,
    }
