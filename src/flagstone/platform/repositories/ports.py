"""Where the bare repositories lie on disk."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flagstone.kernel.ids import new_id
from flagstone.platform.repositories.model import check_name
from flagstone.toolkit.files import claimed_folder, remove_unclaimed
from flagstone.toolkit.git import GitEnvironment, GitRepository

log = logging.getLogger("flagstone.repositories")


class RepositoryFolders:
    """``<root>/<project>/<name>.git``, with a place for those being made and one for those being thrown away."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.environment = GitEnvironment(root / ".home")

    def open(self, name: str) -> GitRepository:
        """The repository of a name, whether or not it is there."""
        return GitRepository(self._root / f"{check_name(name)}.git", self.environment)

    @contextmanager
    def draft(self) -> Iterator[GitRepository]:
        """A repository that nobody sees yet; :meth:`publish` gives it its name. Without one it is gone afterwards."""
        with claimed_folder(self._root / ".incoming") as folder:
            yield GitRepository(folder / "draft.git", self.environment)

    def publish(self, draft: GitRepository, name: str) -> None:
        """Give a draft its name, in one step. What lies there without a row in the database is put aside."""
        target = self.open(name).path
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists():
            log.warning("a folder without a repository in the database was in the way of %s and was put aside", name)
            self.put_aside(name, keep=True)
        draft.path.rename(target)

    def put_aside(self, name: str, *, keep: bool = False) -> None:
        """Take a repository out of sight at once, then delete its files (unless they are to be kept)."""
        path = self.open(name).path
        shelf = self._root / (".orphaned" if keep else ".trash")
        shelf.mkdir(parents=True, exist_ok=True)
        aside = shelf / f"{name.replace('/', '__')}.{new_id()}"
        try:
            path.rename(aside)
        except FileNotFoundError:
            return
        if not keep:
            shutil.rmtree(aside, ignore_errors=True)

    def sweep(self) -> None:
        """Delete what a killed process left: drafts that nobody works in, repositories that were being thrown away."""
        remove_unclaimed(self._root / ".incoming", "*")
        shutil.rmtree(self._root / ".trash", ignore_errors=True)
