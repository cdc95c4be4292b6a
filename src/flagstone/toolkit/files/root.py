"""The one file API that can not leave its root."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TypeAlias

from flagstone.kernel.errors import Conflict, Invalid, NotFound
from flagstone.kernel.ids import new_id
from flagstone.toolkit.files.entries import Entry, entry_of
from flagstone.toolkit.files.globs import GlobSet
from flagstone.toolkit.files.handles import folder, link_error, lstat, translated
from flagstone.toolkit.files.paths import split_path

Entries: TypeAlias = tuple[Entry, ...]

MAX_READ = 20_000_000
MAX_ENTRIES = 20_000
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Root:
    """A folder; every path is relative to it, with ``/``.

    ``quota`` bounds the bytes of all files together; ``quota_setting`` is the setting to raise, for the hint.
    ``max_entries`` bounds how much is listed or walked.
    ``hard_links`` lets files be read that have several names; leave it off except for folders that a package manager
    filled, since such a file may also live outside.

    Raises, besides what the methods say: Invalid ``files.outside_root``, ``files.bad_name``, ``files.link``,
    ``files.wrong_kind``; NotFound ``files.not_found``; Unavailable ``files.disk_full``, ``files.no_access``.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        quota: int | None = None,
        quota_setting: str = "",
        max_entries: int = MAX_ENTRIES,
        hard_links: bool = False,
    ) -> None:
        self.path = os.path.realpath(path)
        self._quota = quota
        self._quota_setting = quota_setting
        self._max_entries = max_entries
        self._hard_links = hard_links
        self._used: int | None = None

    def read_bytes(self, path: str, *, max_bytes: int = MAX_READ) -> bytes:
        """The contents of a file. Raises Invalid ``files.too_large``."""
        with self._file(path) as descriptor, translated(self.path, path):
            found = os.fstat(descriptor)
            if found.st_size > max_bytes:
                raise self._too_large(path, max_bytes)
            with os.fdopen(os.dup(descriptor), "rb") as stream:
                content = stream.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise self._too_large(path, max_bytes)
        return content

    def read_text(self, path: str, *, max_bytes: int = MAX_READ) -> str:
        """The contents of a file as UTF-8 text. Raises Invalid ``files.not_text``, ``files.too_large``."""
        try:
            return self.read_bytes(path, max_bytes=max_bytes).decode()
        except UnicodeDecodeError as error:
            raise Invalid("files.not_text", f"{path!r} in {self.path} is not a text in UTF-8.") from error

    def write(
        self, path: str, content: bytes | str, *, executable: bool = False, overwrite: bool = True, sync: bool = False
    ) -> None:
        """Write a file whole or not at all; missing folders are made.

        ``sync`` waits until it is on the disk. Raises Conflict ``files.exists`` without ``overwrite``,
        Invalid ``files.quota``.
        """
        data = content.encode() if isinstance(content, str) else content
        *parents, name = self._named(path)
        with folder(self.path, tuple(parents), make=True, asked=path) as parent, translated(self.path, path):
            before = lstat(name, parent)
            self._check_target(path, before, overwrite=overwrite)
            size = before.st_size if before else 0
            self._charge(len(data) - size, path)
            beside = f".{new_id()}.part"
            try:
                self._fill(beside, parent, data, executable=executable, sync=sync)
                if overwrite:
                    os.rename(beside, name, src_dir_fd=parent, dst_dir_fd=parent)
                else:
                    os.link(beside, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
                    os.unlink(beside, dir_fd=parent)
            except BaseException:
                self._charge(size - len(data), path)
                with suppress(OSError):
                    os.unlink(beside, dir_fd=parent)
                raise
            if sync:
                os.fsync(parent)

    def exists(self, path: str) -> bool:
        """Whether there is anything of that name."""
        try:
            self.stat(path)
        except NotFound:
            return False
        return True

    def stat(self, path: str) -> Entry:
        """What is known of one thing; of a link itself, never of what it points to."""
        parts = split_path(path)
        if not parts:
            with folder(self.path, ()) as root:
                return entry_of("", os.fstat(root))
        with folder(self.path, parts[:-1], asked=path) as parent, translated(self.path, path):
            return entry_of("/".join(parts), os.lstat(parts[-1], dir_fd=parent))

    def list(self, path: str = "") -> Entries:
        """What a folder holds, by name. Raises Invalid ``files.too_many``."""
        parts = split_path(path)
        with folder(self.path, parts) as here, translated(self.path, path):
            return tuple(self._entries(here, parts, self._max_entries))

    def walk(self, path: str = "") -> Iterator[Entry]:
        """Everything below a folder, folders before what they hold. Raises Invalid ``files.too_many``."""
        parts = split_path(path)
        left = self._max_entries
        waiting = [parts]
        while waiting:
            current = waiting.pop()
            with folder(self.path, current) as here, translated(self.path, "/".join(current)):
                entries = self._entries(here, current, left)
            left -= len(entries)
            below = []
            for entry in entries:
                yield entry
                if entry.kind == "directory":
                    below.append(split_path(entry.path))
            waiting += reversed(below)

    def glob(self, *patterns: str) -> Entries:
        """The files that :class:`GlobSet` of these patterns chooses, by path."""
        chosen = GlobSet(patterns)
        return tuple(entry for entry in self.walk() if entry.kind == "file" and chosen.matches(entry.path))

    def mkdir(self, path: str) -> None:
        """Make a folder and those above it; one that exists is fine."""
        with folder(self.path, split_path(path), make=True):
            return

    def delete(self, path: str, *, recursive: bool = False, missing_ok: bool = False) -> None:
        """Delete a file, a link itself, an empty folder, or with ``recursive`` a folder and all it holds.

        Raises Conflict ``files.exists`` for a folder that is not empty.
        """
        *parents, name = self._named(path)
        try:
            with folder(self.path, tuple(parents), asked=path) as parent, translated(self.path, path):
                if not stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
                    os.unlink(name, dir_fd=parent)
                elif recursive:
                    # It works on descriptors too and does not follow links, see its avoids_symlink_attacks.
                    shutil.rmtree(name, dir_fd=parent)
                else:
                    os.rmdir(name, dir_fd=parent)
        except NotFound:
            if not missing_ok:
                raise
        self._used = None

    def rename(self, source: str, target: str, *, overwrite: bool = False) -> None:
        """Move a file or folder below this root. Raises Conflict ``files.exists`` without ``overwrite``."""
        *from_parents, from_name = self._named(source)
        *to_parents, to_name = self._named(target)
        with folder(self.path, tuple(from_parents), asked=source) as from_parent, translated(self.path, source):
            moved = entry_of(source, os.lstat(from_name, dir_fd=from_parent))
            if moved.kind not in ("file", "directory"):
                raise link_error(self.path, source)
            if (*to_parents, to_name)[: len(from_parents) + 1] == (*from_parents, from_name):
                raise Invalid("files.wrong_kind", f"{source!r} can not be moved into itself, to {target!r}.")
            with folder(self.path, tuple(to_parents), make=True, asked=target) as to_parent:
                if lstat(to_name, to_parent) is not None and not overwrite:
                    raise Conflict("files.exists", f"{target!r} in {self.path} exists already.")
                os.rename(from_name, to_name, src_dir_fd=from_parent, dst_dir_fd=to_parent)
        self._used = None

    def copy_into(self, target: Root, path: str = "", target_path: str = "", *, overwrite: bool = True) -> int:
        """Copy a file, or what a folder holds, into another root; the number of files. Links are refused."""
        start = self.stat(path)
        if start.kind == "directory":
            target.mkdir(target_path)
        count = 0
        for entry in self.walk(path) if start.kind == "directory" else [start]:
            below = entry.path.removeprefix(start.path).strip("/") if start.kind == "directory" else ""
            there = f"{target_path}/{below}".strip("/") if below else target_path or entry.name
            if entry.kind == "directory":
                target.mkdir(there)
            elif entry.kind == "file":
                content = self.read_bytes(entry.path)
                target.write(there, content, executable=entry.executable, overwrite=overwrite)
                count += 1
            else:
                raise link_error(self.path, entry.path)
        return count

    def set_executable(self, path: str, executable: bool) -> None:
        """Set or clear the executable bits of a file."""
        with self._file(path) as descriptor, translated(self.path, path):
            mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
            os.fchmod(descriptor, mode | 0o111 if executable else mode & ~0o111)

    def total_size(self) -> int:
        """The bytes of all files below the root."""
        return sum(entry.size for entry in self.walk())

    @contextmanager
    def _file(self, path: str) -> Iterator[int]:
        """A descriptor of a regular file, to read."""
        *parents, name = self._named(path)
        with folder(self.path, tuple(parents), asked=path) as parent:
            with translated(self.path, path):
                descriptor = os.open(name, _READ, dir_fd=parent)
            try:
                found = os.fstat(descriptor)
                if not stat.S_ISREG(found.st_mode):
                    raise Invalid("files.wrong_kind", f"{path!r} in {self.path} is not a file.")
                if found.st_nlink > 1 and not self._hard_links:
                    raise link_error(self.path, path)
                yield descriptor
            finally:
                os.close(descriptor)

    def _named(self, path: str) -> tuple[str, ...]:
        parts = split_path(path)
        if not parts:
            raise Invalid("files.wrong_kind", f"The path {path!r} names the folder {self.path} itself.")
        return parts

    def _check_target(self, path: str, before: os.stat_result | None, *, overwrite: bool) -> None:
        if before is None:
            return
        if stat.S_ISLNK(before.st_mode):
            raise link_error(self.path, path)
        if not stat.S_ISREG(before.st_mode):
            raise Invalid("files.wrong_kind", f"{path!r} in {self.path} exists and is not a file.")
        if not overwrite:
            raise Conflict("files.exists", f"{path!r} in {self.path} exists already.")

    @staticmethod
    def _fill(name: str, parent: int, data: bytes, *, executable: bool, sync: bool) -> None:
        descriptor = os.open(name, _CREATE, 0o755 if executable else 0o644, dir_fd=parent)
        with os.fdopen(descriptor, "wb", buffering=0) as stream:
            view = memoryview(data)
            while view:
                view = view[stream.write(view) :]
            if sync:
                os.fsync(descriptor)

    def _charge(self, more: int, path: str) -> None:
        """Keep the running total of bytes; it is counted afresh after anything was deleted or moved."""
        if self._quota is None:
            return
        if self._used is None:
            self._used = self.total_size()
        if more > 0 and self._used + more > self._quota:
            raise Invalid(
                "files.quota",
                f"Writing {path!r} would take {self.path} over its limit of {self._quota} bytes.",
                hint=f"Make fewer or smaller files, or have {self._quota_setting or 'the limit'} raised.",
            )
        self._used += more

    def _too_large(self, path: str, max_bytes: int) -> Invalid:
        return Invalid("files.too_large", f"{path!r} in {self.path} is larger than {max_bytes} bytes.")

    def _entries(self, descriptor: int, parts: tuple[str, ...], most: int) -> Entries:
        names = []
        with os.scandir(descriptor) as found:
            for item in found:
                names.append(item.name)
                if len(names) > most:
                    raise Invalid("files.too_many", f"{self.path} holds more than {self._max_entries} files.")
        prefix = "".join(part + "/" for part in parts)
        pairs = ((name, lstat(name, descriptor)) for name in sorted(names))
        return tuple(entry_of(prefix + name, known) for name, known in pairs if known is not None)
