"""What is known of one thing below a root."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

Kind = Literal["file", "directory", "link", "other"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder, symbolic link, or something else (pipe, device). ``size`` is bytes, 0 for all but files."""

    path: str
    kind: Kind
    size: int
    executable: bool
    modified: datetime

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


def entry_of(path: str, found: os.stat_result) -> Entry:
    """The entry for what ``lstat`` found."""
    mode = found.st_mode
    kind: Kind = "other"
    if stat.S_ISREG(mode):
        kind = "file"
    elif stat.S_ISDIR(mode):
        kind = "directory"
    elif stat.S_ISLNK(mode):
        kind = "link"
    is_file = kind == "file"
    modified = datetime.fromtimestamp(found.st_mtime, UTC)
    return Entry(path, kind, found.st_size if is_file else 0, is_file and bool(mode & stat.S_IXUSR), modified)
