"""A client to the REST API: JSON in, JSON out, errors as the server raised them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from flagstone.kernel.errors import FlagstoneError, Permanent, Unauthenticated, Unavailable, from_dict


class Client:
    """Speaks to one server. ``transport`` lets tests and in-process use do without a socket."""

    def __init__(self, url: str, token: str | None, *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        headers = {"Accept": "application/json", "User-Agent": "flagstone-cli"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        timeout = httpx.Timeout(30, connect=5)
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout, transport=transport)

    def get(self, path: str, **params: Any) -> Any:
        """GET; parameters that are None are left out."""
        return self._send("GET", path, params=params)

    def post(self, path: str, body: Any = None, **params: Any) -> Any:
        """POST a JSON body."""
        return self._send("POST", path, body=body, params=params)

    def put(self, path: str, body: Any = None) -> Any:
        """PUT a JSON body."""
        return self._send("PUT", path, body=body)

    def patch(self, path: str, body: Any = None) -> Any:
        """PATCH a JSON body."""
        return self._send("PATCH", path, body=body)

    def delete(self, path: str, **params: Any) -> Any:
        """DELETE."""
        return self._send("DELETE", path, params=params)

    def pages(self, path: str, *, limit: int | None = None, **params: Any) -> Iterator[Any]:
        """All items of a paged list, or the first ``limit``."""
        cursor: str | None = None
        given = 0
        while True:
            body = self.get(path, cursor=cursor, **params)
            for item in body["items"]:
                yield item
                given += 1
                if limit is not None and given >= limit:
                    return
            cursor = body.get("next_cursor")
            if not cursor:
                return

    def stream(self, path: str, *, last_id: str | None = None) -> Iterator[tuple[str, str, Any]]:
        """Server-sent events as (event, id, data). Ends when the server ends the stream."""
        headers = {"Accept": "text/event-stream"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        try:
            with self._http.stream("GET", path, headers=headers, timeout=httpx.Timeout(None, connect=5)) as response:
                if response.status_code >= 400:
                    response.read()
                    raise self._error(response)
                yield from _events(response.iter_lines())
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _send(self, method: str, path: str, *, body: Any = None, params: Mapping[str, Any] | None = None) -> Any:
        query = {key: value for key, value in (params or {}).items() if value is not None}
        try:
            response = self._http.request(method, path, params=query, json=body)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error
        if response.status_code >= 400:
            raise self._error(response)
        return response.json() if response.content else None

    def _unreachable(self, error: httpx.TransportError) -> Unavailable:
        return Unavailable(
            "cli.unreachable",
            f"No Flagstone server answers at {self.url}: {error}.",
            hint="Start one with `flagstone up`, or name another with --url or FLAGSTONE_URL.",
        )

    def _error(self, response: httpx.Response) -> FlagstoneError:
        try:
            body = response.json()
        except ValueError:
            return Permanent(
                "cli.not_flagstone", f"{self.url} answered {response.status_code}, and not as Flagstone does."
            )
        error = from_dict(body if isinstance(body, dict) else {})
        if isinstance(error, Unauthenticated) and "Authorization" not in self._http.headers:
            error.message = f"You are not signed in to {self.url}."
            error.hint = "Run `flagstone login`, or give a token with --token or FLAGSTONE_TOKEN."
        return error


def _events(lines: Iterator[str]) -> Iterator[tuple[str, str, Any]]:
    event, identity = "message", ""
    data: list[str] = []
    for line in lines:
        if not line:
            if data:
                yield event, identity, json.loads("\n".join(data))
            event, data = "message", []
        elif line.startswith("event:"):
            event = line[6:].strip()
        elif line.startswith("id:"):
            identity = line[3:].strip()
        elif line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
