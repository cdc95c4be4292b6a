"""The one outgoing fetcher."""

from __future__ import annotations

import ssl
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import httpcore
import httpx

from flagstone.kernel.errors import Denied, FlagstoneError, Invalid, Unavailable
from flagstone.toolkit.http.addresses import (
    DEFAULT_PORTS,
    Address,
    AllowedHost,
    looks_numeric,
    may_connect,
    normal_host,
)
from flagstone.toolkit.http.network import DEADLINE, CheckedBackend, remaining, resolve

MAX_BYTES = 10_000_000
TIMEOUT = 15.0
MAX_REDIRECTS = 5
_MAX_URL = 4_096
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEPT_ON_OTHER_HOST = frozenset({"accept", "accept-language", "user-agent"})
_OURS = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "if-none-match"})
_ACCEPT = {
    "any": "*/*",
    "html": "text/html",
    "json": "application/json, application/*+json",
    "text": "text/plain, text/*;q=0.9",
    "yaml": "application/yaml, text/yaml, text/plain;q=0.9",
}
Kind = Literal["any", "html", "json", "text", "yaml"]


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer. ``headers`` have lower-case names; ``url`` is where it came from after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    etag: str | None
    not_modified: bool
    url: str


@dataclass(frozen=True, slots=True)
class _Target:
    url: httpx.URL
    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


class Fetcher:
    """Fetches over HTTP from allowed hosts only. Thread-safe; keeps connections open for a few seconds.

    ``setting`` is the name of the setting that holds the allow-list, for messages. ``ssl_context`` replaces the usual
    trust in public certificate authorities.
    """

    def __init__(
        self,
        allow: Sequence[AllowedHost],
        *,
        setting: str = "http.allow",
        ssl_context: ssl.SSLContext | None = None,
        user_agent: str = "flagstone",
    ) -> None:
        self._allow = tuple(allow)
        self._setting = setting
        self._user_agent = user_agent
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl_context,
            max_connections=50,
            max_keepalive_connections=10,
            keepalive_expiry=5,
            network_backend=CheckedBackend(self._check_addresses),
        )

    def close(self) -> None:
        """Close the connections that are kept."""
        self._pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        etag: str | None = None,
        max_bytes: int = MAX_BYTES,
        timeout: float = TIMEOUT,
        accept_kinds: Sequence[Kind] = ("any",),
    ) -> Fetched:
        """Fetch a URL; any status is an answer, and 304 to the given ``etag`` is ``not_modified``.

        ``timeout`` is seconds for everything together, redirects included; ``max_bytes`` is the body, unpacked.
        Redirects are followed for GET and HEAD; what identifies the caller is not sent on to another host.
        Raises Denied ``http.not_allowed``; Unavailable ``http.unreachable``, ``http.timeout``; Invalid
        ``http.bad_url``, ``http.too_large``, ``http.too_many_redirects``, ``http.unexpected_html``,
        ``http.bad_answer``.
        """
        target = self._target(url)
        if target.scheme == "ssh":
            raise Invalid("http.bad_url", f"{url[:200]!r} is not a URL with http or https and a host.")
        sent = self._headers(headers or {}, etag, accept_kinds)
        token = DEADLINE.set(time.monotonic() + timeout)
        try:
            for _ in range(MAX_REDIRECTS + 1):
                answer, location = self._once(method, target, sent, content, max_bytes)
                if location is None or method not in ("GET", "HEAD"):
                    return _accepted(answer, accept_kinds)
                target, sent = self._redirected(target, location, sent)
        except httpcore.TimeoutException as error:
            raise self._timed_out(target, timeout) from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError, OSError) as error:
            raise _unreachable(target, error) from error
        finally:
            DEADLINE.reset(token)
        raise Invalid("http.too_many_redirects", f"{url} was redirected more than {MAX_REDIRECTS} times.")

    def addresses(self, url: str, *, timeout: float = TIMEOUT) -> list[str]:
        """Where a program of ours may connect to for this URL (http, https or ssh), checked as for :meth:`fetch`.

        Raises Denied ``http.not_allowed``, Unavailable ``http.unreachable`` or ``http.timeout``, Invalid
        ``http.bad_url``.
        """
        target = self._target(url)
        token = DEADLINE.set(time.monotonic() + timeout)
        try:
            found = self._check_addresses(target.host, target.port, resolve(target.host, target.port))
        except httpcore.TimeoutException as error:
            raise self._timed_out(target, timeout) from error
        except (httpcore.NetworkError, OSError) as error:
            raise _unreachable(target, error) from error
        finally:
            DEADLINE.reset(token)
        if not found:
            raise Unavailable("http.unreachable", f"The name {target.host} has no address.")
        return [str(address) for address in found]

    def check(self, url: str) -> None:
        """Whether a URL is one that may be fetched, before its name is resolved. Raises as :meth:`fetch`."""
        self._target(url)

    def _headers(self, given: Mapping[str, str], etag: str | None, kinds: Sequence[Kind]) -> dict[str, str]:
        chosen = {name.lower(): value for name, value in given.items() if name.lower() not in _OURS}
        if any(not value.isprintable() or not value.isascii() for value in (*chosen.values(), etag or "")):
            raise Invalid("http.bad_url", "A header holds characters that headers can not have.")
        defaults = {
            "user-agent": self._user_agent,
            "accept": ", ".join([_ACCEPT[kind] for kind in kinds] + ([] if "any" in kinds else ["*/*;q=0.1"])),
            "accept-encoding": "gzip",
        }
        condition = {"if-none-match": etag} if etag else {}
        return defaults | chosen | condition

    def _target(self, url: str) -> _Target:
        """Check everything that can be known before the name is resolved."""
        shown = f"{url[:200]!r}"
        if len(url) > _MAX_URL or any(ord(char) <= 32 or ord(char) == 127 or char == "\\" for char in url):
            raise Invalid("http.bad_url", f"{shown} is not a URL.", hint="Remove spaces and control characters.")
        try:
            parsed = httpx.URL(url)
            host = normal_host(parsed.raw_host.decode("ascii"))
        except (httpx.InvalidURL, ValueError) as error:
            raise Invalid("http.bad_url", f"{shown} is not a URL: {error}.") from error
        if parsed.scheme not in DEFAULT_PORTS or not host:
            raise Invalid("http.bad_url", f"{shown} is not a URL with http, https or ssh and a host.")
        if "@" in url.partition("://")[2].partition("/")[0] or parsed.userinfo:
            raise Invalid("http.bad_url", f"A URL of {host} holds a user name.", hint="Give credentials as a header.")
        if "%" in host or (looks_numeric(host) and ":" not in host and not _is_dotted(host)):
            raise Invalid("http.bad_url", f"The host {host!r} is not written as a name or a plain address.")
        target = _Target(parsed, parsed.scheme, host, parsed.port or DEFAULT_PORTS[parsed.scheme])
        if not self._rules(target):
            raise Denied(
                "http.not_allowed",
                f"{target.scheme}://{_authority(target)} is not among the hosts that may be asked.",
                hint=f"An administrator can add {_authority(target)!r} to the setting {self._setting}.",
            )
        return target

    def _rules(self, target: _Target) -> list[AllowedHost]:
        path = target.url.raw_path.decode("ascii", "replace")
        return [rule for rule in self._allow if rule.allows(*target.origin, path)]

    def _check_addresses(self, host: str, port: int, found: list[Address]) -> list[Address]:
        name = normal_host(host)
        rules = [
            rule
            for rule in self._allow
            if any(rule.allows(scheme, name, port, rule.path_prefix) for scheme in rule.schemes)
        ]
        permitted = [address for address in found if may_connect(address, name, rules)]
        if found and not permitted:
            raise Denied(
                "http.not_allowed",
                f"The host {host} has the internal address {found[0]}, which is not asked.",
                hint=f"An administrator who means this can name {host}:{port} itself in {self._setting}.",
            )
        return permitted

    def _once(
        self, method: str, target: _Target, headers: Mapping[str, str], content: bytes | None, max_bytes: int
    ) -> tuple[Fetched, str | None]:
        request = httpcore.Request(
            method,
            httpcore.URL(
                scheme=target.scheme.encode(),
                host=target.host.encode(),
                port=target.port,
                target=target.url.raw_path,
            ),
            headers=[(b"host", _authority(target).encode()), *((k.encode(), v.encode()) for k, v in headers.items())]
            + ([(b"content-length", str(len(content)).encode())] if content is not None else []),
            content=content,
            extensions={"timeout": {"pool": remaining()}},
        )
        response = self._pool.handle_request(request)
        try:
            names = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            location = names.get("location") if response.status in _REDIRECTS else None
            chunks: Iterable[bytes] = response.iter_stream()
            body = b"" if location and method == "GET" else _read(target, chunks, names, max_bytes)
        finally:
            response.close()
        not_modified = response.status == 304 and "if-none-match" in headers
        return Fetched(response.status, names, body, names.get("etag"), not_modified, str(target.url)), location

    def _redirected(self, source: _Target, location: str, headers: dict[str, str]) -> tuple[_Target, dict[str, str]]:
        try:
            url = str(source.url.join(location).copy_with(fragment=None))
        except (httpx.InvalidURL, ValueError) as error:
            raise Invalid("http.bad_answer", f"{source.host} redirects to something that is not a URL.") from error
        target = self._target(url)
        if source.scheme == "https" and target.scheme == "http":
            raise Denied("http.not_allowed", f"{source.host} redirects from https to http on {target.host}.")
        if target.origin != source.origin:
            kept = {name: value for name, value in headers.items() if name in _KEPT_ON_OTHER_HOST}
            return target, kept | {"accept-encoding": "gzip"}
        return target, headers

    @staticmethod
    def _timed_out(target: _Target, timeout: float) -> FlagstoneError:
        return Unavailable(
            "http.timeout",
            f"{target.host} did not answer in full within {timeout:g} seconds.",
            hint="Try again later, or check the network between this server and that host.",
        )


def _is_dotted(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and all(
        part.isascii() and part.isdigit() and int(part[:4]) < 256 and str(int(part[:4])) == part for part in parts
    )


def _authority(target: _Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return host if target.port == DEFAULT_PORTS[target.scheme] else f"{host}:{target.port}"


def _unreachable(target: _Target, error: Exception) -> Unavailable:
    return Unavailable(
        "http.unreachable",
        f"{target.scheme}://{_authority(target)} can not be reached: {str(error) or type(error).__name__}.",
        hint="Check that the address is right and that this server may reach it.",
    )


def _read(target: _Target, chunks: Iterable[bytes], headers: Mapping[str, str], max_bytes: int) -> bytes:
    too_large = Invalid(
        "http.too_large",
        f"The answer of {target.host} is larger than {max_bytes} bytes.",
        hint="Ask for a smaller file, or raise the limit for this source.",
    )
    length = headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:18]) > max_bytes:
        raise too_large
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "", "gzip", "x-gzip"):
        raise Invalid("http.bad_answer", f"The answer of {target.host} is packed in an unknown way: {coding[:40]!r}.")
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16) if coding in ("gzip", "x-gzip") else None
    body = bytearray()
    for chunk in chunks:
        remaining()
        try:
            body += unpacker.decompress(chunk, max_bytes + 1 - len(body)) if unpacker else chunk
        except zlib.error as error:
            raise Invalid("http.bad_answer", f"The answer of {target.host} is damaged.") from error
        if len(body) > max_bytes:
            raise too_large
    if unpacker and body and not unpacker.eof:
        raise Invalid("http.bad_answer", f"The answer of {target.host} ends too early.")
    return bytes(body)


def _accepted(answer: Fetched, kinds: Sequence[Kind]) -> Fetched:
    """Refuse a web page where data was asked for: usually a sign-in page, or the page around a file."""
    if "html" in kinds or "any" in kinds or not 200 <= answer.status < 300:
        return answer
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    start = answer.body[:200].lstrip().lower()
    if kind in ("text/html", "application/xhtml+xml") or start.startswith((b"<!doctype html", b"<html")):
        raise Invalid(
            "http.unexpected_html",
            f"{answer.url} is a web page, not {' or '.join(kinds)}.",
            hint="Give the address of the file itself (its raw form); a page for signing in needs credentials.",
        )
    return answer
