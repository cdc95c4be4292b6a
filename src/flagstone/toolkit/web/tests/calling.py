"""Calls an ASGI application in the same process, without starting a server."""

from __future__ import annotations

import asyncio

import httpx


def call(app, path="/", method="GET", **options) -> httpx.Response:
    """One request to the application; no decompression is hidden: read ``.headers`` for what was sent."""

    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **options)

    return asyncio.run(run())
