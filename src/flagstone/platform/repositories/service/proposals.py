"""Proposing changes to a hosted repository: a branch with one more commit, and a change request for it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from flagstone.contracts.repositories import ChangeRequestDetail, OpenChangeRequest
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Conflict, FlagstoneError, NotFound
from flagstone.platform.repositories.ports import RepositoryFolders
from flagstone.platform.repositories.service.changes import ChangeService
from flagstone.platform.repositories.service.comparing import compare
from flagstone.platform.repositories.service.pushes import Pushes
from flagstone.sdk.edits import FileEdit
from flagstone.toolkit.git import Author, Entry, GitRepository

Edits = Mapping[str, tuple[bytes, bool] | None]
"""Path to content and executable bit; None deletes the file."""

_MAX_BEFORE = 200_000


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is to change and how it is asked for. ``target`` empty: the default branch.

    ``update``: a branch that exists is continued; otherwise it is refused, unless it holds these very files.
    """

    branch: str
    target: str
    title: str
    text: str
    edits: Edits
    message: str
    author: Author
    update: bool = False
    when_empty: bool = False


@dataclass(frozen=True, slots=True)
class Proposed:
    """What came of it. ``change`` is None when there was nothing to change."""

    target: str
    commit: str = ""
    change: ChangeRequestDetail | None = None


class Proposals:
    """Proposals by the name of the repository; the actor must be allowed to push."""

    def __init__(
        self, changes: ChangeService, folders: RepositoryFolders, pushes: Pushes, *, now: Now = utc_now
    ) -> None:
        self._changes = changes
        self._folders = folders
        self._pushes = pushes
        self._now = now

    def preview(self, name: str, actor: Principal, proposal: Proposal) -> tuple[str, list[FileEdit]]:
        """The target branch, and each file against what is there. Raises what :meth:`propose` would raise."""
        target, git, start, _ = self._start(name, actor, proposal)
        differing = _differing(git, start, proposal)
        kept = [(path, wanted) for path, wanted in proposal.edits.items() if wanted and path not in set(differing)]
        return target, [
            *(_edit(git, start, path, proposal.edits[path]) for path in differing),
            *(FileEdit(path, "none", wanted[0], wanted[0]) for path, wanted in kept),
        ]

    def propose(self, name: str, actor: Principal, proposal: Proposal, *, step_key: str) -> Proposed:
        """Make it so; doing it again with the same key gives the same change request.

        Raises NotFound for a missing repository or target branch, Conflict for a branch that holds something else.
        """
        target, git, start, exists = self._start(name, actor, proposal)
        made = self._changes.made_by(step_key)
        if made is not None:
            return Proposed(target, made.head, self._changes.get(name, made.number, actor))
        paths = _differing(git, start, proposal)
        if not exists:
            if not paths and not proposal.when_empty:
                return Proposed(target)
            git.move(f"refs/heads/{proposal.branch}", start, None)
        commit = start
        if paths or (proposal.when_empty and not exists):
            commit = git.commit_tree(
                {path: proposal.edits[path] for path in paths},
                message=proposal.message,
                author=proposal.author,
                branch=proposal.branch,
                date=self._now(),
                parents=[start],
                on_top=True,
            )
        self._pushes.sync(name, actor)
        self._changes.settle(name, actor)
        base_head = git.head(target)
        if base_head is None or compare(git, commit, base_head).mergeable == "nothing":
            return Proposed(target)
        found = self._changes.find_open(name, proposal.branch, target) if proposal.update else None
        if found is not None:
            return Proposed(target, commit, self._changes.get(name, found.number, actor))
        wanted = OpenChangeRequest(title=proposal.title, text=proposal.text, branch=proposal.branch, base=target)
        return Proposed(target, commit, self._changes.open(name, wanted, actor, step_key=step_key))

    def made_by(self, step_key: str, actor: Principal) -> Proposed | None:
        """What a step proposed, if it did."""
        made = self._changes.made_by(step_key)
        if made is None:
            return None
        return Proposed(made.base, made.head, self._changes.get(made.repository, made.number, actor))

    def withdraw(self, step_key: str, actor: Principal, *, commit: str, keep_branch: bool) -> bool:
        """Close what a step opened, and delete its branch unless somebody has pushed to it. False: nothing to do."""
        made = self._changes.made_by(step_key)
        if made is None or made.state != "open":
            return False
        self._changes.close(made.repository, made.number, actor)
        git = self._folders.open(made.repository)
        if not keep_branch and git.head(made.branch) == commit:
            git.move(f"refs/heads/{made.branch}", None, commit)
            self._pushes.sync(made.repository, actor)
        return True

    def _start(self, name: str, actor: Principal, proposal: Proposal) -> tuple[str, GitRepository, str, bool]:
        """(target, repository, commit to build on, whether the branch is there)."""
        repository = self._changes.check_writable(name, actor)
        git = self._folders.open(name)
        target = proposal.target or repository.default_branch
        base = git.head(target)
        if base is None:
            raise NotFound(
                "repositories.no_branch",
                f"There is no branch {target!r} in {name} to change.",
                hint="Push a first commit, or correct targetBranchName.",
            )
        if proposal.branch == target:
            raise Conflict(
                "repositories.same_branch",
                f"A change request cannot go from {target!r} into itself.",
                hint="Choose another branchName.",
            )
        head = git.head(proposal.branch)
        if head is not None and not proposal.update and _differing(git, head, proposal):
            raise _branch_exists(name, proposal.branch)
        return target, git, head or base, head is not None


def _differing(git: GitRepository, commit: str, proposal: Proposal) -> list[str]:
    """The paths whose content or mode is not yet as wanted."""
    there = {entry.path: entry for entry in git.tree(commit) if entry.type != "tree"}
    return [path for path, wanted in sorted(proposal.edits.items()) if not _same(there.get(path), wanted)]


def _same(entry: Entry | None, wanted: tuple[bytes, bool] | None) -> bool:
    if entry is None or wanted is None:
        return entry is None and wanted is None
    data, executable = wanted
    # The name that git gives to a content.
    digest = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    return entry.type == "blob" and entry.object_id == digest and entry.executable == executable


def _edit(git: GitRepository, commit: str, path: str, wanted: tuple[bytes, bool] | None) -> FileEdit:
    try:
        before = git.file(commit, path, max_bytes=_MAX_BEFORE)
    except NotFound:
        return FileEdit(path, "create", None, wanted[0] if wanted else None)
    return FileEdit(path, "change" if wanted else "delete", before.data, wanted[0] if wanted else None)


def _branch_exists(name: str, branch: str) -> FlagstoneError:
    return Conflict(
        "repositories.branch_exists",
        f"There is a branch {branch!r} in {name} already, with other files.",
        hint="Choose another branchName, or set update to add a commit to it.",
    )
