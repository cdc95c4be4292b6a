"""Which entities, with which answers, what came of looking at each, and how batches are shown."""

from flagstone.portal.batches.model.previews import (
    AskedSecret,
    Candidate,
    Judged,
    Place,
    Preview,
    at_place,
    digest_of,
    put_at,
)
from flagstone.portal.batches.model.queries import PLACES, Answers, BatchOptions, EntityQuery, read_place
from flagstone.portal.batches.model.showing import Bar, bars, dot_of, word_of

__all__ = [
    "PLACES",
    "Answers",
    "AskedSecret",
    "Bar",
    "BatchOptions",
    "Candidate",
    "EntityQuery",
    "Judged",
    "Place",
    "Preview",
    "at_place",
    "bars",
    "digest_of",
    "dot_of",
    "put_at",
    "read_place",
    "word_of",
]
