"""From a valid document to a draft: defaults, annotations, sorted lists, relations in both directions, children."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flagstone.kernel.refs import EntityRef, parse_ref
from flagstone.portal.catalog.model.draft import Draft, digest_of, parts_of
from flagstone.portal.catalog.model.kinds import KindRegistry, Known, value_at
from flagstone.portal.catalog.model.search_rows import rows_without_uid

BY_LOCATION = "backstage.io/managed-by-location"
BY_ORIGIN = "backstage.io/managed-by-origin-location"
VIEW_URL = "backstage.io/view-url"
EDIT_URL = "backstage.io/edit-url"


@dataclass(frozen=True, slots=True)
class FileOrigin:
    """The file that a document stands in."""

    ref: str
    """``type:target`` of the file."""
    origin_ref: str
    """``type:target`` of the location that led to it."""
    path: str
    commit: str | None
    view_url: str | None
    edit_url: str | None


@dataclass(frozen=True, slots=True)
class ChildTarget:
    """What a Location entity points to, as written."""

    type: str | None
    target: str
    presence: str
    path: tuple[str | int, ...]


def ref_of(entity: Any) -> str | None:
    """The ref of a document that may be broken, if it says that much."""
    if not isinstance(entity, Mapping) or not isinstance(entity.get("metadata"), Mapping):
        return None
    kind, metadata = entity.get("kind"), entity["metadata"]
    name, namespace = metadata.get("name"), metadata.get("namespace", "default")
    if not all(isinstance(part, str) and part for part in (kind, name, namespace)):
        return None
    return str(EntityRef(str(kind), str(namespace), str(name)))


def draft_of(
    entity: Mapping[str, Any], kinds: KindRegistry, origin: FileOrigin, *, line: int, source_text: str
) -> Draft:
    """The draft of a document that :func:`validate` found no fault in."""
    data = _copied(entity)
    metadata: dict[str, Any] = data["metadata"]
    metadata.pop("uid", None)
    metadata.pop("etag", None)
    metadata.setdefault("namespace", "default")
    annotations = {BY_LOCATION: origin.ref, BY_ORIGIN: origin.origin_ref}
    if origin.view_url:
        annotations[VIEW_URL] = origin.view_url
    if origin.edit_url:
        annotations[EDIT_URL] = origin.edit_url
    metadata["annotations"] = {**annotations, **(metadata.get("annotations") or {}), **_managed(annotations)}
    known = kinds.find(data["kind"])
    if known is None:
        raise LookupError(f"the kind {data['kind']} was valid a moment ago")
    _sort_reference_lists(data, known)
    ref = str(EntityRef(data["kind"], metadata["namespace"], metadata["name"]))
    relations, owner, system = _relations(data, known, ref)
    head, tail = parts_of(data)
    return Draft(
        ref=ref,
        data=data,
        digest=digest_of(data),
        relations=relations,
        owner=owner,
        system=system,
        source_ref=origin.ref,
        source_path=origin.path,
        source_line=line,
        source_commit=origin.commit,
        view_url=origin.view_url,
        edit_url=origin.edit_url,
        source_text=source_text,
        head=head,
        tail=tail,
        rows=tuple(rows_without_uid(data)),
    )


def _copied(value: Any) -> Any:
    """A deep copy of JSON data, several times faster than the general one."""
    if isinstance(value, Mapping):
        return {key: _copied(part) for key, part in value.items()}
    return [_copied(part) for part in value] if isinstance(value, list) else value


def children_of(entity: Mapping[str, Any]) -> list[ChildTarget]:
    """What a Location entity points to."""
    spec = entity.get("spec") or {}
    type_, presence = spec.get("type"), spec.get("presence", "required")
    found = [ChildTarget(type_, spec["target"], presence, ("spec", "target"))] if spec.get("target") else []
    targets = spec.get("targets") or ()
    return found + [ChildTarget(type_, target, presence, ("spec", "targets", i)) for i, target in enumerate(targets)]


def _managed(annotations: Mapping[str, str]) -> dict[str, str]:
    return {key: annotations[key] for key in (BY_LOCATION, BY_ORIGIN)}


def _sort_reference_lists(data: dict[str, Any], known: Known) -> None:
    for path, field in known.relations:
        parent = value_at(data, path[:-1])
        value = parent.get(path[-1]) if isinstance(parent, dict) else None
        if field.many and isinstance(parent, dict) and isinstance(value, list):
            parent[path[-1]] = sorted(value)


def _relations(data: Mapping[str, Any], known: Known, ref: str) -> tuple[tuple[tuple[str, str, str], ...], str, str]:
    found: dict[tuple[str, str, str], None] = {}
    owner = system = ""
    namespace = data["metadata"]["namespace"]
    for path, field in known.relations:
        value = value_at(data, path)
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, str):
                continue
            target = str(parse_ref(item, default_kind=field.default_kind, default_namespace=namespace))
            found[(ref, field.forward, target)] = None
            found[(target, field.reverse, ref)] = None
            if field.path == "spec.owner":
                owner = target
            elif field.path == "spec.system":
                system = target
    return tuple(found), owner, system
