"""The data folder: one server at a time, and what a start remembers for the next."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import IO, Any

from flagstone.kernel.errors import Conflict, Invalid


class DataFolder:
    """Opened by the server, locked as long as it lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise Invalid(
                "up.no_data_folder",
                f"The data folder {path} cannot be made: {error.strerror}.",
                hint="Name another with --data DIR.",
            ) from error

    def lock(self) -> None:
        """Raises Conflict while another server uses the folder, naming its process."""
        handle = (self.path / "server.lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.seek(0)
            holder = handle.read().strip() or "unknown"
            handle.close()
            raise Conflict(
                "up.folder_in_use",
                f"Another Flagstone server (process {holder}) already uses the data folder {self.path}.",
                hint="Stop it first, or name another folder with --data DIR.",
            ) from None
        handle.seek(0)
        handle.truncate()
        handle.write(str(os.getpid()))
        handle.flush()
        self._lock = handle

    @property
    def _state(self) -> Path:
        return self.path / "state.json"

    def recall(self) -> dict[str, Any]:
        """What an earlier start remembered; empty for a new folder."""
        try:
            body = json.loads(self._state.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise Invalid(
                "up.broken_state", f"{self._state} is broken: {error}.", hint="Delete it and start again."
            ) from error
        return body if isinstance(body, dict) else {}

    def remember(self, **values: Any) -> None:
        """Add to what the next start recalls."""
        body = {**self.recall(), **values}
        beside = self._state.with_suffix(".new")
        beside.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
        beside.replace(self._state)
