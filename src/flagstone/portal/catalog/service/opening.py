"""The first half of a read: asking the source what there is, and reading and parsing what may have changed.

Nothing is written here. Locations are opened in groups: what the catalog knows of them is asked for all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from flagstone.kernel.errors import FlagstoneError
from flagstone.portal.catalog.model import Location
from flagstone.portal.catalog.model.draft import Draft
from flagstone.portal.catalog.service.documents import digest_of_bytes
from flagstone.portal.catalog.service.parsing import Parser, Pieces
from flagstone.portal.catalog.service.reading import Reading, listed, start_reading
from flagstone.portal.catalog.service.source_book import SourceBook
from flagstone.portal.catalog.store import CatalogStore
from flagstone.portal.catalog.store.files import Known
from flagstone.sdk import EntitySource, SourceContext, SourceFile, SourceListing

SMALL = 100
"""Files of a location that is written in one transaction."""


@dataclass(slots=True)
class Listed:
    """A location whose source has named its files."""

    location: Location
    source: EntitySource
    listing: SourceListing
    preloaded: dict[str, SourceFile]
    origin: str
    trust: bool

    @property
    def weight(self) -> int:
        """About how much memory it takes."""
        return len(self.listing.entries) + _CONTENT * len(self.preloaded)


_CONTENT = 10
"""Times as much as its name alone."""


@dataclass(slots=True)
class Opened:
    """A location on its way: what was read of it, and the answers of the parsers."""

    location: Location
    version: str | None
    reading: Reading | None = None
    """None: the source says that nothing has changed."""
    source: EntitySource | None = None
    pieces: list[tuple[set[str], Callable[[], Pieces]]] = field(default_factory=list)

    @property
    def weight(self) -> int:
        """Nothing: it needs no memory to speak of."""
        return 0

    @property
    def files(self) -> int:
        """How many files are read."""
        return sum(len(paths) for paths, _ in self.pieces)

    @property
    def big(self) -> bool:
        """Whether it is read and written in many pieces."""
        return self.reading is not None and len(self.reading.to_read) > SMALL

    @property
    def still(self) -> bool:
        """Whether there is nothing to write but that it was read."""
        if self.reading is None:
            return True
        calm = not self.location.held and self.location.state != "held"
        return calm and not self.pieces and self.reading.nothing

    def parsed(self) -> list[Draft]:
        """What the parsers have found; waits for them. Raises what they raise."""
        drafts: list[Draft] = []
        if self.reading is not None:
            self.reading.piece = set()
            for paths, answer in self.pieces:
                drafts += self.reading.merged.add(answer())
                self.reading.piece |= paths
        return drafts


class Opener:
    """Opens locations. Safe to use from many threads."""

    def __init__(self, store: CatalogStore, sources: SourceBook, ctx: SourceContext, parser: Parser) -> None:
        self._store = store
        self._sources = sources
        self._ctx = ctx
        self._parser = parser

    def facts(
        self, locations: Sequence[Location], origins: dict[str, str], *, force: bool
    ) -> dict[str, list[tuple[str, str, str]]]:
        """What :meth:`look` must know of some locations; adds to ``origins`` where they come from."""
        ids = [location.id for location in locations]
        self._store.locations.origins_of(ids, origins)
        return {} if force else self._store.locations.includes(ids)

    def look(
        self,
        location: Location,
        origin: str,
        includes: Sequence[tuple[str, str, str]],
        *,
        force: bool,
        trust: bool = True,
    ) -> Listed | Opened:
        """Ask the source what there is. Raises what the source raises."""
        source = self._sources.source(location.type)
        version = None if force else location.version
        if version is not None and not self._same(source, includes):
            version = None
        listing, preloaded = listed(source, location.target, self._ctx, version)
        if listing.unchanged:
            return Opened(location, listing.version)
        return Listed(location, source, listing, preloaded, origin, trust)

    def known(self, found: Sequence[Listed | Opened]) -> Mapping[str, Known]:
        """What :meth:`open` must know of some locations."""
        return self._store.files.of([one.location.id for one in found if isinstance(one, Listed)])

    def open(self, found: Listed | Opened, known: Mapping[str, Known], *, many: bool = False) -> Opened:
        """Begin to read and parse what may have changed. Raises what the source raises."""
        if isinstance(found, Opened):
            return found
        reading = start_reading(
            found.listing,
            found.preloaded,
            known[found.location.id],
            origin_ref=found.origin,
            signature=self._parser.signature(found.origin),
            trust=found.trust,
        )
        opened = Opened(found.location, found.listing.version, reading, found.source)
        if not opened.big:
            files = list(reading.files(found.source, found.location, self._ctx))
            if files:
                many = many or self._parser.are_many(len(reading.to_read))
                answer = self._parser.submit(files, found.source, found.origin, many=many)
                opened.pieces.append(({file.path for file in files}, answer))
        return opened

    def _same(self, source: EntitySource, includes: Sequence[tuple[str, str, str]]) -> bool:
        """Whether what was read beside the entity files is as it was."""
        for base, path, digest in includes:
            try:
                content = source.read_beside(base, path, self._ctx)
            except FlagstoneError:
                return False
            if digest_of_bytes(content) != digest:
                return False
        return True
