"""The files of releases on disk: ``<folder>/<release id>``, made when they are needed, pruned when they are old."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

from flagstone.kernel.errors import Conflict
from flagstone.platform.deployments.model import Release
from flagstone.platform.deployments.ports import SourceFiles
from flagstone.toolkit.files import Root

_LEFT_BEHIND = 600.0
"""Seconds after which a half-made folder has been left behind."""

log = logging.getLogger("flagstone.deployments")


class ReleaseFiles:
    """One folder per release. Whole or absent: what a killed process left half done has another name."""

    def __init__(self, folder: Path, sources: SourceFiles) -> None:
        self._folder = folder
        self._sources = sources
        self._lock = threading.Lock()

    def path(self, release_id: str) -> Path:
        """Where the files of a release are, or would be."""
        return self._folder / release_id

    def ensure(self, release: Release) -> Path:
        """The folder with the files of a release; read from git when it is not there. Raises NotFound, Unavailable."""
        folder = self.path(release.id)
        with self._lock:
            if folder.is_dir():
                return folder
            self._folder.mkdir(parents=True, exist_ok=True)
            try:
                self._sources.materialise(release.repository, release.commit, folder)
            except Conflict:
                # Another process was faster.
                if not folder.is_dir():
                    raise
        return folder

    def reader(self, release: Release) -> Callable[[str], bytes]:
        """Reads files of a release by their path, and nothing else."""
        root = Root(self.ensure(release))
        return lambda path: root.read_bytes(path.removeprefix("./"))

    def remove(self, release_id: str) -> bool:
        """Delete the files of a release; whether there were any."""
        folder = self.path(release_id)
        if not folder.is_dir():
            return False
        aside = folder.with_name(f".{folder.name}.removed")
        shutil.rmtree(aside, ignore_errors=True)
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
        return True

    def prune(self, newest_first: Collection[Release], *, keep: int, in_use: Collection[str]) -> list[str]:
        """Delete the files of releases after the first ``keep``, except of those in use; returns their ids."""
        old = [release.id for release in list(newest_first)[keep:] if release.id not in in_use]
        return [release_id for release_id in old if self.remove(release_id)]

    def sweep(self) -> None:
        """Delete what a killed process left half done; what another process may be making now is left alone."""
        with self._lock:
            for leftover in self._folder.glob(".*"):
                if time.time() - leftover.stat().st_mtime > _LEFT_BEHIND:
                    shutil.rmtree(leftover, ignore_errors=True)
