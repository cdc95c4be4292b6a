"""Where the files of a release come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SourceCommit:
    """A commit of a repository."""

    id: str
    message: str
    """Its first line."""


class SourceFiles(Protocol):
    """Reads repositories. Every method raises NotFound when the repository or the commit is not there."""

    def resolve(self, repository: str, commit: str | None) -> SourceCommit:
        """A commit by id or name; None is the head of the default branch."""

    def read(self, repository: str, commit: str, path: str) -> bytes | None:
        """One file of a commit; None when it has no such file."""

    def materialise(self, repository: str, commit: str, target: Path) -> None:
        """Write every file of a commit below ``target``, an empty folder."""
