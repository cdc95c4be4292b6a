"""What lies between two commits of a repository: their common ancestor, the difference, and the merge of both.

Nothing is checked out: merges are computed by ``git merge-tree``, which writes objects and touches no branch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from flagstone.kernel.errors import NotFound, Permanent
from flagstone.kernel.ids import new_id
from flagstone.toolkit.git.names import branch_name, commit_id
from flagstone.toolkit.git.repository import Author, Commit, GitRepository, import_stream

_MAX_LINES = 20_000
_MAX_FILE_LINES = 4_000
_MAX_FILES = 2_000
_MOST_CONFLICTS = 127
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)")

DiffOp = Literal["create", "change", "delete", "rename"]

_OPS: dict[str, DiffOp] = {"A": "create", "D": "delete", "R": "rename", "C": "create"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a hunk with its numbers before and after, counted from 1."""

    kind: Literal["same", "add", "remove"]
    text: str
    old: int | None
    new: int | None


@dataclass(frozen=True, slots=True)
class Hunk:
    """Changed lines with those around them. ``header`` is what git found above them, such as a function's name."""

    header: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that differs. ``cut`` says that its lines are not (all) here because there are too many."""

    path: str
    before_path: str
    op: DiffOp
    additions: int
    deletions: int
    binary: bool
    cut: bool
    hunks: tuple[Hunk, ...]


@dataclass(frozen=True, slots=True)
class MergeResult:
    """The tree of a merge; with ``conflicts`` (paths) it holds conflict markers, for people to decide."""

    tree: str
    conflicts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tip:
    """A branch and its newest commit."""

    branch: str
    commit: Commit


def merge_texts(repository: GitRepository, before: bytes, ours: bytes, theirs: bytes) -> tuple[bytes, bool]:
    """Three versions of a text as one, and whether parts of both stand in it between conflict markers.

    The repository is only where git works; nothing is written to its objects. Raises Permanent for what is no text.
    """
    with TemporaryDirectory(dir=repository.path) as folder:
        files = []
        for name, content in (("ours", ours), ("before", before), ("theirs", theirs)):
            file = Path(folder) / name
            file.write_bytes(content)
            files.append(str(file))
        labels = ("-L", "this repository", "-L", "the template before", "-L", "the template now")
        done = repository.command("merge-file", "-p", *labels, *files, check=False)
    # The exit code counts the conflicts; what is not a count is a failure.
    if done.code < 0 or done.code > _MOST_CONFLICTS:
        raise Permanent("git.cannot_merge", f"A file cannot be merged: {done.err_text[:500]}")
    return done.out, done.code > 0


class GitChanges:
    """Compares and merges commits of one repository. Every commit is a full id. Raises NotFound for unknown ones."""

    def __init__(self, repository: GitRepository) -> None:
        self._git = repository

    def tips(self, limit: int = 500) -> list[Tip]:
        """Branches with their newest commits, the most recently changed first."""
        fields = "%(refname:lstrip=2)%00%(objectname)%00%(authorname)%00%(authoremail:trim)%00%(authordate:unix)%00"
        form = f"--format={fields}%(contents:subject)"
        done = self._git.command("for-each-ref", form, "--sort=-committerdate", f"--count={int(limit)}", "refs/heads")
        found: list[Tip] = []
        for line in done.out.decode("utf-8", "replace").splitlines():
            branch, commit, name, email, at, subject = line.split("\0", 5)
            when = datetime.fromtimestamp(int(at or 0), UTC)
            found.append(Tip(branch, Commit(commit, Author(name, email), when, subject)))
        return found

    def merge_base(self, one: str, other: str) -> str | None:
        """The newest common ancestor; None when the histories have nothing in common."""
        done = self._git.command("merge-base", commit_id(one), commit_id(other), check=False)
        if done.code not in (0, 1):
            raise NotFound("git.no_such_commit", f"Not both of {one[:12]} and {other[:12]} are in the repository.")
        return done.out.decode().strip() or None

    def count(self, after: str, until: str) -> int:
        """How many commits of ``until`` are not in ``after``."""
        done = self._git.command("rev-list", "--count", f"{commit_id(after)}..{commit_id(until)}", missing=until)
        return int(done.out)

    def commits(self, after: str, until: str, *, limit: int = 100) -> list[Commit]:
        """The commits of ``until`` that are not in ``after``, newest first."""
        return self._git.commits(limit, start=until, after=after)

    def diff(self, before: str, after: str) -> list[FileChange]:
        """The files that differ, by path, with their lines as far as they are few enough to be looked at."""
        options = ("-r", "-M", "--no-ext-diff", "--no-textconv", "--no-color")
        ends = (commit_id(before), commit_id(after), "--")
        raw = self._git.command("diff-tree", *options, "-z", "--raw", "--numstat", *ends, missing=after)
        entries = _entries(raw.out)
        shown = len(entries) <= _MAX_FILES and sum(item.additions + item.deletions for item in entries) <= _MAX_LINES
        if not shown:
            return [_cut(item) for item in entries[:_MAX_FILES]]
        patch = self._git.command("diff-tree", *options, "-p", *ends, missing=after).out.decode("utf-8", "replace")
        sections = re.split(r"^diff --git .*\n", patch, flags=re.MULTILINE)[1:]
        found: list[FileChange] = []
        for item, parts in zip(entries, _spans(raw.out), strict=True):
            found.append(_with_hunks(item, "".join(sections[:parts])))
            del sections[:parts]
        return found

    def merge(self, ours: str, theirs: str) -> MergeResult:
        """Merge two commits into a tree, without committing it."""
        ends = (commit_id(ours), commit_id(theirs))
        done = self._git.command("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", *ends, check=False)
        if done.code not in (0, 1):
            raise Permanent(
                "git.cannot_merge",
                f"{theirs[:12]} cannot be merged into {ours[:12]}: {done.err_text[:500]}",
                hint="Merging needs git 2.38 or newer on the server, and branches with a common history.",
            )
        tree, *paths = [part for part in done.out.decode("utf-8", "replace").split("\0") if part]
        return MergeResult(tree.strip(), tuple(sorted(set(paths))))

    def commit(self, tree: str, *, parents: Sequence[str], message: str, author: Author, date: datetime) -> str:
        """A commit of a tree, on no branch yet. The same arguments give the same id."""
        stamp = f"{int(date.timestamp())} +0000"
        who = {
            f"GIT_{role}_{part}": value
            for role in ("AUTHOR", "COMMITTER")
            for part, value in (("NAME", author.name or "unknown"), ("EMAIL", author.email), ("DATE", stamp))
        }
        given = [word for parent in parents for word in ("-p", commit_id(parent))]
        done = self._git.command("commit-tree", commit_id(tree), *given, "-F", "-", input=message.encode(), more=who)
        return done.out.decode().strip()

    def commit_files(
        self,
        files: Mapping[str, tuple[bytes, bool] | None],
        *,
        parent: str,
        message: str,
        author: Author,
        date: datetime,
    ) -> str:
        """A commit of exactly these files that follows another one, on no branch yet. The same arguments give the same
        id.
        """
        temporary = f"refs/flagstone/import/{new_id()}"
        stream = import_stream(files, message, author, author, date, [commit_id(parent)], temporary, False)
        done = self._git.command("fast-import", "--quiet", "--date-format=raw", input=stream, missing=parent)
        self._git.command("update-ref", "-d", temporary)
        return done.out.decode().strip()

    def parents(self, commit: str) -> tuple[str, ...]:
        """The commits that a commit follows, the one it was made on first."""
        done = self._git.command("rev-list", "--parents", "--max-count=1", commit_id(commit), "--", missing=commit)
        return tuple(done.out.decode().split()[1:])

    def date(self, commit: str) -> datetime:
        """When a commit was made."""
        done = self._git.command("log", "--max-count=1", "--format=%ct", commit_id(commit), "--", missing=commit)
        return datetime.fromtimestamp(int(done.out), UTC)

    def kept(self, name: str) -> str | None:
        """The commit that was kept under a name (see ``GitRepository.keep``); None when there is none."""
        ref = f"refs/flagstone/{branch_name(name)}"
        done = self._git.command("rev-parse", "--verify", "--quiet", "--end-of-options", ref, check=False)
        return done.out.decode().strip() or None if done.code == 0 else None


def _entries(raw: bytes) -> list[FileChange]:
    """From ``--raw --numstat -z``: first all raw records, then all counts, in the same order."""
    fields = raw.decode("utf-8", "replace").split("\0")
    named: list[tuple[DiffOp, str, str]] = []
    at = 0
    while at < len(fields) and fields[at].startswith(":"):
        status = fields[at].split(" ")[4]
        two = status[0] in "RC"
        old, new = fields[at + 1], fields[at + 2 if two else at + 1]
        named.append((_OPS.get(status[0], "change"), old, new))
        at += 3 if two else 2
    found: list[FileChange] = []
    for op, old, new in named:
        added, deleted, path = fields[at].split("\t", 2)
        at += 1 if path else 3
        binary = added == "-"
        plus, minus = (0, 0) if binary else (int(added), int(deleted))
        found.append(FileChange(new, old, op, plus, minus, binary, False, ()))
    return found


def _spans(raw: bytes) -> list[int]:
    """How many sections of the patch belong to each entry: a file that becomes a link has two."""
    records = [field for field in raw.split(b"\0") if field.startswith(b":")]
    return [2 if record.split(b" ")[4][:1] == b"T" else 1 for record in records]


def _cut(item: FileChange) -> FileChange:
    return FileChange(
        item.path, item.before_path, item.op, item.additions, item.deletions, item.binary, not item.binary, ()
    )


def _with_hunks(item: FileChange, text: str) -> FileChange:
    if item.binary or item.additions + item.deletions > _MAX_FILE_LINES:
        return _cut(item)
    hunks: list[Hunk] = []
    lines: list[Line] = []
    header, old, new = "", 0, 0
    for row in text.split("\n"):
        found = _HUNK.match(row)
        if found:
            if lines:
                hunks.append(Hunk(header, tuple(lines)))
            lines, header = [], found[3].strip()
            old, new = int(found[1]), int(found[2])
        elif not old and not new:
            continue  # what stands above the first hunk: modes and object ids
        elif row.startswith("+"):
            lines.append(Line("add", row[1:], None, new))
            new += 1
        elif row.startswith("-"):
            lines.append(Line("remove", row[1:], old, None))
            old += 1
        elif row.startswith(" "):
            lines.append(Line("same", row[1:], old, new))
            old, new = old + 1, new + 1
    if lines:
        hunks.append(Hunk(header, tuple(lines)))
    return FileChange(item.path, item.before_path, item.op, item.additions, item.deletions, False, False, tuple(hunks))
