"""Parameters and bodies, checked as strictly and told in the same words as Backstage does."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

from flagstone.kernel.errors import Invalid

_INTEGER = re.compile(r"-?\d{1,15}")
_SHALLOW = 50


class Parameters:
    """The query string of a request. Raises Invalid for unknown and for empty parameters."""

    def __init__(self, query_string: bytes, known: Collection[str]) -> None:
        self._values: dict[str, list[str]] = {}
        if not query_string:
            return
        try:
            pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=2_000)
        except ValueError:
            raise bad("too many query parameters") from None
        for name, value in pairs:
            self._values.setdefault(name.removesuffix("[]"), []).append(value)
        for name, values in self._values.items():
            if name not in known:
                raise bad(f"Unknown query parameter '{name:.100}'")
            if values == [""]:
                raise bad(f"Empty value found for query parameter '{name}'")

    def all(self, name: str) -> tuple[str, ...]:
        """Every value, empty ones left out."""
        return tuple(value for value in self._values.get(name, ()) if value)

    def one(self, name: str, allowed: Sequence[str] = ()) -> str | None:
        """The value, or None."""
        values = self._values.get(name)
        if values is None:
            return None
        if len(values) > 1:
            raise bad(f"request/query/{name} must be string")
        if allowed and values[0] not in allowed:
            raise bad(f"request/query/{name} must be equal to one of the allowed values: {', '.join(allowed)}")
        return values[0]

    def first(self, name: str) -> str | None:
        """The first value, or None."""
        return next(iter(self.all(name)), None)

    def integer(self, name: str) -> int | None:
        """The value as a number of 0 or more, or None."""
        text = self.one(name)
        if text is None:
            return None
        if not _INTEGER.fullmatch(text):
            raise bad(f"request/query/{name} must be integer")
        if int(text) < 0:
            raise bad(f"request/query/{name} must be >= 0")
        return int(text)


class Body:
    """A JSON object that was sent."""

    def __init__(self, content: bytes) -> None:
        try:
            value = json.loads(content.decode("utf-8-sig") or "{}")
            if b"\\u" in content or content.count(b"[") + content.count(b"{") > _SHALLOW:
                # An escape may say half a character, and what is too deep must be told before it is worked with.
                json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise bad("request/body is not valid JSON") from None
        if not isinstance(value, dict):
            raise bad("request/body must be object")
        self.values: Mapping[str, Any] = value

    def text(self, name: str, *, needed: bool = False) -> str | None:
        """A text that is not empty, or None."""
        value = self.values.get(name)
        if value is None and name not in self.values and not needed:
            return None
        if value is None:
            raise bad(f"request/body must have required property '{name}'")
        if not isinstance(value, str):
            raise bad(f"request/body/{name} must be string")
        if not value:
            raise bad(f"request/body/{name} must NOT have fewer than 1 characters")
        return value

    def required(self, name: str) -> str:
        """A text that must be there."""
        return self.text(name, needed=True) or ""

    def texts(self, name: str, *, needed: bool = False) -> tuple[str, ...]:
        """A list of texts."""
        value = self.values.get(name)
        if value is None and not needed:
            return ()
        if value is None:
            raise bad(f"request/body must have required property '{name}'")
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise bad(f"request/body/{name} must be array of strings")
        return tuple(value)

    def integer(self, name: str, least: int = 0) -> int | None:
        """A number, or None."""
        value = self.values.get(name)
        if value is None:
            return None
        if type(value) is not int:
            raise bad(f"request/body/{name} must be integer")
        if value < least:
            raise bad(f"request/body/{name} must be >= {least}")
        return value

    def object(self, name: str) -> dict[str, Any]:
        """An object that must be there."""
        value = self.values.get(name)
        if not isinstance(value, dict):
            raise bad(f"request/body/{name} must be object")
        return value


def bad(message: str) -> Invalid:
    """The error for a question that makes no sense."""
    return Invalid("catalog.bad_request", message)
