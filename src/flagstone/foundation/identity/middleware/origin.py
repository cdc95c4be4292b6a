"""Requests that another site made a browser send (CSRF)."""

from __future__ import annotations

import hmac
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, UploadFile
from starlette.requests import Request
from starlette.types import Message, Receive, Scope

from flagstone.kernel.errors import Denied, Invalid

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
HEADER = "x-csrf-token"
FIELDS = ("csrf_token", "_csrf")
_MAX_FORM = 10 * 1024 * 1024
_DEFAULT_PORTS = {"http": 80, "https": 443}


def check_origin(headers: Headers, public_url: str) -> None:
    """Raise Denied when a browser says that another site is behind an unsafe request.

    Another port of the same host counts as another site: that is where workloads live.
    """
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise _denied("identity.cross_site", f"it was sent by a page of another origin (Sec-Fetch-Site: {site[:20]}).")
    if site == "same-origin":
        return  # the browser's own word, which no page can write; it holds even where a proxy changes the host
    origin = headers.get("origin")
    if origin is None:
        return
    allowed = {
        _place(f"http://{headers.get('host', '')}"),
        _place(f"https://{headers.get('host', '')}"),
        _place(public_url),
    }
    place = _place(origin)
    if place is None or place not in allowed:
        shown = "".join(char for char in origin[:200] if char.isprintable())
        raise _denied(
            "identity.wrong_origin",
            f"it comes from {shown!r}, but this server is {headers.get('host', '')[:200]!r}.",
            "Behind a proxy, pass the Host header on, or set server.public_url to the address that people use.",
        )


async def check_token(scope: Scope, receive: Receive, expected: str) -> Receive:
    """Raise Denied unless the request carries the session's CSRF token, in a header or a form field.

    Returns the ``receive`` to go on with: a form that was read here is replayed.
    """
    headers = Headers(scope=scope)
    given = headers.get(HEADER)
    if given is None and headers.get("content-type", "").startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        body = await _read(receive)
        given = await _field(scope, body)
        receive = _replay(body, receive)
    if given is None or not hmac.compare_digest(given.encode(), expected.encode()):
        raise _denied(
            "identity.csrf",
            "its form token is missing or belongs to another session.",
            "Load the page again and repeat. Programs send an API token instead of a cookie.",
        )
    return receive


def _place(url: str) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port else None


async def _field(scope: Scope, body: bytes) -> str | None:
    async with Request(scope, _replay(body, None)).form() as form:
        for name in FIELDS:
            value: Any = form.get(name)
            if value is not None and not isinstance(value, UploadFile):
                return str(value)
    return None


async def _read(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > _MAX_FORM:
            raise Invalid("identity.form_too_large", "The form is larger than 10 MB.", hint="Send less at a time.")
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _replay(body: bytes, after: Receive | None) -> Receive:
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if not sent:
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}
        return await after() if after is not None else {"type": "http.disconnect"}

    return receive


def _denied(code: str, why: str, hint: str | None = None) -> Denied:
    return Denied(code, f"The request was refused: {why}", hint=hint)
