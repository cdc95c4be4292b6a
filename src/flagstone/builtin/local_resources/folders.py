"""Folders that belong to a resource: made, kept aside, deleted; each a single step that can be done again."""

from __future__ import annotations

import shutil
from pathlib import Path

from flagstone.kernel.errors import Unavailable


class OwnFolder:
    """``root/<uid>``, and ``root/kept/<uid>.<generation>`` once it was removed."""

    def __init__(self, root: Path, uid: str, generation: int) -> None:
        self.path = root / uid
        self._kept = root / "kept"
        self._name = f"{uid}.{generation}"

    def make(self) -> bool:
        """Make it unless it is there; whether it was made. Raises Unavailable when it cannot be."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.mkdir(mode=0o700)
        except FileExistsError:
            if not self.path.is_dir():
                raise Unavailable("local_resources.no_folder", f"{self.path} is there and is no folder.") from None
            return False
        except OSError as error:
            raise self._failed("made", error) from error
        return True

    def keep(self) -> str:
        """Move it aside; says where it is then."""
        target = self._kept / self._name
        try:
            if self.path.exists():
                self._kept.mkdir(mode=0o700, exist_ok=True)
                # Taken when an earlier removal was cut off and the resource was asked for again before it went on.
                number = 2
                while target.exists():
                    target, number = self._kept / f"{self._name}.{number}", number + 1
                self.path.rename(target)
        except OSError as error:
            raise self._failed("moved aside", error) from error
        if not target.exists():
            return f"The folder {self.path} was not there any more: there is nothing to keep."
        return f"The folder {self.path} is kept as {target}."

    def delete(self) -> str:
        """Delete it; says so."""
        try:
            if self.path.exists():
                shutil.rmtree(self.path)
        except OSError as error:
            raise self._failed("deleted", error) from error
        return f"The folder {self.path} is deleted with all it held."

    def _failed(self, what: str, error: OSError) -> Unavailable:
        return Unavailable(
            "local_resources.disk",
            f"The folder {self.path} cannot be {what}: {error.strerror or error}.",
            hint="Check that the disk has room and that the folder may be written.",
        )
