"""The check of relative paths: what can be a path below a root, before the disk is asked."""

from __future__ import annotations

from flagstone.kernel.errors import Invalid

_MAX_PATH = 4_096
_MAX_NAME = 255
_MAX_DEPTH = 64
_HINT = "Use a relative path with / between names, inside the folder."
# Marks that turn the direction of text around make a name look like another one.
_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")


def split_path(path: str) -> tuple[str, ...]:
    """The names in a relative path; ``.`` and empty ones are dropped, so the root itself is the empty tuple.

    Raises Invalid: ``files.outside_root`` for an absolute path, ``..``, a backslash or NUL; ``files.bad_name`` for
    control characters, names that can not be encoded, and paths that are too long or too deep.
    """
    shown = f"{path[:200]!r}"
    if "\0" in path or "\\" in path:
        raise Invalid("files.outside_root", f"The path {shown} holds a character that paths do not have.", hint=_HINT)
    if path.startswith(("/", "~")):
        raise Invalid("files.outside_root", f"The path {shown} is not relative.", hint=_HINT)
    parts = tuple(part for part in path.split("/") if part not in ("", "."))
    if ".." in parts:
        raise Invalid("files.outside_root", f"The path {shown} goes up with '..'.", hint=_HINT)
    if any(ord(char) < 32 or ord(char) == 127 or char in _DIRECTION_MARKS for char in path):
        raise Invalid("files.bad_name", f"The path {shown} holds control characters.", hint=_HINT)
    try:
        lengths = [len(part.encode()) for part in parts]
    except UnicodeEncodeError as error:
        raise Invalid("files.bad_name", f"The path {shown} is not valid Unicode.", hint=_HINT) from error
    if sum(lengths) + len(parts) > _MAX_PATH or max(lengths, default=0) > _MAX_NAME or len(parts) > _MAX_DEPTH:
        raise Invalid(
            "files.bad_name",
            f"The path {shown} is too long.",
            hint=f"A name has at most {_MAX_NAME} bytes, a path {_MAX_PATH} bytes and {_MAX_DEPTH} folders.",
        )
    return parts
