"""Entity sources: where catalog files are read from. A source only reads; the catalog decides what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from flagstone.contracts.repositories import FileContent, TreeEntry
from flagstone.kernel.errors import Problem


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file with entity documents."""

    path: str
    """Path for people and problems, relative to the source's root where there is one."""
    location: str
    """Location reference ``type:target`` of this very file: relative targets in it resolve against it."""
    content: bytes
    commit: str | None = None
    view_url: str | None = None
    edit_url: str | None = None


@dataclass(frozen=True, slots=True)
class SourceSnapshot:
    """What a source holds now. ``version`` goes back into the next read; with ``unchanged`` no files are given."""

    version: str | None
    files: tuple[SourceFile, ...] = ()
    unchanged: bool = False
    problems: tuple[Problem, ...] = ()
    """Parts that could not be read: what was read from them before is kept."""


@dataclass(frozen=True, slots=True)
class SourceContext:
    """What a source may use."""

    allowed_roots: Sequence[str]
    """Folders from which ``file`` locations may be read."""
    fetch: Callable[..., Any]
    """The outgoing fetcher: ``fetch(url, headers=…, etag=…)``."""
    read_repository_file: Callable[[str, str, str | None], FileContent]
    """(repository, path, commit) -> content, from the built-in git hosting."""
    list_repository_tree: Callable[[str, str | None], list[TreeEntry]]
    """(repository, commit) -> entries, from the built-in git hosting."""
    repository_head: Callable[[str], str | None]
    """(repository) -> commit id of the default branch."""
    options: Mapping[str, Any] = field(default_factory=dict)


class EntitySource(Protocol):
    """Reads one type of location."""

    type: str
    """The location type, such as ``file``."""

    def resolve(self, base: str, target: str) -> str:
        """The absolute target of ``target`` as written in the file at location target ``base``."""

    def read(self, target: str, ctx: SourceContext, *, version: str | None = None) -> SourceSnapshot:
        """Read a target (a file, a glob, a folder). Raises NotFound, Denied or Unavailable; never half a snapshot."""

    def read_beside(self, location: str, path: str, ctx: SourceContext) -> bytes:
        """A file named relative to an entity's file: a README, an OpenAPI document, a skeleton file. Raises
        NotFound.
        """
