"""Where the files of a release come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flagstone.kernel.actor import system
from flagstone.kernel.errors import NotFound
from flagstone.platform.repositories import RepositoryService

_SELF = system("deployments")


@dataclass(frozen=True, slots=True)
class SourceCommit:
    """A commit of a repository, and what the platform knows of the repository."""

    id: str
    message: str = ""
    """Its first line, as far as it is known."""
    owner: str | None = None
    """Owner ref of the repository."""


class SourceFiles(Protocol):
    """Reads repositories. Every method raises NotFound when the repository or the commit is not there."""

    def resolve(self, repository: str, commit: str | None) -> SourceCommit:
        """A commit by id; None is the head of the default branch."""

    def read(self, repository: str, commit: str, path: str) -> bytes | None:
        """One file of a commit; None when it has no such file."""

    def materialise(self, repository: str, commit: str, folder: Path) -> None:
        """Write every file of a commit into a folder that is not there yet; it appears whole or not at all."""


class HostedSources:
    """The repositories of the built-in git hosting."""

    def __init__(self, repositories: RepositoryService) -> None:
        self._repositories = repositories

    def resolve(self, repository: str, commit: str | None) -> SourceCommit:
        """See :class:`SourceFiles`."""
        head = self._repositories.head(repository)
        wanted = commit or head
        if wanted is None:
            raise NotFound(
                "deployments.empty_repository",
                f"The repository {repository} has no commit yet.",
                hint="Push one first.",
            )
        newest = self._repositories.commits(repository, _SELF, limit=100)
        message = next((item.subject for item in newest if item.id == wanted), "")
        found = self._repositories.find(repository)
        return SourceCommit(wanted, message, found.owner if found else None)

    def read(self, repository: str, commit: str, path: str) -> bytes | None:
        """See :class:`SourceFiles`."""
        try:
            found = self._repositories.file(repository, path, _SELF, commit=commit)
        except NotFound as error:
            if error.code == "git.no_such_file":
                return None
            raise
        return None if found.text is None else found.text.encode()

    def materialise(self, repository: str, commit: str, folder: Path) -> None:
        """See :class:`SourceFiles`."""
        self._repositories.materialise(repository, commit, folder)
