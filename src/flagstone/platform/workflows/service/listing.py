"""Which files a plan would write: the throw-away workspace, looked at after each step."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from flagstone.contracts.plans import PlannedFile
from flagstone.platform.runs import RootFiles
from flagstone.sdk import FileStat
from flagstone.sdk.edits import FileEdit

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
        self._outside: dict[str, tuple[str, FileEdit]] = {}

    def outside(self, step_id: str, edit: FileEdit) -> None:
        """A file outside of the workspace would be changed by this step."""
        self._outside[edit.path] = (step_id, edit)

    def look(self, step_id: str) -> None:
        """Note what this step changed."""
        found: dict[str, _Seen] = {}
        for stat in self._stats():
            digest = _digest(self._files.read_bytes(stat.path))
            known = self._seen.get(stat.path)
            same = known is not None and known.digest == digest and known.executable == stat.executable
            found[stat.path] = known if same and known is not None else _Seen(digest, stat.executable, step_id)
        self._seen = found

    def files(self) -> tuple[PlannedFile, ...]:
        """All files there are now, by path; the contents of texts as far as they fit."""
        left = _MAX_ALL_TEXT
        listed = []
        placed = {
            (_name(path), _digest(edit.after)) for path, (_, edit) in self._outside.items() if edit.after is not None
        }
        for stat in self._stats():
            seen = self._seen.get(stat.path)
            if seen is not None and (_name(stat.path), seen.digest) in placed:
                continue
            text = self._text(stat) if stat.size <= min(left, _MAX_TEXT) else None
            left -= stat.size if text is not None else 0
            step = self._seen[stat.path].step if stat.path in self._seen else ""
            listed.append(PlannedFile(path=stat.path, text=text, size=stat.size, executable=stat.executable, step=step))
        listed += [_edited(step, edit) for step, edit in self._outside.values() if edit.op != "none"]
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
        return _decoded(self._files.read_bytes(stat.path))


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _decoded(data: bytes | None) -> str | None:
    if data is None or b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _edited(step: str, edit: FileEdit) -> PlannedFile:
    short = all(len(data) <= _MAX_TEXT for data in (edit.before, edit.after) if data is not None)
    before, text = (_decoded(data) if short else None for data in (edit.before, edit.after))
    op = "create" if edit.op == "none" else edit.op
    return PlannedFile(path=edit.path, op=op, text=text, before=before, size=len(edit.after or b""), step=step)
