"""Response headers that every answer carries, and the compression of pages and JSON.

Which origin may call and who is signed in is decided elsewhere; this only makes the browser strict.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from functools import lru_cache

import brotli
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flagstone.toolkit.web.assets import accepted_codings

CONTENT_SECURITY_POLICY = "; ".join(  # noqa: FLY002  one directive a line reads better
    (
        "default-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    )
)
_FIXED = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
_PRIVATE = (b"text/html", b"application/json")
_COMPRESSED = ("text/html", "text/plain", "text/markdown", "application/json", "application/problem+json", "text/csv")
MIN_BYTES = 1024
BROTLI_QUALITY = 4
GZIP_LEVEL = 6


class HeadersMiddleware:
    """Both of the below in one, as the application uses them."""

    def __init__(self, app: ASGIApp, *, is_private: Callable[[Scope], bool] | None = None) -> None:
        self._app = SecurityHeaders(Compression(app), is_private=is_private)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        await self._app(scope, receive, send)


class SecurityHeaders:
    """ASGI middleware: a strict policy on every answer, ``no-store`` on private ones. What the app set stays."""

    def __init__(self, app: ASGIApp, *, is_private: Callable[[Scope], bool] | None = None) -> None:
        self._app = app
        self._is_private = is_private or carries_credentials

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and complete the headers of its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                # As bytes: every answer passes here, and objects for its headers would cost more than a short read.
                given = message.get("headers", ())
                known = {name.lower(): value for name, value in given}
                headers = [*given, *(pair for pair in _FIXED if pair[0] not in known)]
                private = known.get(b"content-type", b"").startswith(_PRIVATE) and self._is_private(scope)
                if private and b"cache-control" not in known:
                    headers.append((b"cache-control", b"no-store"))
                message["headers"] = headers
            await send(message)

        await self._app(scope, receive, send_with_headers)


def carries_credentials(scope: Scope) -> bool:
    """Whether a request brought a cookie or an ``Authorization`` header, so that its answer may be personal."""
    return any(name in (b"cookie", b"authorization") for name, _ in scope["headers"])


class Compression:
    """ASGI middleware: brotli or gzip for pages and JSON above 1 KB. Event streams are never touched or held back."""

    def __init__(self, app: ASGIApp, *, min_bytes: int = MIN_BYTES) -> None:
        self._app = app
        self._min_bytes = min_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and compress its answer when the client can read it."""
        coding = _coding(scope) if scope["type"] == "http" and scope["method"] != "HEAD" else None
        if coding is None:
            await self._app(scope, receive, send)
            return
        await self._app(scope, receive, _Compressor(send, coding, self._min_bytes))


def _coding(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"accept-encoding":
            return _best(value)
    return None


@lru_cache(maxsize=64)
def _best(accepted: bytes) -> str | None:
    known = accepted_codings(accepted.decode("latin-1"))
    return next((coding for coding in ("br", "gzip") if coding in known), None)


class _Compressor:
    """The ``send`` of one answer. The start is held until the first part of the body tells whether to compress."""

    def __init__(self, send: Send, coding: str, min_bytes: int) -> None:
        self._send = send
        self._coding = coding
        self._min_bytes = min_bytes
        self._start: Message | None = None
        self._feed: Callable[[bytes], bytes] | None = None
        self._flush: Callable[[], bytes] | None = None
        self._finish: Callable[[], bytes] | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not _compressible(message):
                await self._send(message)
            else:
                self._start = message
            return
        if message["type"] == "http.response.body":
            if self._start is not None:
                await self._begin(message)
            if self._feed is not None:
                message = self._compressed(message)
        await self._send(message)

    async def _begin(self, first: Message) -> None:
        start, self._start = self._start, None
        assert start is not None
        headers = MutableHeaders(scope=start)
        headers.add_vary_header("Accept-Encoding")
        whole = not first.get("more_body", False)
        if not whole or len(first.get("body", b"")) >= self._min_bytes:
            self._feed, self._flush, self._finish = _codec(self._coding)
            headers["Content-Encoding"] = self._coding
            if "content-length" in headers:
                del headers["content-length"]
            etag = headers.get("etag")
            if etag and not etag.startswith("W/"):
                headers["ETag"] = f"W/{etag}"
        await self._send(start)

    def _compressed(self, message: Message) -> Message:
        assert self._feed is not None
        assert self._flush is not None
        assert self._finish is not None
        more = message.get("more_body", False)
        body = self._feed(message.get("body", b"")) + (self._flush() if more else self._finish())
        return {"type": "http.response.body", "body": body, "more_body": more}


def _compressible(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return start["status"] not in (204, 206, 304) and "content-encoding" not in headers and kind in _COMPRESSED


def _codec(coding: str) -> tuple[Callable[[bytes], bytes], Callable[[], bytes], Callable[[], bytes]]:
    if coding == "br":
        writer = brotli.Compressor(quality=BROTLI_QUALITY)
        return writer.process, writer.flush, writer.finish
    deflater = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    return deflater.compress, lambda: deflater.flush(zlib.Z_SYNC_FLUSH), deflater.flush
