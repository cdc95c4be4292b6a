"""A browser or program of few words: talks to an ASGI application in this process, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

BASE_URL = "http://127.0.0.1:7070"


class Client:
    """Sends requests one after another and keeps cookies. Follows no redirect; errors of the application raise."""

    def __init__(
        self,
        app: Any,
        *,
        base_url: str = BASE_URL,
        headers: Mapping[str, str] | None = None,
        address: str = "127.0.0.1",
    ) -> None:
        transport = httpx.ASGITransport(app=app, client=(address, 50_000))
        self._http = httpx.AsyncClient(transport=transport, base_url=base_url, headers=dict(headers or {}))

    @property
    def cookies(self) -> httpx.Cookies:
        """What the application has set so far."""
        return self._http.cookies

    def request(self, method: str, url: str, **arguments: Any) -> httpx.Response:
        """One request; arguments as those of ``httpx.request``."""
        return asyncio.run(self._http.request(method, url, **arguments))

    def get(self, url: str, **arguments: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", url, **arguments)

    def post(self, url: str, **arguments: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", url, **arguments)

    def put(self, url: str, **arguments: Any) -> httpx.Response:
        """PUT."""
        return self.request("PUT", url, **arguments)

    def patch(self, url: str, **arguments: Any) -> httpx.Response:
        """PATCH."""
        return self.request("PATCH", url, **arguments)

    def delete(self, url: str, **arguments: Any) -> httpx.Response:
        """DELETE."""
        return self.request("DELETE", url, **arguments)
