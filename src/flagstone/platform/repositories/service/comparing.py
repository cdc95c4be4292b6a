"""Two branches compared: what a merge would give, and the difference in the form that goes through the door."""

from __future__ import annotations

from dataclasses import dataclass

from flagstone.contracts.repositories import CommitView, DiffLineView, FileDiff, HunkView, Mergeable
from flagstone.kernel.errors import Invalid
from flagstone.toolkit.git import FileChange, GitChanges, GitRepository


@dataclass(frozen=True, slots=True)
class Comparison:
    """A branch against its base. ``ancestor`` is where they parted, ``tree`` what a merge holds."""

    head: str
    base_head: str
    ancestor: str
    mergeable: Mergeable
    behind: int = 0
    conflicts: tuple[str, ...] = ()
    tree: str = ""


def compare(git: GitRepository, head: str, base_head: str) -> Comparison:
    """Compare two commits. Raises Invalid when their histories have nothing in common."""
    changes = GitChanges(git)
    ancestor = changes.merge_base(base_head, head)
    if ancestor is None:
        raise Invalid(
            "repositories.no_common_history",
            "The two branches have no commit in common, so one cannot be merged into the other.",
            hint="Start the branch from the branch it is to go into.",
        )
    if ancestor == head:
        return Comparison(head, base_head, ancestor, "nothing")
    behind = changes.count(head, base_head) if ancestor != base_head else 0
    merged = changes.merge(base_head, head)
    word: Mergeable = "conflict" if merged.conflicts else "clean"
    return Comparison(head, base_head, ancestor, word, behind, merged.conflicts, merged.tree)


def file_views(git: GitRepository, before: str, after: str) -> tuple[tuple[CommitView, ...], tuple[FileDiff, ...]]:
    """The commits between two commits, and the files that differ."""
    changes = GitChanges(git)
    commits = tuple(
        CommitView(id=item.id, author=item.author.name, email=item.author.email, at=item.at, subject=item.subject)
        for item in changes.commits(before, after)
    )
    return commits, tuple(_file(item) for item in changes.diff(before, after))


def _file(item: FileChange) -> FileDiff:
    hunks = tuple(
        HunkView(
            header=hunk.header,
            lines=tuple(
                DiffLineView(kind=line.kind, text=line.text, old=line.old, new=line.new) for line in hunk.lines
            ),
        )
        for hunk in item.hunks
    )
    return FileDiff(
        path=item.path,
        before_path=item.before_path,
        op=item.op,
        additions=item.additions,
        deletions=item.deletions,
        binary=item.binary,
        cut=item.cut,
        hunks=hunks,
    )
