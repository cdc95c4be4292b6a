"""Files of the workspace as they go to a repository."""

from __future__ import annotations

import hashlib
import posixpath

from flagstone.kernel.errors import Invalid
from flagstone.sdk import Files

_MAX_FILES = 20_000
_MAX_BYTES = 200_000_000


def read_files(workspace: Files, folder: str, *, into: str = "") -> dict[str, tuple[bytes, bool]]:
    """Content and executable bit by path below ``into``; git's own folder is left out.

    Raises Invalid (``github.nothing_to_publish``, ``github.too_much_to_publish``, ``github.bad_path``).
    """
    plain = _folder(folder)
    prefix = f"{plain}/" if plain else ""
    target = _folder(into)
    found: dict[str, tuple[bytes, bool]] = {}
    total = 0
    for entry in workspace.walk(plain):
        path = entry.path.removeprefix(prefix)
        if entry.is_dir or ".git" in path.split("/")[:-1]:
            continue
        total += entry.size
        if total > _MAX_BYTES or len(found) >= _MAX_FILES:
            raise Invalid(
                "github.too_much_to_publish",
                f"The folder {plain or '.'!r} of the workspace holds too much.",
                hint=f"At most {_MAX_FILES} files with {_MAX_BYTES // 1_000_000} MB together are taken.",
            )
        found[posixpath.join(target, path)] = (workspace.read_bytes(entry.path), entry.executable)
    if not found:
        raise Invalid(
            "github.nothing_to_publish",
            f"There are no files in the folder {plain or '.'!r} of the workspace.",
            hint="Add a step such as fetch:template before it, or correct sourcePath.",
        )
    return found


def blob_id(data: bytes) -> str:
    """The name that git gives to a content."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _folder(text: str) -> str:
    plain = posixpath.normpath(text.strip("/") or ".")
    if plain.split("/")[0] == "..":
        raise Invalid("github.bad_path", f"{text!r} lies outside of the repository or workspace.")
    return "" if plain == "." else plain
