"""Which kinds may come from where: ``catalog.rules``, as in Backstage, but one forbidden entity forbids only itself."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """A location: ``type`` and its exact target, or a pattern of it; without either, every location of the type."""

    type: str
    exact: str = ""
    pattern: str = ""

    def matches(self, type_: str, target: str) -> bool:
        """Whether a location is meant."""
        if type_ != self.type:
            return False
        if self.exact:
            return self.exact == target
        return not self.pattern or _pattern(self.pattern.lower()).fullmatch(target.lower()) is not None


@dataclass(frozen=True, slots=True)
class Rule:
    """Kinds, each with a ``spec.type`` or none, and the places that they may come from (none: everywhere)."""

    allow: tuple[tuple[str, str], ...]
    places: tuple[Place, ...] = ()


class Rules:
    """All rules. Without any, everything is allowed; with some, only what one of them allows."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self._rules = tuple(rules)

    def allows(self, entity: Mapping[str, Any], origin_ref: str) -> bool:
        """Whether an entity may come from the location that led to it (``type:target``)."""
        if not self._rules:
            return True
        type_, _, target = origin_ref.partition(":")
        kind = str(entity.get("kind", "")).lower()
        spec = entity.get("spec")
        of = str(spec.get("type", "")).lower() if isinstance(spec, Mapping) else ""
        return any(
            any(name.lower() == kind and wanted.lower() in ("", of) for name, wanted in rule.allow)
            and (not rule.places or any(place.matches(type_, target) for place in rule.places))
            for rule in self._rules
        )


@lru_cache(maxsize=512)
def _pattern(text: str) -> re.Pattern[str]:
    """A glob over paths: ``*`` within a segment, ``**`` over segments, ``?`` one character."""
    parts = re.split(r"(\*\*/?|\*|\?)", text)
    words = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts), re.DOTALL)
