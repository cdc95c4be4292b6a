"""Heads of HTTP/1.x requests and responses: read strictly, changed as a proxy must, written again.

Whatever could be understood in two ways (two lengths, folded lines, blanks before a colon) is refused.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass

MAX_HEAD = 64 * 1024

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REQUEST = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\x00-\x20\x7f]+) HTTP/1\.([01])")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([^\x00\r\n]*))?")
_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"upgrade",
    }
)
_OWN_COOKIE = re.compile(rb"\s*(?:__Host-|__Secure-)?flagstone_[^=;]*=", re.IGNORECASE)
"""Cookies of the portal: host names are shared by all ports, so a browser sends them here, too."""

Headers = list[tuple[bytes, bytes]]


class BadHead(Exception):
    """The head cannot be understood; ``status`` is what to answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Body:
    """How long a body is: a number of bytes, in chunks, or until the end of the connection."""

    length: int = 0
    chunked: bool = False
    until_end: bool = False

    @property
    def empty(self) -> bool:
        """Whether there is none."""
        return not (self.length or self.chunked or self.until_end)


@dataclass(frozen=True, slots=True)
class Head:
    """The first line in three parts, and the headers as they came."""

    first: tuple[bytes, bytes, bytes]
    headers: Headers
    minor: int

    def values(self, name: bytes) -> list[bytes]:
        """All values of a header; the name in lower case."""
        return [value for key, value in self.headers if key.lower() == name]

    def tokens(self, name: bytes) -> set[bytes]:
        """The comma-separated words of a header, in lower case."""
        return {word.strip().lower() for value in self.values(name) for word in value.split(b",") if word.strip()}

    @property
    def keep_alive(self) -> bool:
        """Whether the sender will go on using the connection."""
        words = self.tokens(b"connection")
        return b"close" not in words and (self.minor == 1 or b"keep-alive" in words)


async def read_head(reader: asyncio.StreamReader) -> bytes | None:
    """The bytes of a head without its empty line; None when the connection ends before it begins."""
    try:
        data = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip(b"\r\n"):
            raise BadHead(400, "the connection ended in the middle of a head") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise BadHead(431, "the head is too large") from error
    return data[:-4].lstrip(b"\r\n")


def parse_request(data: bytes) -> Head:
    """A request: (method, target, version)."""
    line, _, rest = data.partition(b"\r\n")
    found = _REQUEST.fullmatch(line)
    if found is None:
        raise BadHead(400, "the request line is not HTTP/1.1")
    head = Head((found[1], found[2], b"HTTP/1.1"), _headers(rest), int(found[3]))
    if head.minor == 1 and len(head.values(b"host")) != 1:
        raise BadHead(400, "exactly one Host is needed")
    return head


def parse_response(data: bytes) -> Head:
    """A response: (version, status, reason)."""
    line, _, rest = data.partition(b"\r\n")
    found = _STATUS.fullmatch(line)
    if found is None:
        raise BadHead(502, "the status line is not HTTP/1.1")
    return Head((b"HTTP/1.1", found[2], found[3] or b""), _headers(rest), int(found[1]))


def _headers(data: bytes) -> Headers:
    found: Headers = []
    for line in data.split(b"\r\n") if data else ():
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.fullmatch(name) or b"\n" in value or b"\r" in value or b"\0" in value:
            raise BadHead(400, "a header line is malformed")
        found.append((name, value.strip(b" \t")))
    return found


def request_body(head: Head) -> Body:
    """The framing of a request's body. Raises BadHead where two readers could differ."""
    return _framing(head) or Body()


def response_body(head: Head, method: bytes) -> Body:
    """The framing of a response's body."""
    status = int(head.first[1])
    if method == b"HEAD" or status in (204, 304) or status < 200:
        return Body()
    return _framing(head) or Body(until_end=True)


def _framing(head: Head) -> Body | None:
    lengths, coding = set(head.values(b"content-length")), head.values(b"transfer-encoding")
    if coding:
        if lengths or len(coding) != 1 or coding[0].lower() != b"chunked":
            raise BadHead(400, "the length of the body is ambiguous")
        return Body(chunked=True)
    if not lengths:
        return None
    text = lengths.pop()
    if lengths or not text.isdigit() or len(text) > 18:
        raise BadHead(400, "the length of the body is ambiguous")
    return Body(length=int(text))


def to_instance(head: Head, peer: str, *, upgrade: bool) -> bytes:
    """The request as the workload sees it: no cookie of the portal, and where it came from."""
    dropped = _HOP_BY_HOP | (head.tokens(b"connection") - {b"host"}) | {b"forwarded", b"expect"}
    headers: Headers = []
    host = b""
    for name, value in head.headers:
        low = name.lower()
        if low in dropped or low.startswith(b"x-forwarded-"):
            continue
        host = value if low == b"host" else host
        kept = _without_own_cookies(value) if low == b"cookie" else value
        if kept or low != b"cookie":
            headers.append((name, kept))
    headers += [(b"X-Forwarded-For", peer.encode()), (b"X-Forwarded-Host", host), (b"X-Forwarded-Proto", b"http")]
    if upgrade:
        headers += [(b"Connection", b"Upgrade"), *((b"Upgrade", value) for value in head.values(b"upgrade"))]
    else:
        headers.append((b"Connection", b"close"))
    return _write(head.first, headers)


def to_client(head: Head, *, keep_alive: bool, upgrade: bool = False, unpack: bool = False) -> bytes:
    """The response as the client sees it. A workload cannot set a cookie of the portal either.

    ``unpack``: the body will be sent without its chunks.
    """
    dropped = _HOP_BY_HOP | head.tokens(b"connection") | ({b"transfer-encoding"} if unpack else set())
    headers = [
        (name, value)
        for name, value in head.headers
        if name.lower() not in dropped and not (name.lower() == b"set-cookie" and _OWN_COOKIE.match(value))
    ]
    if upgrade:
        headers += [(b"Connection", b"Upgrade"), *((b"Upgrade", value) for value in head.values(b"upgrade"))]
    else:
        headers.append((b"Connection", b"keep-alive" if keep_alive else b"close"))
    return _write(head.first, headers)


def _without_own_cookies(value: bytes) -> bytes:
    return b";".join(part for part in value.split(b";") if not _OWN_COOKIE.match(part)).strip()


def _write(first: tuple[bytes, bytes, bytes], headers: Headers) -> bytes:
    lines = [b" ".join(first), *(name + b": " + value for name, value in headers)]
    return b"\r\n".join(lines) + b"\r\n\r\n"
