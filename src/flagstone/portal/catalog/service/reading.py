"""One read of a location: what its source names, what of it has to be looked at, and what came of it so far."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from flagstone.kernel.errors import Denied, Invalid, NotFound, Problem, Unavailable
from flagstone.portal.catalog.model import Location
from flagstone.portal.catalog.model.draft import Draft
from flagstone.portal.catalog.service.documents import Found
from flagstone.portal.catalog.service.parsing import Merger
from flagstone.portal.catalog.store.files import FileRecord
from flagstone.sdk import EntitySource, ListingSource, SourceContext, SourceEntry, SourceFile, SourceListing


@dataclass(slots=True)
class Reading:
    """The state of a read."""

    version: str | None
    delta: bool
    origin_ref: str
    signature: str
    to_read: list[SourceEntry]
    """Files that may have changed, in the order of the listing."""
    gone: set[str]
    """Paths that the source does not name any more."""
    known: dict[str, FileRecord]
    """What is known of the files of ``to_read``."""
    skipped: int
    """How many files are as they were."""
    preloaded: dict[str, SourceFile] = field(default_factory=dict)
    merged: Merger = field(default_factory=Merger)
    commits: set[str] = field(default_factory=set)
    stamps: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    same: list[FileRecord] = field(default_factory=list)
    """Files that were read and held what they held before, with new stamps."""
    names: set[str] = field(default_factory=set)
    """Files that were looked at, as problems name them."""
    piece: set[str] = field(default_factory=set)
    """Paths of the piece that is written next."""
    missing: set[str] = field(default_factory=set)
    """Refs that the files that were read held before, and perhaps hold no more."""
    conflicts: list[Found] = field(default_factory=list)
    created: int = 0
    changed: int = 0

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to look at."""
        return not self.to_read and not self.gone and not self.merged.parsed.problems

    def records(self, drafts: Sequence[Draft]) -> list[FileRecord]:
        """What to remember of the files of this piece."""
        counts: dict[str, int] = {}
        for draft in drafts:
            counts[draft.source_path] = counts.get(draft.source_path, 0) + 1
        found = [
            FileRecord(path, self.stamps[path], self.digests[path], counts.get(path, 0))
            for path in sorted(self.piece - self.merged.unclean)
        ]
        found += self.same
        self.same = []
        return found

    def files(self, source: EntitySource, location: Location, ctx: SourceContext) -> Iterator[SourceFile]:
        """Read the files that may have changed, one after another; those that have not are passed over."""
        for entry in self.to_read:
            self.names.add(entry.location.partition(":")[2])
            if entry.commit:
                self.commits.add(entry.commit)
            try:
                file = self._file(source, location, entry, ctx)
            except (NotFound, Denied, Unavailable, Invalid) as error:
                if len(self.to_read) == 1 and not self.skipped and not any(char in location.target for char in "*?["):
                    raise
                self._unreadable(Problem(error.message, file=entry.path, hint=error.hint))
                continue
            if file.commit:
                self.commits.add(file.commit)
            digest = hashlib.sha256(f"{self.signature}\0{file.commit}\0".encode() + file.content).hexdigest()
            known = self.known.get(entry.path)
            if known is not None and known.digest == digest:
                self.same.append(FileRecord(entry.path, self._stamp(entry), digest, known.entities))
                self.skipped += 1
                continue
            self.stamps[entry.path] = self._stamp(entry)
            self.digests[entry.path] = digest
            yield file

    def _stamp(self, entry: SourceEntry) -> str:
        return f"{self.signature}:{entry.stamp}" if entry.stamp else ""

    def _file(self, source: EntitySource, location: Location, entry: SourceEntry, ctx: SourceContext) -> SourceFile:
        known = self.preloaded.pop(entry.path, None)
        if known is None and isinstance(source, ListingSource):
            return source.read_entry(location.target, entry, ctx)
        if known is None:
            raise NotFound("source.missing", f"{entry.path} was named, but not read.")
        return known

    def _unreadable(self, problem: Problem) -> None:
        parsed = self.merged.parsed
        parsed.problems.append(Found("catalog.unreadable", problem))
        if problem.file is None:
            parsed.keep_all = True
        else:
            parsed.kept_paths.add(problem.file)
        parsed.keep_children = True

    def note(self, problems: Iterable[Problem]) -> None:
        """Take in what the source itself says is wrong."""
        for problem in problems:
            self._unreadable(problem)


def listed(
    source: EntitySource, target: str, ctx: SourceContext, version: str | None
) -> tuple[SourceListing, dict[str, SourceFile]]:
    """What a source holds now, and the files that it has read already. Raises what the source raises."""
    if isinstance(source, ListingSource):
        return source.list(target, ctx, version=version), {}
    snapshot = source.read(target, ctx, version=version)
    files = {file.path: file for file in snapshot.files}
    entries = tuple(SourceEntry(file.path, file.location, "", file.commit) for file in snapshot.files)
    listing = SourceListing(snapshot.version, entries, snapshot.unchanged, problems=snapshot.problems)
    return listing, files


def start_reading(
    listing: SourceListing,
    preloaded: dict[str, SourceFile],
    known: tuple[dict[str, FileRecord], dict[str, int]],
    *,
    origin_ref: str,
    signature: str,
    trust: bool,
) -> Reading:
    """Decide what has to be looked at. ``trust``: whether files that are known to be the same may be passed over."""
    records, counts = known
    good = {path: one for path, one in records.items() if trust and counts.get(path, 0) == one.entities}
    to_read = []
    for entry in listing.entries:
        one = good.get(entry.path)
        if one is None or not entry.stamp or one.stamp != f"{signature}:{entry.stamp}":
            to_read.append(entry)
    named = {entry.path for entry in listing.entries}
    gone = set(listing.removed) if listing.delta else (records.keys() | counts.keys()) - named
    reading = Reading(
        version=listing.version,
        delta=listing.delta,
        origin_ref=origin_ref,
        signature=signature,
        to_read=to_read,
        gone=gone,
        known={entry.path: good[entry.path] for entry in to_read if entry.path in good},
        skipped=len(counts) - len(to_read) if listing.delta else len(listing.entries) - len(to_read),
        preloaded=preloaded,
    )
    reading.note(listing.problems)
    return reading
