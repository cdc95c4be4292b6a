"""The catalog: what exists, who owns it, how it hangs together, and where each fact comes from.

Vocabulary: an *entity* is one thing (``kind:namespace/name``) described by a document in a file; a *location* is
somewhere such files are read from; a *relation* is directed and always has its opposite; a *problem* is something wrong
in a file, kept until the file is mended. Does not belong here: anything that changes the world outside, and what is
specific to one integration (that is a plugin: a kind, a source or a card).

Names are loaded when they are asked for: a process that parses documents needs neither web nor database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagstone.kernel.lazy import lazily

if TYPE_CHECKING:
    from flagstone.portal.catalog.api.flagstone import parse_filter
    from flagstone.portal.catalog.model import (
        CatalogProblem,
        CatalogQuery,
        Change,
        Entity,
        EntityRow,
        EntitySource,
        FacetValue,
        Graph,
        Location,
        RelatedEntity,
        Relation,
    )
    from flagstone.portal.catalog.service.catalog import CatalogService
    from flagstone.portal.catalog.service.ingest import IngestService
    from flagstone.portal.catalog.service.locations import LocationService, Preview, PreviewEntity
    from flagstone.portal.catalog.service.offline import Verdict, judge
    from flagstone.portal.catalog.service.records import Beside, RecordService, StarService
    from flagstone.portal.catalog.web.cards import CardRegistry, ShownCard

__all__ = [
    "Beside",
    "CardRegistry",
    "CatalogProblem",
    "CatalogQuery",
    "CatalogService",
    "Change",
    "Entity",
    "EntityRow",
    "EntitySource",
    "FacetValue",
    "Graph",
    "IngestService",
    "Location",
    "LocationService",
    "Preview",
    "PreviewEntity",
    "RecordService",
    "RelatedEntity",
    "Relation",
    "ShownCard",
    "StarService",
    "Verdict",
    "judge",
    "parse_filter",
]

__getattr__ = lazily(
    __name__,
    {
        "Beside": "service.records",
        "CardRegistry": "web.cards",
        "CatalogProblem": "model",
        "CatalogQuery": "model",
        "CatalogService": "service.catalog",
        "Change": "model",
        "Entity": "model",
        "EntityRow": "model",
        "EntitySource": "model",
        "FacetValue": "model",
        "Graph": "model",
        "IngestService": "service.ingest",
        "Location": "model",
        "LocationService": "service.locations",
        "Preview": "service.locations",
        "PreviewEntity": "service.locations",
        "RecordService": "service.records",
        "RelatedEntity": "model",
        "Relation": "model",
        "ShownCard": "web.cards",
        "StarService": "service.records",
        "Verdict": "service.offline",
        "judge": "service.offline",
        "parse_filter": "api.flagstone",
    },
)
