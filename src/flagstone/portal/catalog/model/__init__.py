"""The catalog's words and rules, pure: what an entity is, when it is valid, what it relates to, how it is searched.

No database, no files, no network.
"""

from flagstone.portal.catalog.model.entity import (
    SORT_FIELDS,
    CatalogProblem,
    CatalogQuery,
    Change,
    Entity,
    EntityRow,
    EntitySource,
    FacetValue,
    FilterTerms,
    Graph,
    Held,
    Location,
    LocationOrigin,
    LocationState,
    RelatedEntity,
    Relation,
    SortField,
)

__all__ = [
    "SORT_FIELDS",
    "CatalogProblem",
    "CatalogQuery",
    "Change",
    "Entity",
    "EntityRow",
    "EntitySource",
    "FacetValue",
    "FilterTerms",
    "Graph",
    "Held",
    "Location",
    "LocationOrigin",
    "LocationState",
    "RelatedEntity",
    "Relation",
    "SortField",
]
