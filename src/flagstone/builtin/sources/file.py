"""Files, folders and globs on this machine, below the allowed folders only.

A folder stands for its own ``catalog-info.yaml``, else for every one below it. Links are followed only while they stay
below the same allowed folder, and never while walking.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from flagstone.builtin.sources.patterns import MAX_FILES, SKIPPED_FOLDERS, catalog_files, is_glob, matches, split_glob
from flagstone.kernel.errors import Denied, Invalid, NotFound, Problem, Unavailable
from flagstone.sdk import SourceContext, SourceEntry, SourceFile, SourceListing, SourceSnapshot

DEFAULT_MAX_BYTES = 5_000_000
_TICK_NS = 20_000_000


class FileSource:
    """``file`` locations: ``/abs/file.yaml``, ``/abs/folder``, ``/abs/**/catalog-info.yaml``."""

    type = "file"

    def resolve(self, base: str, target: str) -> str:
        """``target`` as written in the file ``base``."""
        return posixpath.normpath(posixpath.join(posixpath.dirname(base), target))

    def read(self, target: str, ctx: SourceContext, *, version: str | None = None) -> SourceSnapshot:
        """Read a target. Raises Invalid, NotFound, Denied or Unavailable."""
        if not target.startswith("/"):
            message = f"The file location {target!r} is not an absolute path."
            raise Invalid("source.relative_path", message, hint="Start it with /.")
        listing = self.list(target, ctx, version=version)
        if listing.unchanged:
            return SourceSnapshot(listing.version, unchanged=True)
        files: list[SourceFile] = []
        problems: list[Problem] = []
        for entry in listing.entries:
            try:
                files.append(self.read_entry(target, entry, ctx))
            except (NotFound, Denied, Unavailable, Invalid) as error:
                if len(listing.entries) == 1 and not is_glob(target):
                    raise
                problems.append(Problem(error.message, file=entry.path, hint=error.hint))
        return SourceSnapshot(listing.version, tuple(files), problems=tuple(problems))

    def list(self, target: str, ctx: SourceContext, *, version: str | None = None) -> SourceListing:
        """Name the files of a target. Raises Invalid, NotFound, Denied or Unavailable."""
        if not target.startswith("/"):
            message = f"The file location {target!r} is not an absolute path."
            raise Invalid("source.relative_path", message, hint="Start it with /.")
        found = sorted(self._find(target, ctx))
        stamps, now = _stamps(found)
        if version is not None and version == now:
            return SourceListing(now, unchanged=True)
        base = os.path.commonpath([posixpath.dirname(path) for path in found]) if found else ""
        cut = len(base.rstrip("/")) + 1
        entries = (SourceEntry(path[cut:], f"file:{path}", stamp) for path, stamp in zip(found, stamps, strict=True))
        return SourceListing(now, tuple(entries))

    def read_entry(self, target: str, entry: SourceEntry, ctx: SourceContext) -> SourceFile:
        """Read one file. Raises Invalid, NotFound, Denied or Unavailable."""
        return SourceFile(entry.path, entry.location, _read(entry.location.removeprefix("file:"), ctx))

    def read_beside(self, location: str, path: str, ctx: SourceContext) -> bytes:
        """A file relative to an entity's file, below the same allowed folder."""
        base = location.removeprefix("file:")
        target = self.resolve(base, path)
        if _root_of(target, ctx) != _root_of(base, ctx):
            raise _outside(target, ctx)
        return _read(target, ctx)

    def _find(self, target: str, ctx: SourceContext) -> Iterator[str]:
        if is_glob(target):
            base, pattern = split_glob(target)
            base = base or "/"
            if not Path(_allowed(base, ctx)).is_dir():
                raise NotFound("source.missing", f"There is no folder {base}, which {target} starts from.")
            yield from (f"{base.rstrip('/')}/{path}" for path in _walk(base, ctx) if matches(pattern, path))
            return
        real = _allowed(target, ctx)
        if Path(real).is_dir():
            files = catalog_files(_walk(target, ctx, skipped=SKIPPED_FOLDERS))
            if not files:
                raise NotFound(
                    "source.missing",
                    f"There is no catalog-info.yaml in {target} or below it.",
                    hint="Name the file itself, or a pattern such as /path/**/*.yaml.",
                )
            yield from (f"{target.rstrip('/')}/{path}" for path in files)
            return
        if not Path(real).exists():
            raise NotFound("source.missing", f"There is no file {target}.", hint="Check the path, or unregister it.")
        yield target


def _walk(base: str, ctx: SourceContext, skipped: frozenset[str] = frozenset({".git"})) -> Iterator[str]:
    """Relative paths of all files below a folder. Links to folders are not followed."""
    real = _allowed(base, ctx)
    count = 0

    def fail(error: OSError) -> None:
        raise Unavailable("source.unreadable", f"{error.filename} cannot be read: {error.strerror}.") from error

    for folder, folders, files in os.walk(real, onerror=fail):
        folders[:] = sorted(name for name in folders if name not in skipped)
        inside = os.path.relpath(folder, real)
        for name in sorted(files):
            count += 1
            if count > MAX_FILES:
                raise Invalid("source.too_many_files", f"There are more than {MAX_FILES} files below {base}.")
            yield name if inside == "." else f"{inside}/{name}"


def _stamps(paths: list[str]) -> tuple[list[str], str | None]:
    """A stamp for each file, and a version of them all; no stamp for a file so young that its clock may stand still.

    A file that is changed twice within one tick of the file system's clock looks the same after both changes.
    """
    recent = time.time_ns() - _TICK_NS
    young = False
    found: list[str] = []
    digest = hashlib.sha256()
    for path in paths:
        try:
            status = Path(path).stat()
        except OSError:
            stamp = ""
        else:
            stamp = f"{status.st_mtime_ns:x}.{status.st_ctime_ns:x}.{status.st_size:x}.{status.st_ino:x}"
            if status.st_ctime_ns > recent:
                young, stamp = True, ""
        found.append(stamp)
        digest.update(f"{path}\0{stamp}\0".encode("utf-8", "surrogateescape"))
    return found, None if young else digest.hexdigest()


def _root_of(path: str, ctx: SourceContext) -> str | None:
    return _root_of_real(os.path.realpath(path), ctx)


def _root_of_real(real: str, ctx: SourceContext) -> str | None:
    for root in ctx.allowed_roots:
        allowed = os.path.realpath(root)
        if real == allowed or real.startswith(allowed.rstrip("/") + "/"):
            return allowed
    return None


def _allowed(path: str, ctx: SourceContext) -> str:
    """The real path. Raises Denied when it is not below an allowed folder."""
    return _allowed_root(path, ctx)[0]


def _allowed_root(path: str, ctx: SourceContext) -> tuple[str, str]:
    """The real path, and the allowed folder that it is below. Raises Denied when there is none."""
    real = os.path.realpath(path)
    root = _root_of_real(real, ctx)
    if root is None:
        raise _outside(path, ctx)
    return real, root


def _outside(path: str, ctx: SourceContext) -> Denied:
    allowed = ", ".join(ctx.allowed_roots) or "none"
    return Denied(
        "source.outside_roots",
        f"{path} is not below a folder that may be read.",
        hint=f"Allowed folders: {allowed}. An administrator adds one with sources.allowed_folders in the settings.",
    )


def _read(path: str, ctx: SourceContext) -> bytes:
    real, root = _allowed_root(path, ctx)
    limit = int(ctx.options.get("max_file_bytes", DEFAULT_MAX_BYTES))
    try:
        handle = _open(real, root)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound("source.missing", f"There is no file {path}.") from error
    except OSError as error:
        raise Unavailable("source.unreadable", f"{path} cannot be read: {error.strerror}.") from error
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(stream.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise Invalid("source.not_a_file", f"{path} is not a regular file.")
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise Invalid("source.too_large", f"{path} is larger than {limit} bytes.", hint="See catalog.max_file_bytes.")
    return content


def _open(real: str, root: str) -> int:
    """Open a path that holds no link, folder by folder, so that one put there in the meantime is refused."""
    parts = [part for part in os.path.relpath(real, root).split("/") if part != "."]
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parts[:-1]:
            following = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = following
        # Without waiting: a pipe in the place of a file must not hang the reader.
        return os.open(parts[-1] if parts else ".", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
