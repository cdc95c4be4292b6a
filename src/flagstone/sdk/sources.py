"""Entity sources: where catalog files are read from. A source only reads; the catalog decides what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

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


class GitEntry(Protocol):
    """One thing in a commit."""

    @property
    def path(self) -> str:
        """Where it is."""

    @property
    def type(self) -> str:
        """``blob`` for a file; others are folders, links and submodules."""

    @property
    def object_id(self) -> str:
        """Changes with its content."""


class GitReader(Protocol):
    """Repositories on other servers. All methods may raise NotFound, Denied, Invalid or Unavailable."""

    def head(self, url: str, ref: str = "", *, max_age: float = 0.0) -> str:
        """The commit of a branch or tag, or of the default branch; the last answer if it is not older (in seconds)."""

    def tree(self, url: str, commit: str) -> Sequence[GitEntry]:
        """Everything in a commit."""

    def file(self, url: str, commit: str, path: str, *, max_bytes: int) -> bytes:
        """One file of a commit."""


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
    git: GitReader | None = None
    """Repositories on other servers, where the process may read them."""
    headers: Callable[[str], Mapping[str, str]] = lambda _host: {}
    """What identifies us to a host (``host`` or ``host:port``): headers for ``fetch``."""


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One file of a listing, not read yet."""

    path: str
    location: str
    stamp: str = ""
    """Changes whenever the content may have changed (a blob id, an ETag, time and size); empty: it is read each
    time.
    """
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class SourceListing:
    """What a source holds now, by name: the order of ``entries`` decides who keeps a name that is there twice.

    ``version`` is the cursor of the next listing. A full listing names every file: what it does not name is gone. A
    ``delta`` names what changed since the version that was handed in, and ``removed`` the paths that are gone.
    """

    version: str | None
    entries: tuple[SourceEntry, ...] = ()
    unchanged: bool = False
    delta: bool = False
    removed: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    """Parts that could not be listed: what was read from them before is kept. Without a file: everything is kept."""


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


@runtime_checkable
class ListingSource(EntitySource, Protocol):
    """A source of many files: they are named first, and only those that may have changed are read, some at a time."""

    def list(self, target: str, ctx: SourceContext, *, version: str | None = None) -> SourceListing:
        """Name the files of a target. Raises NotFound, Denied or Unavailable; never half a listing."""

    def read_entry(self, target: str, entry: SourceEntry, ctx: SourceContext) -> SourceFile:
        """Read one of them. Raises NotFound, Denied, Invalid or Unavailable: what it held before is kept."""
