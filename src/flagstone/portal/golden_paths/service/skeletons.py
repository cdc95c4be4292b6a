"""The files beside a template: its version changes with them, too, where they can be listed from here."""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from flagstone.contracts.gateway import RunGateway
from flagstone.kernel.actor import system
from flagstone.kernel.errors import FlagstoneError
from flagstone.portal.golden_paths.model import GoldenPath

_MAX_FILES = 5_000
_MAX_BYTES = 50_000_000
_READER = system("portal")


class Skeletons:
    """Adds a digest of the files that the steps fetch to the version of a template; digests are remembered."""

    def __init__(self, gateway: RunGateway) -> None:
        self._gateway = gateway
        self._known: dict[str, tuple[Hashable, str]] = {}

    def versioned(self, path: GoldenPath) -> GoldenPath:
        """The same golden path with a version that says what its files hold."""
        kind, _, target = path.base.partition(":")
        places = sorted(set(_places(path.steps)))
        if not places or kind not in ("file", "hosted"):
            return path
        try:
            digest = self._local(path.ref, target, places) if kind == "file" else self._hosted(path.ref, target, places)
        except (FlagstoneError, OSError):
            # Better the version of a moment ago than one that says the template has changed.
            digest = self._known[path.ref][1] if path.ref in self._known else ""
        if not digest:
            return path
        return replace(path, version=hashlib.sha256(f"{path.version}\0{digest}".encode()).hexdigest())

    def _local(self, ref: str, target: str, places: list[str]) -> str:
        root = Path(target).parent
        found = sorted({file for place in places for file in _files(root / place)})[:_MAX_FILES]
        stats = {file: file.stat() for file in found}
        seen = tuple((str(file), stat.st_size, stat.st_mtime_ns) for file, stat in stats.items())
        known = self._known.get(ref)
        if known is not None and known[0] == seen:
            return known[1]
        if not found or sum(stat.st_size for stat in stats.values()) > _MAX_BYTES:
            return ""
        total = hashlib.sha256()
        for file, stat in stats.items():
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            name = os.path.relpath(file, root)
            total.update(f"{name}\0{bool(stat.st_mode & 0o100)}\0{content}\n".encode("utf-8", "surrogateescape"))
        self._known[ref] = (seen, total.hexdigest())
        return total.hexdigest()

    def _hosted(self, ref: str, target: str, places: list[str]) -> str:
        project, repository, file = target.split("/", 2)
        name = f"{project}/{repository}"
        head = self._gateway.get_repository(name, _READER).head
        known = self._known.get(ref)
        if known is not None and known[0] == (name, head, tuple(places)):
            return known[1]
        roots = [posixpath.normpath(posixpath.join(posixpath.dirname(file), place)) for place in places]
        total = hashlib.sha256()
        for entry in self._gateway.repository_tree(name, _READER, commit=head):
            inside = any(root in (".", entry.path) or entry.path.startswith(f"{root}/") for root in roots)
            if entry.type == "blob" and entry.path != file and inside:
                total.update(f"{entry.path}\0{entry.executable}\0{entry.object_id}\n".encode())
        self._known[ref] = ((name, head, tuple(places)), total.hexdigest())
        return total.hexdigest()


def _places(steps: tuple[Mapping[str, Any], ...]) -> Iterator[str]:
    """Relative addresses that the steps fetch from; one that is only known in a run stands for the whole folder."""
    for step in steps:
        inputs = step.get("input")
        if not str(step.get("action", "")).startswith("fetch:") or not isinstance(inputs, Mapping):
            continue
        url = inputs.get("url") or inputs.get("templateUrl")
        if not isinstance(url, str) or "://" in url.partition("${{")[0] or url.startswith(("/", "hosted:", "file:")):
            continue
        place = posixpath.normpath(url.partition("${{")[0].rpartition("/")[0] or "." if "${{" in url else url)
        if place.split("/")[0] != "..":
            yield place


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
    for folder, names, files in os.walk(place):
        names[:] = [name for name in names if name not in (".git", "__pycache__")]
        yield from (Path(folder, name) for name in files if not Path(folder, name).is_symlink())
