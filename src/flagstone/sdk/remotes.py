"""What actions about other services may ask of the platform: credentials of the vault, pushes to other git servers.

deps.get(SecretReader).use("github-token", purpose="publish:github")
deps.get(GitRemotes).push("https://github.com/acme/shop.git", files, first_commit, authorization=..., http=...)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from flagstone.sdk.tools import HttpClient

RepositoryFiles = Mapping[str, tuple[bytes, bool]]
"""Path to content and executable bit."""


class SecretReader(Protocol):
    """Reads secrets of the vault by name; every use is audited."""

    def use(self, name: str, *, purpose: str = "") -> str:
        """The value. Raises NotFound when there is none of this name."""


@dataclass(frozen=True, slots=True)
class RepoHosts:
    """Provided by a plugin whose actions create repositories elsewhere: forms offer these hosts."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FirstCommit:
    """The only commit of a branch. The same values and files give the same commit id."""

    branch: str
    message: str
    author_name: str
    author_email: str
    at: datetime


class GitRemotes(Protocol):
    """Makes commits and takes them to git servers. No credential reaches a git program, an address or a disk."""

    def commit_id(self, files: RepositoryFiles, commit: FirstCommit) -> str:
        """The id that a push of these files has."""

    def push(
        self, url: str, files: RepositoryFiles, commit: FirstCommit, *, authorization: str, http: HttpClient
    ) -> str:
        """Push a branch that is not there yet over smart HTTP; returns the commit id.

        A branch that stands at this commit already is fine. ``authorization`` is the header's value. Raises Conflict
        (``git.remote_branch_exists``), Denied (``git.remote_denied``), Temporary (``git.remote_failed``).
        """

    def merge_file(self, before: bytes, ours: bytes, theirs: bytes) -> tuple[bytes, bool]:
        """Three versions of a text as one, and whether both stand in it between conflict markers somewhere."""
