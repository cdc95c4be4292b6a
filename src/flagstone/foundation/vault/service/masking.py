"""Replacing the values of secrets in text, in every encoding in which a log is likely to show them."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MASK = "[secret]"
_SHORTEST = 4
"""Shorter values are left alone: masking every ``1`` would hide the log and tell the value."""


class Masker:
    """Replaces values and their base64, URL, JSON, HTML and hex forms. Time is linear in the text.

    Also each line of a value with several lines, because logs come line by line.
    """

    def __init__(self, values: Iterable[str]) -> None:
        needles: set[str] = set()
        for value in values:
            for part in {value, value.strip(), *value.splitlines()}:
                if len(part) >= _SHORTEST:
                    needles |= _forms(part)
        # Longest first: a value that contains another one is replaced whole.
        ordered = sorted(
            (needle for needle in needles if len(needle) >= _SHORTEST), key=lambda item: (-len(item), item)
        )
        self._pattern = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def mask(self, text: str) -> str:
        """The text without the values."""
        return self._pattern.sub(MASK, text) if self._pattern is not None else text


def _forms(value: str) -> set[str]:
    raw = value.encode("utf-8", "surrogateescape")
    forms = {
        value,
        quote(value, safe=""),
        quote(value),
        quote_plus(value),
        quote(value, safe="").lower(),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        html.escape(value),
        raw.hex(),
        raw.hex().upper(),
    }
    for offset in range(3):
        # Inside a longer text a value may start at any of three places of a base64 group; the characters that depend on
        # its neighbours are cut off. Whole, it also appears with its padding.
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * offset + raw).decode().rstrip("=")
            start = (offset * 8 + 5) // 6
            end = (offset + len(raw)) * 8 // 6
            core = text[start:end]
            if len(core) >= 2 * _SHORTEST:
                forms.add(core)
    forms.add(base64.b64encode(raw).decode())
    forms.add(base64.urlsafe_b64encode(raw).decode())
    return forms
