"""Bringing files that were made from a template up to its new version: a three-way merge, opened as a change request.

What the template gives is a line of commits of its own: each follows the one before, and the first is the commit that
the repository began with. So git itself knows the common ancestor, and what people changed since is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from flagstone.contracts.repositories import ChangeRequestDetail, OpenChangeRequest
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Conflict, Invalid, NotFound
from flagstone.platform.repositories.ports import RepositoryFolders
from flagstone.platform.repositories.service.changes import ChangeService
from flagstone.platform.repositories.service.pushes import Pushes
from flagstone.sdk.edits import FileEdit
from flagstone.toolkit.git import Author, GitChanges, GitRepository

_MAX_BEFORE = 200_000
_MOST_BRANCHES = 50
_LISTED = 100


@dataclass(frozen=True, slots=True)
class Upgrade:
    """What is to be merged. ``base`` is the commit that holds what the template gave last; ``files`` is what it gives
    now. The branch gets a number when there is one of its name.
    """

    base: str
    files: Mapping[str, tuple[bytes, bool]]
    branch: str
    title: str
    text: str
    author: Author


@dataclass(frozen=True, slots=True)
class Merged:
    """What the merge gives. ``rendered`` is the commit of what the template gives, the base of the next upgrade."""

    target: str
    ours: str
    rendered: str
    commit: str
    conflicts: tuple[str, ...]
    paths: tuple[str, ...]
    """Files that differ from what is on the branch now; none when it holds everything already."""


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What came of it. ``change`` is None when the repository held everything already."""

    merged: Merged
    change: ChangeRequestDetail | None = None


class Upgrades:
    """Upgrades by the name of the repository; the actor must be allowed to push."""

    def __init__(
        self, changes: ChangeService, folders: RepositoryFolders, pushes: Pushes, *, now: Now = utc_now
    ) -> None:
        self._changes = changes
        self._folders = folders
        self._pushes = pushes
        self._now = now

    def preview(self, name: str, actor: Principal, wanted: Upgrade) -> tuple[Merged, list[FileEdit]]:
        """What would change on the default branch; no branch is made. Raises what :meth:`open` would raise."""
        git, target, ours = self._start(name, actor, wanted.base)
        merged = self._merge(git, target, ours, wanted, GitChanges(git).date(wanted.base))
        return merged, [_edit(git, merged, path) for path in merged.paths]

    def open(self, name: str, actor: Principal, wanted: Upgrade, *, step_key: str) -> Upgraded:
        """Make a branch with the merge and a change request for it; again with the same key gives the same one.

        Raises NotFound for a missing repository or base, Invalid when the base is not in the history of the branch.
        """
        made = self.made_by(name, step_key, actor)
        if made is not None:
            return made
        git, target, ours = self._start(name, actor, wanted.base)
        merged = self._kept(git, target, ours, step_key)
        if merged is None:
            merged = self._merge(git, target, ours, wanted, self._now())
            git.keep(_kept_name(step_key), merged.commit)
        if not merged.paths:
            return Upgraded(merged)
        branch = _free_branch(git, wanted.branch, merged.commit)
        if git.head(branch) is None:
            git.move(f"refs/heads/{branch}", merged.commit, None)
        self._pushes.sync(name, actor)
        self._changes.settle(name, actor)
        asked = OpenChangeRequest(title=wanted.title, text=_text(wanted.text, merged), branch=branch, base=target)
        return Upgraded(merged, self._changes.open(name, asked, actor, step_key=step_key))

    def made_by(self, name: str, step_key: str, actor: Principal) -> Upgraded | None:
        """What a step opened, if it did."""
        made = self._changes.made_by(step_key)
        if made is None:
            return None
        git = self._folders.open(made.repository)
        merged = self._kept(git, made.base, "", step_key)
        return Upgraded(merged, self._changes.get(made.repository, made.number, actor)) if merged else None

    def _start(self, name: str, actor: Principal, base: str) -> tuple[GitRepository, str, str]:
        repository = self._changes.check_writable(name, actor)
        git = self._folders.open(name)
        target = repository.default_branch
        ours = git.head(target)
        if ours is None:
            raise NotFound("repositories.no_branch", f"There is no branch {target!r} in {name} to upgrade.")
        return git, target, ours

    def _merge(self, git: GitRepository, target: str, ours: str, wanted: Upgrade, date: datetime) -> Merged:
        changes = GitChanges(git)
        rendered = changes.commit_files(
            wanted.files, parent=wanted.base, message=wanted.title, author=wanted.author, date=date
        )
        if changes.merge_base(ours, rendered) is None:
            raise Invalid(
                "repositories.no_common_history",
                f"The history of {target} does not hold the commit {wanted.base[:12]} that the template made.",
                hint="The branch was rewritten. Take the change over by hand, then run the golden path's new version.",
            )
        result = changes.merge(ours, rendered)
        commit = changes.commit(
            result.tree, parents=[ours, rendered], message=wanted.title, author=wanted.author, date=date
        )
        return Merged(target, ours, rendered, commit, result.conflicts, tuple(git.changed_paths(ours, commit)))

    def _kept(self, git: GitRepository, target: str, ours: str, step_key: str) -> Merged | None:
        """The merge that an attempt before this one made; None when there is none or the branch moved since."""
        changes = GitChanges(git)
        commit = changes.kept(_kept_name(step_key))
        if commit is None:
            return None
        first, rendered = changes.parents(commit)
        if ours and first != ours:
            return None
        conflicts = changes.merge(first, rendered).conflicts
        return Merged(target, first, rendered, commit, conflicts, tuple(git.changed_paths(first, commit)))


def _kept_name(step_key: str) -> str:
    return f"upgrades/{hashlib.sha256(step_key.encode()).hexdigest()[:40]}"


def _free_branch(git: GitRepository, wanted: str, commit: str) -> str:
    for number in range(1, _MOST_BRANCHES):
        name = wanted if number == 1 else f"{wanted}-{number}"
        if git.head(name) in (None, commit):
            return name
    raise Conflict(
        "repositories.branch_exists",
        f"There are {_MOST_BRANCHES} branches named {wanted!r} already.",
        hint="Delete those of upgrades that were closed.",
    )


def _text(text: str, merged: Merged) -> str:
    if not merged.conflicts:
        return text
    listed = "\n".join(f"- `{path}`" for path in merged.conflicts[:_LISTED])
    more = len(merged.conflicts) - _LISTED
    rest = f"\n- and {more} more" if more > 0 else ""
    return (
        f"{text}\n\n**These files were changed here and in the template. Both versions stand in them between"
        f" `<<<<<<<` and `>>>>>>>`; decide on the branch before you merge:**\n\n{listed}{rest}"
    ).strip()


def _edit(git: GitRepository, merged: Merged, path: str) -> FileEdit:
    before, after = (_content(git, commit, path) for commit in (merged.ours, merged.commit))
    if before is None:
        return FileEdit(path, "create", None, after)
    return FileEdit(path, "change" if after is not None else "delete", before, after)


def _content(git: GitRepository, commit: str, path: str) -> bytes | None:
    try:
        return git.file(commit, path, max_bytes=_MAX_BEFORE).data or b""
    except NotFound:
        return None
