"""What a template gave, what people made of it and what it gives now: merged file by file, from lists of blobs.

Only what both changed has to be read; everything else is decided by the names that git gives to contents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flagstone.builtin.github.workspace import blob_id

Blobs = Mapping[str, tuple[str, str]]
"""(id of the blob, mode) by path."""
Contents = Mapping[str, tuple[bytes, bool]]
"""Content and executable bit by path."""
MergeFile = Callable[[bytes, bytes, bytes], tuple[bytes, bool]]
"""(before, ours, theirs) to the merged text and whether somebody has to decide."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What has to change in the repository. None: the file goes. ``conflicts`` are for people to decide."""

    changes: dict[str, tuple[bytes, bool] | None] = field(default_factory=dict)
    conflicts: tuple[str, ...] = ()


def mode_of(executable: bool) -> str:
    """As git writes it."""
    return "100755" if executable else "100644"


def rendered_changes(base: Blobs, now: Contents) -> dict[str, tuple[bytes, bool] | None]:
    """What the template gives otherwise than before."""
    found: dict[str, tuple[bytes, bool] | None] = {}
    for path in sorted(base.keys() | now.keys()):
        content = now.get(path)
        if _named(content) != base.get(path):
            found[path] = content
    return found


def merge(base: Blobs, ours: Blobs, now: Contents, read: Callable[[str], bytes], merge_file: MergeFile) -> Merged:
    """``base`` is what the template gave last, ``ours`` the branch, ``now`` what the template gives."""
    changes: dict[str, tuple[bytes, bool] | None] = {}
    conflicts: list[str] = []
    for path, content in rendered_changes(base, now).items():
        before, here = base.get(path), ours.get(path)
        if here == _named(content):
            continue
        if here == before:
            changes[path] = content
        elif here is None or content is None:
            conflicts.append(path)
            if content is not None:
                changes[path] = content
        else:
            merged, decided = _both(before, here, content, read, merge_file)
            if _named(merged) != here:
                changes[path] = merged
            if not decided:
                conflicts.append(path)
    return Merged(changes, tuple(conflicts))


def _both(
    before: tuple[str, str] | None,
    here: tuple[str, str],
    content: tuple[bytes, bool],
    read: Callable[[str], bytes],
    merge_file: MergeFile,
) -> tuple[tuple[bytes, bool], bool]:
    """A file that both changed. What is no text stays as it is here, for people to decide."""
    executable = here[1] == "100755"
    if before is not None and before[1] == here[1]:
        executable = content[1]
    data = content[0]
    if before is not None and before[0] == here[0]:
        return (data, executable), True
    mine = read(here[0])
    if data == mine or (before is not None and blob_id(data) == before[0]):
        return (mine, executable), True
    old = read(before[0]) if before else b""
    if b"\0" in old + mine + data:
        return (mine, executable), False
    merged, conflicted = merge_file(old, mine, data)
    return (merged, executable), not conflicted


def _named(content: tuple[bytes, bool] | None) -> tuple[str, str] | None:
    return None if content is None else (blob_id(content[0]), mode_of(content[1]))
