"""A flat list of files as a tree of folders, for ``ui.file_tree`` (the files that a plan will create)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from flagstone.toolkit.web.diff import DiffLine, diff_lines


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file to show. ``content`` None: it cannot be shown as text, ``note`` says why."""

    path: str
    content: str | None
    change: Literal["added", "changed", "removed"] | None = None
    note: str = ""
    before: str | None = None
    """What it is now: the difference is shown instead of the text."""
    plain: bool = False
    """Shown without colours: there are many files."""

    @property
    def lines(self) -> tuple[DiffLine, ...]:
        """The difference, line by line."""
        return diff_lines(self.before or "", self.content or "")


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A folder (with children) or a file (with its entry and the number of its panel)."""

    name: str
    path: str
    children: tuple[TreeNode, ...] = ()
    entry: FileEntry | None = None
    number: int = 0

    @property
    def is_folder(self) -> bool:
        """Whether this is a folder."""
        return self.entry is None


def file_tree(entries: Iterable[FileEntry]) -> tuple[TreeNode, ...]:
    """The tree, folders first, each level by name. ``number`` is the place of the file in ``entries``."""
    return _level([(entry.path.strip("/").split("/"), entry, number) for number, entry in enumerate(entries)], "")


def _level(items: list[tuple[list[str], FileEntry, int]], prefix: str) -> tuple[TreeNode, ...]:
    folders: dict[str, list[tuple[list[str], FileEntry, int]]] = {}
    files: list[TreeNode] = []
    for parts, entry, number in items:
        if len(parts) == 1:
            files.append(TreeNode(parts[0], prefix + parts[0], entry=entry, number=number))
        else:
            folders.setdefault(parts[0], []).append((parts[1:], entry, number))
    nodes = [
        TreeNode(name, prefix + name, children=_level(inner, f"{prefix}{name}/"))
        for name, inner in sorted(folders.items(), key=lambda item: item[0].lower())
    ]
    return (*nodes, *sorted(files, key=lambda node: node.name.lower()))
