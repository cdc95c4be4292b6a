"""Repositories as values, their names, and the ``repoUrl`` of templates."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from urllib.parse import parse_qs

from flagstone.kernel.errors import Invalid

HOST = "flagstone"
"""Host name of the built-in hosting in a ``repoUrl``."""

ChangeState = Literal["open", "merged", "closed"]

_PART = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9_-])?")


@dataclass(frozen=True, slots=True)
class Repository:
    """A hosted repository. ``branches`` maps each branch to the commit that events were written for."""

    name: str
    description: str
    owner: str | None
    default_branch: str
    branches: dict[str, str] = field(default_factory=dict)
    created_commit: str | None = None
    created_at: datetime | None = None
    created_by: str = ""
    updated_at: datetime | None = None
    step_key: str | None = None

    @property
    def head(self) -> str | None:
        """Commit of the default branch, as last seen."""
        return self.branches.get(self.default_branch)


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """A branch that somebody asks to take over into another one. ``number`` counts within its repository.

    ``head`` is the last commit of the branch that was seen, ``base_commit`` where it had left the base branch, and
    ``merge_commit`` where the base branch stood after merging.
    """

    repository: str
    number: int
    title: str
    text: str
    branch: str
    base: str
    state: ChangeState
    head: str
    author: str
    author_name: str
    created_at: datetime
    updated_at: datetime
    base_commit: str | None = None
    merge_commit: str | None = None
    ended_by: str = ""
    ended_by_name: str = ""
    ended_at: datetime | None = None
    step_key: str | None = None


@dataclass(frozen=True, slots=True)
class RepoUrl:
    """``host?owner=…&repo=…``, as the repository picker of a form makes it."""

    host: str
    project: str
    repository: str

    @property
    def name(self) -> str:
        """``project/repository``."""
        return f"{self.project}/{self.repository}"


def check_name(name: str) -> str:
    """A repository name as given. Raises Invalid (``repositories.bad_name``)."""
    project, slash, repository = name.partition("/")
    parts_fit = all(_PART.fullmatch(part) and ".." not in part for part in (project, repository))
    if not slash or not parts_fit or repository.endswith((".git", ".lock")):
        raise Invalid(
            "repositories.bad_name",
            f"{name[:120]!r} cannot be the name of a repository.",
            hint="Write project/name in lower-case letters, digits, '-', '_' and '.'.",
        )
    return name


def parse_repo_url(text: str) -> RepoUrl:
    """Parse a ``repoUrl``. Raises Invalid (``repositories.bad_repo_url``) when a part is missing."""
    host, _, query = text.partition("?")
    values = parse_qs(query)
    project = (values.get("owner") or values.get("project") or [""])[0]
    repository = (values.get("repo") or [""])[0]
    if not host or not project or not repository:
        raise Invalid(
            "repositories.bad_repo_url",
            f"{text[:200]!r} does not name a repository.",
            hint=f"Write {HOST}?owner=<project>&repo=<name>.",
        )
    return RepoUrl(host, project, repository)
