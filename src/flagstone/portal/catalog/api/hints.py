"""Where git hosts report pushes."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid
from flagstone.portal.catalog.service.hints import HintService
from flagstone.sdk.guards import public

Host = Annotated[Principal, public("a git host has no account; what it sends is signed with a secret")]
_MAX_BODY = 5_000_000
"""Bytes. A push of thousands of commits is smaller; what is larger costs only the hint."""


class Hurried(BaseModel):
    """What became of it."""

    locations: int
    """How many locations are read again now."""


def router(hints: HintService) -> APIRouter:
    """``/api/v1/catalog-webhooks``."""
    api = APIRouter(prefix="/api/v1", tags=["catalog"])

    @api.post(
        "/catalog-webhooks", status_code=202, summary="A push on GitHub, GitLab, Gitea, Forgejo or Bitbucket: look now"
    )
    async def pushed(request: Request, _: Host) -> Hurried:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > _MAX_BODY:
                raise Invalid("catalog.bad_webhook", f"The webhook is larger than {_MAX_BODY:,} bytes.")
        headers = {name.lower(): value for name, value in request.headers.items()}
        return Hurried(locations=await run_in_threadpool(hints.pushed, headers, bytes(body)))

    return api
