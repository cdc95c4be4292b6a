"""Keeps a log that others append to within bounds, by copying and truncating. Standard library only, for the keeper.

What is cut off goes to ``<log>.<offset>``, where the offset is that of its first byte counted from the beginning of all
time. So a position in the log stays valid over rotations: the current file begins at the offset of the newest cut-off
part plus its size.
"""

# ruff: noqa: PTH108, PTH116, PTH118, PTH123, PTH208
from __future__ import annotations

import os

MAX_BYTES = 5_000_000
"""Size at which a log is cut; as much again is kept of what was cut off."""


def rotate(log: str, limit: int = MAX_BYTES) -> bool:
    """Cut the log if it is larger than the limit. Returns whether it was cut."""
    try:
        size = os.stat(log).st_size
        if size <= limit:
            return False
        older = parts(log)
        start = older[-1][0] + os.stat(older[-1][1]).st_size if older else 0
        kept = min(size, limit)
        with open(log, "r+b") as file:
            file.seek(size - kept)
            data = file.read()
            cut = data.find(b"\n") + 1 if kept < size else 0
            name = f"{log}.{start + size - kept + cut:020d}"
            with open(name, "wb") as target:
                target.write(data[cut:])
            file.truncate(0)
    except OSError:
        return False
    for _, path in older:
        os.unlink(path)
    return True


def parts(log: str) -> list[tuple[int, str]]:
    """(offset, path) of the parts that were cut off, oldest first."""
    folder, name = os.path.split(log)
    found = []
    for entry in os.listdir(folder or "."):
        offset = entry.removeprefix(name + ".")
        if entry != offset and offset.isdigit():
            found.append((int(offset), os.path.join(folder, entry)))
    return sorted(found)
