"""Where an entity comes from, as far as actions need it: a repository of the built-in hosting, or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ORIGIN = "backstage.io/managed-by-origin-location"
_LOCATION = "backstage.io/managed-by-location"


@dataclass(frozen=True, slots=True)
class Origin:
    """A place in the built-in hosting: ``repository`` is ``project/name``, ``target`` is ``project/name/path``."""

    repository: str
    path: str
    target: str

    @property
    def href(self) -> str:
        """The repository's page."""
        return f"/repositories/{self.repository}"


def origin_of(entity: Mapping[str, Any]) -> Origin | None:
    """The origin of an entity (as the API returns it), None when it is not in the built-in hosting."""
    annotations = entity.get("metadata", {}).get("annotations") or {}
    for key in (_ORIGIN, _LOCATION):
        text = annotations.get(key)
        kind, _, target = text.partition(":") if isinstance(text, str) else ("", "", "")
        parts = target.split("/")
        if kind == "hosted" and len(parts) >= 3 and all(parts[:2]):
            return Origin("/".join(parts[:2]), "/".join(parts[2:]), target)
    return None
