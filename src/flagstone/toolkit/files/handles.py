"""Descriptors of folders, opened name by name from the root, never through a link; and what the disk's errors mean."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from flagstone.kernel.errors import Conflict, FlagstoneError, Invalid, NotFound, Unavailable

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_LINK = os.O_NOFOLLOW
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def translated(root: str, path: str) -> Iterator[None]:
    """Tell errors of the operating system in terms of the path below the root."""
    try:
        yield
    except OSError as error:
        raise _meaning(error, root, path) from error


def _meaning(error: OSError, root: str, path: str) -> FlagstoneError:
    shown = f"{path[:300]!r}"
    known: dict[int, FlagstoneError] = {
        errno.ENOENT: NotFound("files.not_found", f"There is no {shown} in {root}."),
        **dict.fromkeys(_FULL, disk_full(root, path)),
        **dict.fromkeys(
            (errno.EEXIST, errno.ENOTEMPTY),
            Conflict("files.exists", f"{shown} in {root} exists already or is not empty."),
        ),
        **dict.fromkeys(
            (errno.ENOTDIR, errno.EISDIR, errno.ENXIO),
            Invalid(
                "files.wrong_kind", f"{shown} in {root} is a folder where a file is needed, or the other way round."
            ),
        ),
        **dict.fromkeys((errno.ELOOP, errno.EMLINK), link_error(root, path)),
        **dict.fromkeys(
            (errno.EACCES, errno.EPERM, errno.EROFS),
            Unavailable(
                "files.no_access",
                f"{shown} in {root} can not be read or written: {error.strerror}.",
                hint="Give the account that Flagstone runs as the right to this folder.",
            ),
        ),
    }
    return known.get(error.errno or 0) or Unavailable("files.failed", f"{shown} in {root}: {error.strerror}.")


def disk_full(root: str, path: str) -> Unavailable:
    """The error for a disk without space, or an account without quota."""
    return Unavailable(
        "files.disk_full",
        f"There is no space left on the disk of {root} while writing {path[:300]!r}.",
        hint="Free some space there, or move the data folder to a larger disk, and try again.",
    )


def link_error(root: str, path: str) -> Invalid:
    """The error for a link on the way or at the end of a path."""
    return Invalid(
        "files.link",
        f"{path[:300]!r} in {root} is, or goes through, a link. Links are not followed.",
        hint="Put the file itself in its place.",
    )


def open_below(parent: int, name: str, root: str, path: str) -> int:
    """Open one folder in another. The caller closes the descriptor."""
    try:
        return os.open(name, _DIRECTORY | _NO_LINK, dir_fd=parent)
    except NotADirectoryError:
        # Linux answers ENOTDIR, not ELOOP, to a link when a folder is asked for.
        if stat.S_ISLNK(os.lstat(name, dir_fd=parent).st_mode):
            raise link_error(root, path) from None
        raise


@contextmanager
def folder(root: str, parts: tuple[str, ...], *, make: bool = False, asked: str | None = None) -> Iterator[int]:
    """A descriptor of the folder ``parts`` below ``root``; with ``make`` the missing ones are made.

    ``asked`` is the path that the caller was given, for messages.
    """
    path = "/".join(parts) if asked is None else asked
    with translated(root, path):
        current = os.open(root, _DIRECTORY)
    try:
        with translated(root, path):
            for name in parts:
                if make:
                    _make(current, name)
                below = open_below(current, name, root, path)
                os.close(current)
                current = below
        yield current
    finally:
        os.close(current)


def _make(parent: int, name: str) -> None:
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
    except FileExistsError:
        return


def lstat(name: str, parent: int) -> os.stat_result | None:
    """What is known of a name in a folder, itself and not what it points to; None when there is nothing."""
    try:
        return os.lstat(name, dir_fd=parent)
    except FileNotFoundError:
        return None
