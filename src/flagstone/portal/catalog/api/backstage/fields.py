"""``fields``: what a reader wants of each entity, by dotted paths."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flagstone.kernel.errors import Invalid

_MISSING = object()


def parse_fields(values: Iterable[str]) -> tuple[str, ...]:
    """Paths from parameters, each a list with commas. Raises Invalid for elements of lists."""
    found = tuple(path.strip() for value in values for path in value.split(",") if path.strip())
    for path in found:
        if "[" in path:
            raise Invalid("catalog.bad_fields", f"invalid field '{path:.100}', array type fields are not supported")
    return found


def project(bodies: Sequence[str], fields: Sequence[str]) -> list[str]:
    """Documents cut down to the fields; as they are when there are none."""
    if not fields:
        return list(bodies)
    paths = [path.split(".") for path in fields]
    return [_one(body, paths) for body in bodies]


def _one(body: str, paths: Sequence[list[str]]) -> str:
    entity, kept = json.loads(body), dict[str, Any]()
    for parts in paths:
        keys, value = _find(entity, parts)
        if value is _MISSING:
            continue
        place = kept
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        if isinstance(place, dict):
            place[keys[-1]] = dict(value) if isinstance(value, dict) else value
    return json.dumps(kept, separators=(",", ":"), ensure_ascii=False)


def _find(value: Any, parts: list[str]) -> tuple[list[str], Any]:
    """The keys of a path: as many parts as it takes make one, because keys may hold dots."""
    if not parts:
        return [], value
    if isinstance(value, Mapping):
        for end in range(1, len(parts) + 1):
            key = ".".join(parts[:end])
            if key in value:
                keys, found = _find(value[key], parts[end:])
                if found is not _MISSING:
                    return [key, *keys], found
    return [], _MISSING
