"""A valid entity document on its way into the catalog, and the final JSON that it becomes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = tuple[str, str | None, str | None]
"""A search row: key, value, original (None: as the value)."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One entity as its file says, normalised. ``data`` has no uid, etag, relations or status yet."""

    ref: str
    data: Mapping[str, Any]
    digest: str
    relations: tuple[tuple[str, str, str], ...]
    """(source ref, type, target ref), both directions."""
    owner: str
    system: str
    source_ref: str
    source_path: str
    source_line: int
    source_commit: str | None
    view_url: str | None
    edit_url: str | None
    source_text: str


@dataclass(frozen=True, slots=True)
class Status:
    """A problem that the entity itself shows."""

    message: str
    name: str = "InputError"

    def as_item(self) -> dict[str, Any]:
        """An element of ``status.items``."""
        return {
            "type": "backstage.io/catalog-processing",
            "level": "error",
            "message": f"{self.name}: {self.message}",
            "error": {"name": self.name, "message": self.message},
        }


def digest_of(data: Mapping[str, Any]) -> str:
    """A digest of the content; the order of keys does not count."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def final(
    data: Mapping[str, Any], uid: str, relations: Iterable[tuple[str, str]], statuses: Sequence[Status] = ()
) -> tuple[str, str]:
    """(JSON text, etag) of an entity with all that the catalog adds. ``relations``: (type, target ref), sorted here."""
    metadata = {key: value for key, value in data["metadata"].items() if key not in ("uid", "etag")}
    found = [{"type": type_, "targetRef": target} for type_, target in sorted(set(relations))]
    entity: dict[str, Any] = {"apiVersion": data["apiVersion"], "kind": data["kind"], "metadata": metadata}
    if "spec" in data:
        entity["spec"] = data["spec"]
    entity["relations"] = found
    etag = digest_of({**entity, "uid": uid, "statuses": [item.message for item in statuses]})[:40]
    entity["metadata"] = {**metadata, "uid": uid, "etag": etag}
    if statuses:
        entity["status"] = {"items": [item.as_item() for item in statuses]}
    return json.dumps(entity, separators=(",", ":"), ensure_ascii=False), etag


def words_of(data: Mapping[str, Any], owner: str) -> str:
    """What the text filter of a list looks into, lower case."""
    metadata = data["metadata"]
    spec = data.get("spec") or {}
    profile = spec.get("profile") if isinstance(spec.get("profile"), Mapping) else {}
    parts = [
        metadata["name"],
        metadata.get("title", ""),
        metadata.get("description", ""),
        *(metadata.get("tags") or ()),
        str(spec.get("type", "")) if isinstance(spec.get("type"), str) else "",
        owner.partition("/")[2],
        str((profile or {}).get("displayName") or ""),
    ]
    return " ".join(part for part in parts if part).lower()
