"""Which files a plan would write: the throw-away workspace, looked at after each step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from flagstone.contracts.plans import PlannedFile
from flagstone.platform.runs import RootFiles
from flagstone.sdk import FileStat

_MAX_FILES = 5_000
_MAX_TEXT = 200_000
_MAX_ALL_TEXT = 5_000_000


@dataclass(frozen=True, slots=True)
class _Seen:
    digest: str
    executable: bool
    step: str


class FileListing:
    """Knows for each file the step that wrote it last."""

    def __init__(self, files: RootFiles) -> None:
        self._files = files
        self._seen: dict[str, _Seen] = {}

    def look(self, step_id: str) -> None:
        """Note what this step changed."""
        found: dict[str, _Seen] = {}
        for stat in self._stats():
            digest = hashlib.sha256(self._files.read_bytes(stat.path)).hexdigest()
            known = self._seen.get(stat.path)
            same = known is not None and known.digest == digest and known.executable == stat.executable
            found[stat.path] = known if same and known is not None else _Seen(digest, stat.executable, step_id)
        self._seen = found

    def files(self) -> tuple[PlannedFile, ...]:
        """All files there are now, by path; the contents of texts as far as they fit."""
        left = _MAX_ALL_TEXT
        listed = []
        for stat in self._stats():
            text = self._text(stat) if stat.size <= min(left, _MAX_TEXT) else None
            left -= stat.size if text is not None else 0
            step = self._seen[stat.path].step if stat.path in self._seen else ""
            listed.append(PlannedFile(path=stat.path, text=text, size=stat.size, executable=stat.executable, step=step))
        return tuple(sorted(listed, key=lambda item: item.path))

    def _stats(self) -> list[FileStat]:
        found = []
        for stat in self._files.walk():
            if not stat.is_dir:
                found.append(stat)
            if len(found) >= _MAX_FILES:
                break
        return found

    def _text(self, stat: FileStat) -> str | None:
        data = self._files.read_bytes(stat.path)
        if b"\0" in data:
            return None
        try:
            return data.decode()
        except UnicodeDecodeError:
            return None
