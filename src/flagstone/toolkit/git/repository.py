"""One bare repository: made, read and written with as few processes as possible."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flagstone.kernel.errors import Conflict, FlagstoneError, Invalid, NotFound, Permanent
from flagstone.kernel.ids import new_id
from flagstone.toolkit.git.environment import GitEnvironment
from flagstone.toolkit.git.names import branch_name, commit_id, file_path
from flagstone.toolkit.process.run import Completed, run

_TIMEOUT = 60.0
_TIDY_TIMEOUT = 900.0
_LARGE = 512 << 20
_ZERO = "0" * 40


@dataclass(frozen=True, slots=True)
class Author:
    """Who a commit is by."""

    name: str
    email: str


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit."""

    id: str
    author: Author
    at: datetime
    subject: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A file (``blob``), folder (``tree``), link (``link``) or submodule (``commit``) of a commit."""

    path: str
    type: str
    size: int | None
    executable: bool
    object_id: str


@dataclass(frozen=True, slots=True)
class File:
    """A file of a commit. ``data`` is None when it is larger than was asked for."""

    path: str
    size: int
    data: bytes | None


class GitRepository:
    """A bare repository in a folder. Nothing is checked out, no hook runs, no configuration but ours is read."""

    def __init__(self, path: Path, environment: GitEnvironment) -> None:
        self.path = path
        self._environment = environment

    def exists(self) -> bool:
        """Whether there is a repository in the folder."""
        return (self.path / "HEAD").is_file() and (self.path / "objects").is_dir()

    def init_bare(self, default_branch: str = "main") -> None:
        """Make it. It appears whole or not at all; one that exists already is left alone."""
        if self.exists():
            return
        branch_name(default_branch)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.path.with_name(f".{self.path.name}.{new_id()}")
        try:
            self._git(
                "init", "--quiet", "--bare", "--template=", f"--initial-branch={default_branch}", str(fresh), at=fresh
            )
            fresh.replace(self.path)
        except OSError as error:
            if not self.exists():
                raise Permanent("git.init_failed", f"The repository {self.path} cannot be made: {error}.") from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    def default_branch(self) -> str:
        """The branch that HEAD names."""
        text = (self.path / "HEAD").read_text(encoding="utf-8").strip()
        return text.removeprefix("ref: refs/heads/")

    def refs(self) -> dict[str, str]:
        """All branches and tags: full name to commit id (or tag object id)."""
        done = self._git("for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags")
        pairs = (line.split(" ", 1) for line in done.out.decode().splitlines())
        return {name: value for value, name in pairs}

    def head(self, branch: str | None = None) -> str | None:
        """Commit id of a branch (default: the default branch); None while it has no commit."""
        ref = f"refs/heads/{branch_name(branch or self.default_branch())}"
        done = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", check=False)
        return done.out.decode().strip() or None if done.code == 0 else None

    def tree(self, commit: str) -> list[Entry]:
        """Everything in a commit, folders before their content. Raises NotFound."""
        found: list[Entry] = []
        done = self._git("ls-tree", "-r", "-t", "-l", "-z", "--full-tree", commit_id(commit), missing=commit)
        for record in done.out.split(b"\0"):
            if not record:
                continue
            head, _, path = record.partition(b"\t")
            mode, kind, object_id, size = head.split()
            kind_text = "link" if mode == b"120000" else kind.decode()
            length = int(size) if size.isdigit() else None
            found.append(
                Entry(path.decode("utf-8", "replace"), kind_text, length, mode == b"100755", object_id.decode())
            )
        return found

    def file(self, commit: str, path: str, *, max_bytes: int = 10_000_000) -> File:
        """One file of a commit. Raises NotFound when the commit has no such file (links are not followed)."""
        commit_id(commit)
        file_path(path)
        done = self._git("ls-tree", "-l", "-z", "--full-tree", commit, "--", path, missing=commit)
        head, _, found = done.out.rstrip(b"\0").partition(b"\t")
        fields = head.split()
        if not found or fields[1] != b"blob" or fields[0] == b"120000":
            raise NotFound("git.no_such_file", f"There is no file {path!r} in commit {commit[:12]}.")
        size = int(fields[3])
        if size > max_bytes:
            return File(path, size, None)
        data = self._git("cat-file", "blob", fields[2].decode(), cap=max_bytes + 4096).out
        return File(path, size, data)

    def commits(self, limit: int = 20, *, start: str | None = None, after: str | None = None) -> list[Commit]:
        """The newest commits from ``start`` (default: head of the default branch); none when it is empty.

        With ``after`` only those that are not in the history of that commit.
        """
        start = commit_id(start) if start else self.head()
        if start is None:
            return []
        form = "--format=%H%x00%an%x00%ae%x00%at%x00%s"
        without = (f"^{commit_id(after)}",) if after else ()
        done = self._git(
            "log", "-z", "--no-show-signature", f"--max-count={int(limit)}", form, start, *without, "--", missing=start
        )
        fields = done.out.decode("utf-8", "replace").rstrip("\0").split("\0")
        rows = [fields[at : at + 5] for at in range(0, len(fields) - 4, 5)]
        return [
            Commit(row[0], Author(row[1], row[2]), datetime.fromtimestamp(int(row[3] or 0), UTC), row[4])
            for row in rows
        ]

    def commit_tree(
        self,
        files: Mapping[str, tuple[bytes, bool] | None],
        *,
        message: str,
        author: Author,
        branch: str,
        date: datetime,
        parents: Sequence[str] = (),
        committer: Author | None = None,
        on_top: bool = False,
    ) -> str:
        """Commit exactly these files (path to content and executable bit) on a branch; returns the commit id.

        ``on_top``: the files of the first parent stay, and None deletes one. The same arguments give the same id, so
        doing it twice equals doing it once. The branch moves only if it stands at the first parent (or does not exist,
        without parents). Raises Conflict when it moved meanwhile.
        """
        ref = f"refs/heads/{branch_name(branch)}"
        for parent in parents:
            commit_id(parent)
        temporary = f"refs/flagstone/import/{new_id()}"
        stream = import_stream(files, message, author, committer or author, date, parents, temporary, on_top)
        done = self._git("fast-import", "--quiet", "--date-format=raw", input=stream)
        commit = done.out.decode().strip()
        if self.head(branch) == commit:
            self._update_ref(f"delete {temporary}\n")
            return commit
        expected = parents[0] if parents else _ZERO
        try:
            self._update_ref(f"update {ref} {commit} {expected}\ndelete {temporary}\n")
        except Conflict:
            self._update_ref(f"delete {temporary}\n")
            raise
        return commit

    def materialise(self, commit: str, folder: Path, *, max_bytes: int = _LARGE, max_files: int = 50_000) -> int:
        """Write the files of a commit into a folder that is not there yet; returns how many.

        The folder appears whole. Links and submodules are left out; nothing in the repository (attributes, filters) has
        a say in what is written. Raises Conflict when the folder exists, Invalid when the commit is too large.
        """
        if folder.exists():
            raise Conflict("git.folder_exists", f"The folder {folder} exists already.")
        entries = [entry for entry in self.tree(commit) if entry.type == "blob"]
        total = sum(entry.size or 0 for entry in entries)
        if total > max_bytes or len(entries) > max_files:
            raise Invalid(
                "git.commit_too_large",
                f"Commit {commit[:12]} has {len(entries)} files with {total} bytes.",
                hint=f"At most {max_files} files and {max_bytes} bytes are taken; remove what is not needed to run.",
            )
        fresh = folder.with_name(f".{folder.name}.{new_id()}")
        fresh.mkdir(parents=True)
        try:
            wanted = "".join(f"{entry.object_id}\n" for entry in entries).encode()
            data = self._git("cat-file", "--batch", "--buffer", input=wanted, cap=total + 200 * len(entries) + 4096).out
            _write_entries(entries, data, fresh)
            fresh.rename(folder)
        except OSError as error:
            raise Permanent("git.write_failed", f"The files of {commit[:12]} cannot be written: {error}.") from error
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return len(entries)

    def changed_paths(self, before: str | None, after: str) -> list[str]:
        """Paths that differ between two commits; all paths of ``after`` without a ``before``."""
        if before is None:
            return [entry.path for entry in self.tree(after) if entry.type != "tree"]
        names = ("-r", "-z", "--name-only", "--no-renames", "--no-ext-diff")
        done = self._git("diff-tree", *names, commit_id(before), commit_id(after), "--", missing=after)
        return [name.decode("utf-8", "replace") for name in done.out.split(b"\0") if name]

    def tidy(self, *, packs: int = 50, loose: int = 5_000) -> bool:
        """Pack what many commits and pushes have scattered; returns whether there was enough of it.

        Safe beside pushes and clones: nothing is thrown away that is younger than two weeks.
        """
        objects = self.path / "objects"
        # One of the 256 folders of loose objects stands for all, as in git's own estimate.
        sample = sum(1 for _ in (objects / "17").glob("*"))
        if sum(1 for _ in (objects / "pack").glob("*.pack")) <= packs and sample * 256 <= loose:
            return False
        self._git("gc", "--quiet", "--prune=2.weeks.ago", timeout=_TIDY_TIMEOUT)
        return True

    def move(self, ref: str, new: str | None, expected: str | None) -> None:
        """Let a whole ref name (``refs/heads/…``) stand at ``new``, or delete it (None), if it stands at ``expected``.

        ``expected`` None: it must not exist. Raises Conflict (``git.branch_moved``).
        """
        branch_name(ref)
        before = commit_id(expected) if expected else _ZERO
        self._update_ref(f"update {ref} {commit_id(new)} {before}\n" if new else f"delete {ref} {before}\n")

    def keep(self, name: str, commit: str) -> None:
        """Let a ref that nobody sees stand at a commit, so that it is never thrown away."""
        self._update_ref(f"update refs/flagstone/{branch_name(name)} {commit_id(commit)}\n")

    def command(
        self,
        *arguments: str,
        input: bytes | None = None,  # noqa: A002  as in run()
        check: bool = True,
        missing: str | None = None,
        more: Mapping[str, str] | None = None,
        cap: int = 64 << 20,
    ) -> Completed:
        """Run git in the repository, for the other modules of this package. ``more`` adds to the environment."""
        return self._git(*arguments, input=input, check=check, missing=missing, more=more, cap=cap)

    def _update_ref(self, commands: str) -> None:
        done = self._git("update-ref", "--stdin", input=f"start\n{commands}commit\n".encode(), check=False)
        if done.code != 0:
            raise Conflict(
                "git.branch_moved", f"A branch of {self.path.name} was changed by someone else: {done.err_text}"
            )

    def _git(
        self,
        *arguments: str,
        input: bytes | None = None,  # noqa: A002  as in run()
        check: bool = True,
        missing: str | None = None,
        cap: int = 64 << 20,
        at: Path | None = None,
        timeout: float = _TIMEOUT,
        more: Mapping[str, str] | None = None,
    ) -> Completed:
        cwd = self.path if at is None else at.parent
        if at is None and not self.exists():
            raise NotFound("git.no_such_repository", f"There is no repository in {self.path}.")
        environment = {**self._environment.variables(at or self.path), **(more or {})}
        done = run(["git", *arguments], cwd=cwd, env=environment, timeout=timeout, input=input, max_output=cap)
        if check and done.code != 0:
            raise _failure(arguments[0], done, missing)
        return done


def _failure(command: str, done: Completed, missing: str | None) -> FlagstoneError:
    text = done.err_text
    if missing is not None and done.code == 128:
        return NotFound("git.no_such_commit", f"There is no commit {missing[:12]} in the repository.")
    return Permanent("git.failed", f"git {command} failed with exit code {done.code}: {text[:2000]}")


def import_stream(
    files: Mapping[str, tuple[bytes, bool] | None],
    message: str,
    author: Author,
    committer: Author,
    date: datetime,
    parents: Sequence[str],
    ref: str,
    on_top: bool,
) -> bytes:
    """What ``git fast-import`` reads: one commit on ``ref`` and the question for its id."""
    stamp = f"{int(date.timestamp())} +0000"
    text = message.strip().encode() + b"\n"
    parts = [
        f"commit {ref}\nmark :1\nauthor {_person(author)} {stamp}\ncommitter {_person(committer)} {stamp}\n".encode(),
        b"data %d\n%s\n" % (len(text), text),
    ]
    parts += [f"{'merge' if number else 'from'} {parent}\n".encode() for number, parent in enumerate(parents)]
    if not on_top:
        parts.append(b"deleteall\n")
    # Deletions first: a folder may make room for a file of its name.
    for path in sorted(files, key=lambda path: (files[path] is not None, path)):
        content = files[path]
        quoted = file_path(path).replace('"', '\\"')
        if content is None:
            parts.append(f'D "{quoted}"\n'.encode())
            continue
        data, executable = content
        parts.append(f'M {"100755" if executable else "100644"} inline "{quoted}"\ndata {len(data)}\n'.encode())
        parts += [data, b"\n"]
    parts.append(b"\nget-mark :1\n")
    return b"".join(parts)


def _person(author: Author) -> str:
    clean = {ord(character): None for character in "<>\n\r\0"}
    name = author.name.translate(clean).strip() or "unknown"
    return f"{name} <{author.email.translate(clean).strip()}>"


def _write_entries(entries: Sequence[Entry], data: bytes, root: Path) -> None:
    """Write blobs from the output of ``cat-file --batch``, which answers in the order of the questions."""
    at = 0
    view = memoryview(data)
    made: set[Path] = {root}
    for entry in entries:
        end = data.index(b"\n", at)
        size = int(data[at:end].split()[2])
        target = root / file_path(entry.path)
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        # O_EXCL: two names that a file system takes for one, or a link, are refused.
        handle = os.open(
            target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755 if entry.executable else 0o644
        )
        with contextlib.closing(os.fdopen(handle, "wb")) as file:
            file.write(view[end + 1 : end + 1 + size])
        at = end + 1 + size + 1
