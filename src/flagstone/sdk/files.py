"""The file API that actions get: rooted in one folder and unable to leave it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class FileStat:
    """A file or folder below a root; ``path`` uses ``/`` and is relative to it."""

    path: str
    is_dir: bool
    size: int
    executable: bool


class Files(Protocol):
    """Files below one root. Links are neither followed nor made; absolute paths and ``..`` are refused.

    Raises Invalid (``files.outside_root``), NotFound (``files.missing``), Unavailable (``files.disk_full``).
    """

    def read_bytes(self, path: str) -> bytes:
        """The content of a file."""

    def read_text(self, path: str) -> str:
        """The content of a UTF-8 file."""

    def write(self, path: str, data: bytes | str, *, executable: bool = False) -> None:
        """Write a file whole, making its folders; a reader sees the old or the new content, never half."""

    def exists(self, path: str) -> bool:
        """Whether there is a file or folder."""

    def stat(self, path: str) -> FileStat:
        """Size, kind and mode."""

    def walk(self, path: str = "") -> Iterator[FileStat]:
        """Everything below a folder, folders before their content, sorted."""

    def glob(self, pattern: str) -> list[FileStat]:
        """Files that match ``*``, ``**`` and ``?``."""

    def mkdir(self, path: str) -> None:
        """Make a folder and its parents."""

    def delete(self, path: str) -> None:
        """Remove a file, or a folder with all it holds; missing is fine."""

    def rename(self, source: str, target: str, *, overwrite: bool = False) -> None:
        """Move a file or folder. Raises Conflict when the target exists and ``overwrite`` is False."""
