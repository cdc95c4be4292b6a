"""Parsing files, here or in worker processes. A worker knows kinds and rules, but no sources: it reads nothing.

Files that need their source (placeholders, Location entities) come back unparsed and are parsed by the server itself.
"""

from __future__ import annotations

import hashlib
import pickle
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future
from typing import Any

import flagstone
from flagstone.kernel.errors import Problem
from flagstone.portal.catalog.model.draft import Draft
from flagstone.portal.catalog.model.kinds import KindRegistry
from flagstone.portal.catalog.model.rules import Rules
from flagstone.portal.catalog.service.documents import DocumentReader, Found, Parsed
from flagstone.sdk import EntitySource, SourceContext, SourceFile, SourceSnapshot
from flagstone.toolkit.workers import WorkerPool

_FILES_AT_ONCE = 40
_BYTES_AT_ONCE = 2_000_000
_FEW_FILES = 200
"""So many files in a row are parsed in the server itself; starting a worker costs more."""

Pieces = list[tuple[SourceFile, Parsed]]


class _NeedsSource(Exception):
    """A worker has no source."""


class _NoSource:
    type = ""

    def resolve(self, base: str, target: str) -> str:
        raise _NeedsSource

    def read(self, target: str, ctx: SourceContext, *, version: str | None = None) -> SourceSnapshot:
        raise _NeedsSource

    def read_beside(self, location: str, path: str, ctx: SourceContext) -> bytes:
        raise _NeedsSource


class Parser:
    """Parses files of many locations. Safe to use from many threads."""

    def __init__(self, kinds: KindRegistry, rules: Rules, ctx: SourceContext, pool: WorkerPool | None) -> None:
        self._kinds = kinds
        self._rules = rules
        self._ctx = ctx
        self._pool = pool
        self._setup: tuple[Any, ...] = ()
        self._names: tuple[str, ...] = ()
        self._signature = ""

    def signature(self, origin_ref: str) -> str:
        """Changes whenever the same file may be understood in another way."""
        self._prepare()
        return hashlib.sha256(f"{self._signature}\0{origin_ref}".encode()).hexdigest()[:16]

    def _prepare(self) -> None:
        # The registries are filled while the server starts, so not before the first use.
        names = self._kinds.names()
        if self._setup and self._names == names:
            return
        kinds = self._kinds.all()
        text = f"{flagstone.__version__}\0{kinds!r}\0{vars(self._rules)!r}"
        self._setup, self._names = (pickle.dumps((kinds, self._rules)),), names
        self._signature = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def here(self, file: SourceFile, source: EntitySource, origin_ref: str) -> Parsed:
        """Parse a file now."""
        reader = DocumentReader(source, self._ctx, self._kinds, origin_ref, self._rules)
        return reader.read(SourceSnapshot(None, (file,)))

    def parse(
        self, files: Iterable[SourceFile], source: EntitySource, origin_ref: str, *, many: bool
    ) -> Iterator[Pieces]:
        """Parsed files in order, some at a time. ``many``: with the workers, which then are some pieces ahead."""
        waiting: deque[Callable[[], Pieces]] = deque()
        ahead = self._pool.size + 1 if self._pool is not None and many else 0
        for piece in _pieces(files):
            waiting.append(self.submit(piece, source, origin_ref, many=many))
            if len(waiting) > ahead:
                yield waiting.popleft()()
        while waiting:
            yield waiting.popleft()()

    def submit(
        self, files: Sequence[SourceFile], source: EntitySource, origin_ref: str, *, many: bool
    ) -> Callable[[], Pieces]:
        """Begin to parse some files; the answer waits for the result."""
        if self._pool is None or not many or not files:
            return lambda: [(file, self.here(file, source, origin_ref)) for file in files]
        self._prepare()
        try:
            future: Future[list[Parsed | None]] = self._pool.submit(_parse, list(files), origin_ref, setup=self._setup)
        except RuntimeError:
            return lambda: [(file, self.here(file, source, origin_ref)) for file in files]

        def result() -> Pieces:
            try:
                parsed: list[Parsed | None] = future.result()
            except BrokenExecutor:
                parsed = [None] * len(files)
            return [
                (file, self.here(file, source, origin_ref) if found is None else found)
                for file, found in zip(files, parsed, strict=True)
            ]

        return result

    @staticmethod
    def are_many(files: int) -> bool:
        """Whether so many files are worth a worker."""
        return files > _FEW_FILES

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.close()


class Merger:
    """Puts what single files hold together: the first one that declares a name keeps it."""

    def __init__(self) -> None:
        self.seen: dict[str, str] = {}
        self.parsed = Parsed()
        """Everything but the drafts."""
        self.unclean: set[str] = set()
        """Paths of files that have to be parsed each time: what they mean depends on more than themselves."""

    def add(self, pieces: Pieces) -> list[Draft]:
        """Take parsed files in. Returns the drafts that count."""
        drafts: list[Draft] = []
        into = self.parsed
        for file, found in pieces:
            into.problems += found.problems
            into.children += found.children
            into.kept_refs |= found.kept_refs
            into.kept_paths |= found.kept_paths
            into.keep_all |= found.keep_all
            into.keep_children |= found.keep_children
            into.includes += found.includes
            if found.problems or found.children or found.includes:
                self.unclean.add(file.path)
            for draft in found.drafts:
                if draft.ref in self.seen:
                    self.twice(draft, self.seen[draft.ref])
                    continue
                self.seen[draft.ref] = f"{draft.source_ref.partition(':')[2]}:{draft.source_line}"
                if draft.ref.startswith("location:"):
                    self.unclean.add(file.path)
                drafts.append(draft)
        return drafts

    def twice(self, draft: Draft, where: str) -> None:
        """Note that a name is taken by another file of the same location."""
        name = draft.source_ref.partition(":")[2]
        hint = f"It is declared at {where}, too. Rename one of them, or remove it."
        message = f"{draft.ref} is declared a second time."
        problem = Problem(message, name, draft.source_line, "metadata.name", hint)
        self.parsed.problems.append(Found("catalog.duplicate", problem, draft.ref, "warning"))
        self.unclean.add(draft.source_path)


def _pieces(files: Iterable[SourceFile]) -> Iterator[list[SourceFile]]:
    piece: list[SourceFile] = []
    size = 0
    for file in files:
        piece.append(file)
        size += len(file.content)
        if len(piece) >= _FILES_AT_ONCE or size >= _BYTES_AT_ONCE:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


_worker: list[tuple[KindRegistry, Rules]] = []


def start_worker(setup: bytes) -> None:
    """Tell a worker the kinds and the rules."""
    kinds, rules = pickle.loads(setup)  # noqa: S301  written by the server that made this process
    _worker[:] = [(KindRegistry(kinds), rules)]


def _parse(files: list[SourceFile], origin_ref: str) -> list[Parsed | None]:
    kinds, rules = _worker[0]
    found: list[Parsed | None] = []
    nothing: Any = None
    for file in files:
        reader = DocumentReader(_NoSource(), nothing, kinds, origin_ref, rules)
        try:
            found.append(reader.read(SourceSnapshot(None, (file,))))
        except _NeedsSource:
            found.append(None)
    return found
