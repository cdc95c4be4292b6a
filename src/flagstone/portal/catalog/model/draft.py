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
    head: str = ""
    """The final JSON up to the end of the metadata, which stays open: uid and etag come last."""
    tail: str = ""
    """What follows them: the rest of the metadata's braces, and spec."""
    rows: tuple[Row, ...] = ()
    """Search rows, but for the uid."""


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


def parts_of(data: Mapping[str, Any]) -> tuple[str, str]:
    """(head, tail): the final JSON before and after what the catalog adds to the metadata."""
    metadata = {key: value for key, value in data["metadata"].items() if key not in ("uid", "etag")}
    top = {"apiVersion": data["apiVersion"], "kind": data["kind"], "metadata": metadata}
    head = _json(top)[:-2]
    return head, f'}},"spec":{_json(data["spec"])}' if "spec" in data else "}"


def final(
    data: Mapping[str, Any], uid: str, relations: Iterable[tuple[str, str]], statuses: Sequence[Status] = ()
) -> tuple[str, str]:
    """(JSON text, etag) of an entity with all that the catalog adds. ``relations``: (type, target ref), sorted here."""
    return assembled(*parts_of(data), digest_of(data), uid, relations, statuses)


def assembled(
    head: str,
    tail: str,
    digest: str,
    uid: str,
    relations: Iterable[tuple[str, str]],
    statuses: Sequence[Status] = (),
) -> tuple[str, str]:
    """The same from parts."""
    etag, end = _end(digest, uid, relations, statuses)
    return f'{head},"uid":"{uid}","etag":"{etag}"{tail}{end}', etag


def reassembled(
    body: str, etag: str, digest: str, uid: str, relations: Iterable[tuple[str, str]], statuses: Sequence[Status] = ()
) -> tuple[str, str]:
    """(JSON text, etag) with other relations or statuses, from the final JSON that had ``etag``; it is not parsed."""
    new, end = _end(digest, uid, relations, statuses)
    if new == etag:
        return body, etag
    # Nothing behind the last one holds such a key: relations have two keys, and quotes in messages are escaped.
    start = body[: body.rindex(_RELATIONS)]
    old = f',"uid":"{uid}","etag":"{etag}"}}'
    if old not in start:
        raise ValueError(f"the document of {uid} does not hold its own etag")
    return start.replace(old, f',"uid":"{uid}","etag":"{new}"}}', 1) + end, new


_RELATIONS = ',"relations":['


def _end(digest: str, uid: str, relations: Iterable[tuple[str, str]], statuses: Sequence[Status]) -> tuple[str, str]:
    shown = ",".join(
        f'{{"type":{_json(type_)},"targetRef":{_json(target)}}}' for type_, target in sorted(set(relations))
    )
    end = f"{_RELATIONS}{shown}]"
    if statuses:
        end += f',"status":{_json({"items": [item.as_item() for item in statuses]})}'
    end += "}"
    etag = hashlib.sha256(f"{digest}\0{uid}\0{end}".encode("utf-8", "surrogatepass")).hexdigest()[:40]
    return etag, end


_json = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


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
