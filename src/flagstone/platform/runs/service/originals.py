"""Files as they were when a step began, so that a step that was killed half way starts from the same again."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from flagstone.kernel.errors import Unavailable
from flagstone.sdk import Files
from flagstone.toolkit.files import Root

_FOLDER = "originals"
_LARGEST = 100_000_000


class Originals:
    """Copies of one step, below the scratch folder of its run. Steps follow one another: earlier copies are dropped."""

    def __init__(self, scratch: Path, step_key: str) -> None:
        self._base = scratch / _FOLDER
        self._folder = hashlib.sha256(step_key.encode()).hexdigest()[:32]

    def get(self, workspace: Files, path: str) -> bytes | None:
        """The content when it was first asked for, None when there was no file. Raises Unavailable for a full disk."""
        name = hashlib.sha256(path.encode()).hexdigest()[:32]
        try:
            self._base.mkdir(parents=True, exist_ok=True)
            for other in self._base.iterdir():
                if other.name != self._folder:
                    shutil.rmtree(other, ignore_errors=True)
        except OSError as error:
            raise Unavailable("runs.no_workspace", f"{self._base} cannot be written: {error.strerror}.") from error
        kept = Root(self._base)
        stored, absent = f"{self._folder}/{name}", f"{self._folder}/{name}.absent"
        if kept.exists(stored):
            return kept.read_bytes(stored, max_bytes=_LARGEST)
        if kept.exists(absent):
            return None
        if not workspace.exists(path):
            kept.write(absent, b"")
            return None
        content = workspace.read_bytes(path)
        kept.write(stored, content)
        return content
