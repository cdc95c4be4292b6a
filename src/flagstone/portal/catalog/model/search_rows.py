"""Search rows of an entity: every leaf as (key, value), by the rules that catalog filters and facets are defined with.

Relations are not among them: filters on ``relations.…`` are answered from the relations themselves.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from flagstone.portal.catalog.model.draft import Row

MAX_LENGTH = 200
_SKIPPED = frozenset({"attachments", "relations", "status"})
_SKIPPED_METADATA = frozenset({"name", "namespace", "uid", "etag"})


def search_rows(data: Mapping[str, Any], uid: str) -> list[Row]:
    """All rows, without doubles."""
    return [*rows_without_uid(data), uid_row(uid)]


def uid_row(uid: str) -> Row:
    """The row of the uid, which a document does not know yet."""
    return "metadata.uid", uid, None


def rows_without_uid(data: Mapping[str, Any]) -> list[Row]:
    """All rows that the document alone gives."""
    found: dict[Row, None] = {}
    for key, value in data.items():
        if key in _SKIPPED:
            continue
        if key == "metadata" and isinstance(value, Mapping):
            for name, part in value.items():
                if name not in _SKIPPED_METADATA:
                    _walk(f"metadata.{name}", part, found)
        else:
            _walk(key, value, found)
    metadata = data["metadata"]
    _leaf("metadata.name", metadata["name"], found)
    _leaf("metadata.namespace", metadata.get("namespace", "default"), found)
    return list(found)


def _walk(key: str, value: Any, found: dict[Row, None]) -> None:
    if isinstance(value, Mapping):
        if not value:
            _put(key, None, None, found)
        for name, part in value.items():
            _walk(f"{key}.{name}", part, found)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, Mapping):
                _walk(key, item, found)
            elif isinstance(item, list):
                continue
            else:
                _leaf(key, item, found)
                if item is not None:
                    _leaf(f"{key}.{_text(item)}", True, found)
    else:
        _leaf(key, value, found)


def _leaf(key: str, value: Any, found: dict[Row, None]) -> None:
    if value is None:
        _put(key, None, None, found)
        return
    original = _text(value)
    lowered = original.lower()
    _put(key, lowered, None if lowered == original else original, found)


def _put(key: str, value: str | None, original: str | None, found: dict[Row, None]) -> None:
    if len(key) > MAX_LENGTH:
        return
    if value is not None and len(value) > MAX_LENGTH:
        value, original = None, None
    if value is not None and "\0" in value:
        value, original = None, None
    found[(sys.intern(key.lower()), value, original)] = None


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)
