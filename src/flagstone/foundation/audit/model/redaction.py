"""Keeping secrets out of rows: by type, by the name of the key, and by the look of the value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import SecretBytes, SecretStr

from flagstone.kernel.clock import iso

REDACTED = "[redacted]"

_SECRET_KEY = re.compile(
    r"pass(word|wd|phrase)|secret|token|credential|authori[sz]ation|cookie|api[_-]?key|private[_-]?key|signature|\bkey$",
    re.IGNORECASE,
)
_HARMLESS_KEY = re.compile(r"(_|\b)(id|name|ref|count|version|fingerprint|expires(_at)?|scopes)$", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    r"fst_pat_\w+"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|\b(?:Bearer|Basic)\s+[\w.~+/=-]{8,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    re.DOTALL,
)
_MAX_TEXT = 2_000
_MAX_ITEMS = 100
_MAX_DEPTH = 6


def redact(value: Any, *, depth: int = 0) -> Any:
    """A JSON value without secrets, of bounded size. What is not JSON becomes text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping | list | tuple | set | frozenset):
        return _nested(value, depth) if depth < _MAX_DEPTH else "[too deep]"
    if isinstance(value, SecretStr | SecretBytes):
        return REDACTED
    return iso(value) if isinstance(value, datetime) else redact_text(str(value))


def _nested(value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _member(str(key), item, depth) for key, item in list(value.items())[:_MAX_ITEMS]}
    items = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
    return [redact(item, depth=depth + 1) for item in items[:_MAX_ITEMS]]


def redact_text(text: str) -> str:
    """Text without what looks like a credential, cut at 2,000 characters."""
    if len(text) > _MAX_TEXT:
        text = text[:_MAX_TEXT] + "…"
    return _SECRET_VALUE.sub(REDACTED, text).replace("\x00", "")


def _member(key: str, value: Any, depth: int) -> Any:
    if value is not None and _SECRET_KEY.search(key) and not _HARMLESS_KEY.search(key):
        return REDACTED
    return redact(value, depth=depth + 1)
