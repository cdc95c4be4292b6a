"""One request to the platform's REST API and what may come back: shared by all parts of the door over HTTP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import httpx
from pydantic import SecretStr

from flagstone.contracts.base import Wire
from flagstone.contracts.claims import HEADER, sign_actor
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError, Permanent, Unavailable, from_dict
from flagstone.kernel.paging import Page

W = TypeVar("W", bound=Wire)


class Calls:
    """Asks the platform at a URL on behalf of an actor, whom it names in a signed claim."""

    def __init__(self, url: str, secret: str, *, transport: Any = None) -> None:
        self._url = url.rstrip("/")
        self._secret = secret
        timeout = httpx.Timeout(60, connect=5)
        self._http = httpx.Client(base_url=self._url, timeout=timeout, transport=transport)

    def _headers(self, actor: Principal) -> dict[str, str]:
        return {HEADER: sign_actor(actor, self._secret), "Accept": "application/json"}

    def _send(self, method: str, path: str, actor: Principal, *, body: Any = None, params: dict[str, Any]) -> Any:
        query = {key: value for key, value in params.items() if value is not None}
        try:
            response = self._http.request(method, path, headers=self._headers(actor), params=query, json=body)
        except httpx.TransportError as error:
            raise self._away(error) from error
        if response.status_code >= 400:
            raise told(response.content, response.status_code)
        return response.json()

    def _away(self, error: Exception) -> Unavailable:
        return Unavailable(
            "gateway.unreachable",
            f"The platform at {self._url} does not answer: {error}.",
            hint="Check that it runs and that platform.url is right.",
            retry_after=5,
        )

    def _one(
        self, kind: type[W], url: str, actor: Principal, /, *, method: str = "GET", body: Any = None, **params: Any
    ) -> W:
        return kind.model_validate(self._send(method, url, actor, body=body, params=params))

    def _many(self, kind: type[W], url: str, actor: Principal, /, **params: Any) -> list[W]:
        found = self._send("GET", url, actor, params=params)
        return [kind.model_validate(item) for item in (found["items"] if isinstance(found, dict) else found)]

    def _page(self, kind: type[W], path: str, actor: Principal, params: dict[str, Any]) -> Page[W]:
        found = self._send("GET", path, actor, params=params)
        items = tuple(kind.model_validate(item) for item in found["items"])
        return Page(items, found.get("next_cursor"), found.get("total"))


def revealed(secrets: Mapping[str, SecretStr]) -> dict[str, str]:
    """Secrets as JSON: they travel in clear inside the (encrypted) connection, and nowhere else."""
    return {name: value.get_secret_value() for name, value in secrets.items()}


def told(content: bytes, status: int) -> FlagstoneError:
    """The error that the platform answered with, as itself."""
    try:
        body = json.loads(content)
    except ValueError:
        return Permanent(
            "gateway.not_flagstone", f"What platform.url names answered {status}, and not as Flagstone does."
        )
    return from_dict(body if isinstance(body, dict) else {})
