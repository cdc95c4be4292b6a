"""One log for all releases of a deployment, written by the workload itself and by the runtime, read by cursor.

A line's sequence number is the position of its end, counted from the beginning of all time. The process host cuts the
file when it grows and puts the first position of what it cut off into the name (``log.<offset>``), so that numbers stay
valid.
"""

from __future__ import annotations

import contextlib
from datetime import datetime
from pathlib import Path

from flagstone.contracts.deployments import LogLine
from flagstone.kernel.clock import iso, utc_now

_MARK = b"\x1e"
"""Begins the runtime's own lines: time, blank, text."""

_READ = 1_000_000
_MAX_LINE = 8_000


class LogFile:
    """The log at a path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def note(self, text: str) -> None:
        """Append a line of the runtime."""
        line = _MARK + f"{iso(utc_now())} {text}".encode().replace(b"\n", b" ") + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab+") as file:
            if file.tell():
                file.seek(-1, 2)
                if file.read(1) != b"\n":
                    line = b"\n" + line  # the workload ended in the middle of a line
            file.write(line)

    def read(self, after: int, limit: int) -> list[LogLine]:
        """Complete lines after a cursor, oldest first; for a negative one, the last lines."""
        for _ in range(3):
            parts = self._parts()
            found = self._tail(parts, limit) if after < 0 else self._from(parts, after, limit)
            if parts == self._parts():
                break  # else it was cut while we read
        return found

    def position(self) -> int:
        """Where the log ends now."""
        start, path = self._parts()[-1]
        return start + _size(path)

    def last(self, count: int = 20, *, since: int = 0) -> tuple[str, ...]:
        """The workload's last lines, as text; only those after a position."""
        lines = [line for line in self.read(-1, 4 * count) if line.stream != "runtime" and line.seq > since]
        return tuple(line.text for line in lines[-count:])

    def _parts(self) -> list[tuple[int, Path]]:
        """(first position, file) of the cut-off parts and the current file, oldest first."""
        found = []
        for path in self.path.parent.glob(f"{self.path.name}.*"):
            offset = path.suffix.removeprefix(".")
            if offset.isdigit():
                found.append((int(offset), path))
        found.sort()
        end = found[-1][0] + _size(found[-1][1]) if found else 0
        return [*found, (end, self.path)]

    def _from(self, parts: list[tuple[int, Path]], after: int, limit: int) -> list[LogLine]:
        found: list[LogLine] = []
        for start, path in parts:
            size = _size(path)
            at = max(after, start)
            if after >= start + size:
                continue
            while at < start + size and len(found) < limit:
                lines, end = _lines(_bytes(path, at - start), at, limit - len(found))
                if end == at:
                    break
                found += lines
                at = end
        return found

    def _tail(self, parts: list[tuple[int, Path]], limit: int) -> list[LogLine]:
        found: list[LogLine] = []
        for start, path in reversed(parts):
            begin = max(0, _size(path) - _READ)
            data = _bytes(path, begin)
            if begin:
                cut = data.find(b"\n") + 1
                data, begin = data[cut:], begin + cut
            lines, _ = _lines(data, start + begin, None)
            found = lines[-(limit - len(found)) :] + found
            if len(found) >= limit or begin:
                break
        return found


def _lines(data: bytes, at: int, limit: int | None) -> tuple[list[LogLine], int]:
    """Complete lines of ``data``, whose first byte is at a position, and the position after the last of them."""
    found: list[LogLine] = []
    begin = 0
    while limit is None or len(found) < limit:
        end = data.find(b"\n", begin)
        if end < 0:
            if begin or len(data) < _READ:
                break
            end = len(data) - 1  # a line longer than we read at once
        found.append(_line(data[begin:end], at + end + 1))
        begin = end + 1
        if begin >= len(data):
            break
    return found, at + begin


def _line(raw: bytes, seq: int) -> LogLine:
    own = raw.startswith(_MARK)
    text = raw[: 4 * _MAX_LINE].decode("utf-8", "replace").rstrip("\r")
    at: datetime | None = None
    if own:
        stamp, _, text = text[1:].partition(" ")
        with contextlib.suppress(ValueError):
            at = datetime.fromisoformat(stamp)
    if len(text) > _MAX_LINE:
        text = text[:_MAX_LINE] + "…"
    return LogLine(seq=seq, at=at, text=text, stream="runtime" if own else "out")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _bytes(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(_READ)
    except OSError:
        return b""
