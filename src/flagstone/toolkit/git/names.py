"""Names of branches, commits and files: strings that cannot be mistaken for an option or leave a folder."""

from __future__ import annotations

import re

from flagstone.kernel.errors import Invalid

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_BRANCH = re.compile(r"(?!-)[A-Za-z0-9._/+@-]{1,200}")
_MAX_PATH = 4096


def commit_id(text: str) -> str:
    """A whole commit id as given. Raises Invalid (``git.bad_commit``) for anything else, abbreviations included."""
    if not _COMMIT.fullmatch(text):
        raise Invalid("git.bad_commit", f"{text[:80]!r} is not a commit id.", hint="Give all 40 hexadecimal digits.")
    return text


def branch_name(text: str) -> str:
    """A branch name as given. Raises Invalid (``git.bad_branch``) when git would refuse or misread it."""
    parts = text.split("/")
    wrong = any(not part or part.startswith(".") or part.endswith((".", ".lock")) for part in parts)
    if wrong or not _BRANCH.fullmatch(text) or ".." in text or "@{" in text or text in ("@", "HEAD"):
        raise Invalid(
            "git.bad_branch",
            f"{text[:80]!r} cannot be the name of a branch.",
            hint="Use letters, digits, '.', '_', '-' and '/'; do not begin with '-'.",
        )
    return text


def file_path(text: str) -> str:
    """A path inside a repository as given.

    Raises Invalid (``git.bad_path``) for what could leave a folder or is git's own.
    """
    parts = text.split("/")
    wrong = (
        not text
        or len(text) > _MAX_PATH
        or any(part in ("", ".", "..") or _is_git_folder(part) for part in parts)
        or any(ord(character) < 32 or character in "\x7f\\" for character in text)
    )
    if wrong:
        raise Invalid(
            "git.bad_path",
            f"{text[:120]!r} is not a path inside a repository.",
            hint="Write it relative to the root, with '/', without '..', and not inside '.git'.",
        )
    return text


def _is_git_folder(part: str) -> bool:
    # Some file systems ignore case, trailing dots and blanks, and have a short name.
    plain = part.lower().rstrip(". ")
    return plain in (".git", "git~1")
