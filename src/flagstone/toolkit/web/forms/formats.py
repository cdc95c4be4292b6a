"""Formats of texts (``format: email``): whether a text is one. A format that nobody knows here fits everything."""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Callable
from datetime import date, datetime, time
from urllib.parse import urlsplit

MAX_FILE = 256_000
"""Bytes of a file that is filled in; it is kept with the answers."""
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?!-)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\Z")
_HOST = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,20}\Z")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_DATA = re.compile(
    r"data:(?:[A-Za-z0-9!#$&^_.+-]{1,80}/[A-Za-z0-9!#$&^_.+-]{1,120})?(?:;[A-Za-z0-9_-]{1,40}=[^;,]{0,300})*;base64,"
)
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}\Z")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}\Z")


def _made(make: Callable[[str], object]) -> Callable[[str], bool]:
    def check(text: str) -> bool:
        try:
            make(text)
        except ValueError:
            return False
        return True

    return check


def _uri(text: str) -> bool:
    if not _SCHEME.match(text) or any(char in ' <>"{}|\\^`' or ord(char) < 33 for char in text):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.netloc) if parts.scheme in ("http", "https", "ftp", "ssh", "git") else bool(parts.path)


def _moment(text: str) -> bool:
    if "T" not in text.upper():
        return False
    try:
        return datetime.fromisoformat(text.upper()).tzinfo is not None
    except ValueError:
        return False


def _time(text: str) -> bool:
    try:
        time.fromisoformat(text.upper())
    except ValueError:
        return False
    return len(text) >= 5


def _data_url(text: str) -> bool:
    found = _DATA.match(text)
    return found is not None and _BASE64.match(text, found.end()) is not None and len(text) <= MAX_FILE * 1.5


_CHECKS: dict[str, Callable[[str], bool]] = {
    "email": lambda text: _EMAIL.match(text) is not None,
    "idn-email": lambda text: 3 <= len(text) <= 320 and "@" in text[1:-1],
    "uri": _uri,
    "url": _uri,
    "iri": _uri,
    "hostname": lambda text: len(text) <= 253 and _HOST.match(text) is not None,
    "ipv4": _made(ipaddress.IPv4Address),
    "ipv6": _made(ipaddress.IPv6Address),
    "uuid": _made(uuid.UUID),
    "date": lambda text: len(text) == 10 and _made(date.fromisoformat)(text),
    "date-time": _moment,
    "time": _time,
    "data-url": _data_url,
    "color": lambda text: _COLOUR.match(text) is not None,
}
KNOWN = frozenset(
    {*_CHECKS, "password", "regex", "json-pointer", "uri-reference", "textarea", "byte", "int32", "int64"}
)
"""Formats that are checked here, or that are about the look only."""


def fits(name: str, text: str) -> bool:
    """Whether a text has a format."""
    check = _CHECKS.get(name)
    return check is None or check(text)


def file_name(text: str) -> str:
    """The name of the file in a data URL; empty for none."""
    found = re.match(r"data:[^,]{0,400};name=([^;,]{1,300})", text)
    return found[1] if found else ""
