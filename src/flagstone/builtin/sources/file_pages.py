"""Addresses of files on GitHub, GitLab, Gitea, Forgejo and Bitbucket: the page that shows one, the file itself, its
repository, and where it is edited.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

_RAW_HOST = "raw.githubusercontent.com"


@dataclass(frozen=True, slots=True)
class FilePage:
    """A file of a repository.

    A branch is taken to have no ``/`` in its name: the address does not tell where it ends.
    """

    root: str
    """The address that paths of the repository are added to."""
    path: str
    """Where the file is in its repository, without a leading ``/``."""
    raw: str
    """Where the file itself is read."""
    edit: str | None
    """Where it is edited, where that is known."""


def file_page(address: str) -> FilePage | None:
    """What an address says of a file; None when it is of no known form."""
    parts = urlsplit(address)
    names = parts.path.split("/")
    if parts.hostname == _RAW_HOST:
        return _raw_github(parts, names)
    if "-" in names:
        return _gitlab(parts, names)
    form = names[3] if len(names) > 5 else ""
    if form in ("blob", "raw") and parts.hostname == "github.com":
        raw = parts._replace(netloc=_RAW_HOST, path="/".join([*names[:3], *names[4:]])).geturl()
        return _page(parts, names, 5, raw, _with(parts, [*names[:3], "edit", *names[4:]]))
    return _gitea_or_bitbucket(parts, names, form)


def _raw_github(parts: SplitResult, names: list[str]) -> FilePage | None:
    if len(names) < 5:
        return None
    return _page(parts, names, 4, parts.geturl(), "/".join(["https://github.com", *names[1:3], "edit", *names[3:]]))


def _gitlab(parts: SplitResult, names: list[str]) -> FilePage | None:
    """GitLab puts ``/-/`` between the project, which may be deep in groups, and what is shown of it."""
    at = names.index("-")
    if len(names) <= at + 3 or names[at + 1] not in ("blob", "raw"):
        return None
    raw = _with(parts, [*names[: at + 1], "raw", *names[at + 2 :]])
    return _page(parts, names, at + 3, raw, _with(parts, [*names[: at + 1], "edit", *names[at + 2 :]]))


def _gitea_or_bitbucket(parts: SplitResult, names: list[str], form: str) -> FilePage | None:
    if form in ("src", "raw") and names[4] == "branch" and len(names) > 6:
        raw = _with(parts, [*names[:3], "raw", *names[4:]])
        return _page(parts, names, 6, raw, _with(parts, [*names[:3], "_edit", *names[5:]]))
    if form == "src" and parts.hostname == "bitbucket.org":
        return _page(parts, names, 5, _with(parts, [*names[:3], "raw", *names[4:]]), None)
    if form == "blob":
        raw = _with(parts, [*names[:3], "raw", *names[4:]])
        return _page(parts, names, 5, raw, _with(parts, [*names[:3], "edit", *names[4:]]))
    return None


def _page(parts: SplitResult, names: list[str], begin: int, raw: str, edit: str | None) -> FilePage:
    root = parts._replace(path="/".join(names[:begin]), query="", fragment="").geturl()
    return FilePage(root, "/".join(names[begin:]), raw, edit)


def _with(parts: SplitResult, names: list[str]) -> str:
    return parts._replace(path="/".join(names)).geturl()
