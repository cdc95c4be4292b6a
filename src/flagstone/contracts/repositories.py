"""The built-in git hosting as seen through the door."""

from __future__ import annotations

from datetime import datetime

from flagstone.contracts.base import Wire


class RepositoryView(Wire):
    """A hosted repository. ``name`` is ``project/repository``."""

    name: str
    description: str = ""
    default_branch: str = "main"
    clone_url: str
    web_url: str
    owner: str | None = None
    head: str | None = None
    """Commit id of the default branch; None while the repository is empty."""
    updated_at: datetime | None = None


class CommitView(Wire):
    """One commit."""

    id: str
    author: str
    email: str = ""
    at: datetime
    subject: str


class TreeEntry(Wire):
    """A file or folder of a repository at a commit."""

    path: str
    type: str
    """``blob`` or ``tree``."""
    size: int | None = None
    executable: bool = False


class FileContent(Wire):
    """A file at a commit. ``text`` is None for binary files and those above the size cap."""

    path: str
    commit: str
    text: str | None
    size: int
