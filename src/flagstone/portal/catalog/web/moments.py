"""An entity at other moments: what it was, how two moments differ, and what is left when it is gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flagstone.kernel.errors import FlagstoneError
from flagstone.portal.catalog.model import Change
from flagstone.portal.catalog.service.moments import moment_of
from flagstone.portal.catalog.service.records import RecordService
from flagstone.toolkit.web.diff import diff_lines
from flagstone.toolkit.yaml import dump_yaml


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two moments and what differs."""

    start: str
    end: str
    split: bool
    moments: Sequence[tuple[str, str]]
    lines: Any
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Owning:
    """An ownership that a change brought or took."""

    before: str
    after: str


@dataclass(frozen=True, slots=True)
class RemovedPage:
    """What is known of an entity that is gone."""

    ref: str
    title: str
    removed: Any
    text: str
    may_restore: bool


@dataclass(frozen=True, slots=True)
class MomentPage:
    """An entity as it was."""

    head: Any
    at: datetime
    text: str | None
    change: Change | None
    lines: Any


def compare(records: RecordService, ref: str, start: str, end: str, *, split: bool) -> Comparison | None:
    """Compare two moments of an entity; None when there is only one version."""
    versions = records.versions(ref)
    if len(versions) < 2:
        return None
    moments = [(version.at.isoformat(), _label(version)) for version in versions]
    known = {value for value, _ in moments}
    start = start or moments[1][0]
    end = end or moments[0][0]
    moments += [(value, value) for value in dict.fromkeys((start, end)) if value not in known]
    one, _ = records.at(ref, moment_of(start))
    other, _ = records.at(ref, moment_of(end))
    if one is None or other is None:
        return Comparison(start, end, split, moments, None, "It was not in the catalog at one of these moments.")
    return Comparison(start, end, split, moments, difference(one, other))


def _label(change: Change) -> str:
    word = {"created": "added", "updated": "changed", "deleted": "removed"}[change.change]
    return f"{change.at:%Y-%m-%d %H:%M:%S} {word} by {change.actor_name}"


def owning(change: Change) -> Owning | None:
    """The change of the owner, if a change is one."""
    before, after = (_owner(side) for side in (change.before, change.after))
    return Owning(before, after) if change.change == "updated" and before != after else None


def _owner(entity: Mapping[str, Any] | None) -> str:
    spec = (entity or {}).get("spec")
    return str(spec.get("owner", "")) if isinstance(spec, Mapping) else ""


def difference(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> Any:
    """The lines that differ between two versions, without what the catalog itself adds; None where one is missing."""
    if before is None or after is None:
        return None
    try:
        return diff_lines(plain(before), plain(after))
    except FlagstoneError:
        return None


def plain(entity: Mapping[str, Any]) -> str:
    """An entity as YAML, without what the catalog itself adds."""
    metadata = {key: value for key, value in entity["metadata"].items() if key not in ("uid", "etag")}
    shown = {key: value for key, value in entity.items() if key not in ("relations", "status", "metadata")}
    return dump_yaml({"metadata": metadata, **shown})
