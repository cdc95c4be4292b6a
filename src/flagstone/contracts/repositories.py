"""The built-in git hosting as seen through the door."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Protocol

from pydantic import Field

from flagstone.contracts.base import Wire
from flagstone.kernel.actor import Principal
from flagstone.kernel.paging import Page

ChangeState = Literal["open", "merged", "closed"]
Mergeable = Literal["clean", "conflict", "nothing", "gone"]
"""``nothing``: the base branch holds everything already; ``gone``: one of the branches was deleted."""
MergeMethod = Literal["merge", "fast-forward"]


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
    object_id: str = ""
    """The id of its content: changes with it."""


class FileContent(Wire):
    """A file at a commit. ``text`` is None for binary files and those above the size cap."""

    path: str
    commit: str
    text: str | None
    size: int


class BranchView(Wire):
    """A branch and its newest commit."""

    name: str
    commit: str
    is_default: bool = False
    author: str = ""
    subject: str = ""
    at: datetime | None = None


class DiffLineView(Wire):
    """A line of a hunk with its numbers before and after."""

    kind: Literal["same", "add", "remove"]
    text: str
    old: int | None = None
    new: int | None = None


class HunkView(Wire):
    """Changed lines with those around them."""

    header: str = ""
    lines: tuple[DiffLineView, ...]


class FileDiff(Wire):
    """A file that a change request changes. ``cut``: there are too many changes to show its lines here."""

    path: str
    before_path: str
    op: Literal["create", "change", "delete", "rename"]
    additions: int = 0
    deletions: int = 0
    binary: bool = False
    cut: bool = False
    hunks: tuple[HunkView, ...] = ()


class ChangeRequestView(Wire):
    """A branch that somebody asks to take over into another one."""

    repository: str
    number: int
    title: str
    text: str = ""
    branch: str
    base: str
    state: ChangeState
    head: str
    """Commit of the branch: what is compared, and what a merge names."""
    author: str
    author_name: str
    created_at: datetime
    updated_at: datetime
    merge_commit: str | None = None
    ended_by_name: str = ""
    """Who merged or closed it."""
    ended_at: datetime | None = None
    web_url: str = ""


class ChangeRequestDetail(ChangeRequestView):
    """With what it would change, compared with where the branch left its base."""

    mergeable: Mergeable | None = None
    """None when it is not open."""
    conflicts: tuple[str, ...] = ()
    """Files that were changed on both sides."""
    behind: int = 0
    """How many commits the base has that the branch has not: the base moved on."""
    can_fast_forward: bool = False
    commits: tuple[CommitView, ...] = ()
    files: tuple[FileDiff, ...] = ()
    may_write: bool = False
    """Whether the one who looks may merge and close it."""


class OpenChangeRequest(Wire):
    """What opening one takes. An empty ``base`` is the default branch."""

    title: str = Field(min_length=1, max_length=300)
    text: str = Field(default="", max_length=60_000)
    branch: str
    base: str = ""


class MergeChangeRequest(Wire):
    """What merging takes. ``head`` is the commit that was looked at: another one is not merged."""

    head: str = ""
    method: MergeMethod = "merge"
    message: str = Field(default="", max_length=10_000)


class ChangeRequestDoor(Protocol):
    """The part of the door that is about branches and change requests of hosted repositories.

    Methods may raise Unavailable, Denied, NotFound, Invalid and Conflict.
    """

    def list_branches(self, name: str, actor: Principal) -> list[BranchView]:
        """Branches of a repository, the default one first."""

    def list_changes(
        self,
        name: str,
        actor: Principal,
        *,
        state: tuple[ChangeState, ...] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[ChangeRequestView]:
        """A page of change requests, newest first; ``total`` counts those in these states."""

    def get_change(self, name: str, number: int, actor: Principal) -> ChangeRequestDetail:
        """One change request with its difference."""

    def open_change(self, name: str, wanted: OpenChangeRequest, actor: Principal) -> ChangeRequestDetail:
        """Open one. Raises Conflict when there is an open one for these branches, Invalid when nothing differs."""

    def merge_change(self, name: str, number: int, wanted: MergeChangeRequest, actor: Principal) -> ChangeRequestDetail:
        """Merge it. Raises Conflict: it is not open, conflicts, or is not what was looked at."""

    def close_change(self, name: str, number: int, actor: Principal) -> ChangeRequestDetail:
        """Close it without merging."""

    def reopen_change(self, name: str, number: int, actor: Principal) -> ChangeRequestDetail:
        """Open it again. Raises Conflict when it was merged or its branch is gone."""
