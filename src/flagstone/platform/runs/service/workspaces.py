"""The folders of runs: files that its steps share, and copies of what it reads."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from flagstone.kernel.errors import Unavailable
from flagstone.platform.runs.service.files import RootFiles
from flagstone.toolkit.files import Root, claimed_folder, remove_unclaimed

_QUOTA = 2_000_000_000
_PLAN_QUOTA = 200_000_000


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folders of one run, or of one plan."""

    files: RootFiles
    scratch: Path
    """Copies of hosted repositories that steps read from."""


class Workspaces:
    """Folders below ``base``, one a run."""

    def __init__(self, base: Path, *, quota: int = _QUOTA) -> None:
        self._base = base
        self._quota = quota

    def open(self, run_id: str) -> Workspace:
        """The workspace of a run, made when it is not there. Raises Unavailable when the disk does not take it."""
        return self._make(self._base / run_id, self._quota)

    def remove(self, run_id: str) -> None:
        """Delete it with all it holds."""
        shutil.rmtree(self._base / run_id, ignore_errors=True)

    @contextmanager
    def throw_away(self) -> Iterator[Workspace]:
        """A workspace for planning, gone afterwards."""
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(claimed_folder(self._base, prefix=".plan-"))
            except OSError as error:
                raise _no_folder(self._base, error) from error
            yield self._make(folder, min(self._quota, _PLAN_QUOTA))

    def sweep(self) -> None:
        """Remove what plans of a killed process left behind, not those being made now."""
        remove_unclaimed(self._base, ".plan-*")

    @staticmethod
    def _make(folder: Path, quota: int) -> Workspace:
        files, scratch = folder / "files", folder / "sources"
        try:
            files.mkdir(parents=True, exist_ok=True)
            scratch.mkdir(exist_ok=True)
        except OSError as error:
            raise _no_folder(folder, error) from error
        return Workspace(RootFiles(Root(files, quota=quota, quota_setting="runs.workspace_bytes")), scratch)


def _no_folder(folder: Path, error: OSError) -> Unavailable:
    return Unavailable(
        "runs.no_workspace",
        f"The working folder {folder} cannot be made: {error.strerror}.",
        hint="Free space on the disk of the data folder, or mend its owner and mode; then retry the run.",
    )
