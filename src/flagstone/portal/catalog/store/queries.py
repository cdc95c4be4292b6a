"""From a query to SQL: conditions, order, and the position that a cursor means. All values are bound, never spliced."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, or_, select, true

from flagstone.kernel.errors import Invalid
from flagstone.kernel.paging import decode_cursor, encode_cursor
from flagstone.portal.catalog.model import CatalogQuery, FilterTerms
from flagstone.portal.catalog.store.tables import entities, relations, search, stars
from flagstone.portal.catalog.store.words import has_words

_SORT_COLUMNS: dict[str, ColumnElement[Any]] = {
    "name": entities.c.sort_name,
    "kind": entities.c.kind,
    "type": entities.c.type,
    "owner": entities.c.owner_ref,
    "lifecycle": entities.c.lifecycle,
    "system": entities.c.system_ref,
    "updated": entities.c.updated_at,
}
_MAY_BE_MISSING = frozenset({"type", "owner", "lifecycle", "system"})

Conditions = list[ColumnElement[bool]]


NO_CHARACTER = "\ufffd"
"""Stands for NUL, which PostgreSQL refuses in any text and no stored text holds."""


def sound(texts: Iterable[str]) -> list[str]:
    """Texts to compare with: lower case, and fit for every database."""
    return [text.replace("\0", NO_CHARACTER).lower() for text in texts]


def conditions(query: CatalogQuery, *, skip: Collection[str] = ()) -> Conditions:
    """What rows must satisfy. ``skip`` names fields to leave out: a facet counts as if its own choice were not made."""
    # Entities that stand for registered locations sort before the first letter. The empty text keeps the database from
    # taking this, which nearly everything fulfils, for a reason to walk along the names.
    found: Conditions = [entities.c.sort_name + "" >= " "]
    for name, column in (
        ("kinds", entities.c.kind),
        ("types", entities.c.type),
        ("lifecycles", entities.c.lifecycle),
        ("systems", entities.c.system_ref),
        ("namespaces", entities.c.namespace),
    ):
        values: tuple[str, ...] = getattr(query, name)
        if values and name not in skip:
            found.append(column.in_(sound(values)))
    for name, column in (("owners", entities.c.owner_ref), ("refs", entities.c.ref)):
        wanted: tuple[str, ...] | None = getattr(query, name)
        if wanted is not None and name not in skip:
            found.append(column.in_(sound(wanted)))
    found += _few(query)
    if query.tags and "tags" not in skip:
        found.append(_has("metadata.tags", sound(query.tags)))
    if query.text and query.text.strip() and "text" not in skip:
        found.append(has_words(sound([query.text])[0]))
    if query.filters:
        found.append(or_(*(_all_terms(terms) for terms in query.filters)))
    return found


def _few(query: CatalogQuery) -> Conditions:
    found: Conditions = []
    if query.without_owner:
        found.append(entities.c.owner_ref == "")
    if query.starred_by is not None:
        found.append(
            entities.c.ref.in_(
                select(stars.c.ref).where(stars.c.user_id == query.starred_by.replace("\0", NO_CHARACTER))
            )
        )
    return found


def _all_terms(terms: FilterTerms) -> ColumnElement[bool]:
    by_key: dict[str, list[str | None]] = {}
    for key, value in terms:
        by_key.setdefault(sound([key.strip()])[0], []).append(None if value is None else sound([value.strip()])[0])
    parts: list[ColumnElement[bool]] = []
    for key, values in by_key.items():
        exact = [value for value in values if value is not None]
        parts.append(_has(key, None if len(exact) < len(values) else exact))
    return and_(*parts) if parts else true()


def _has(key: str, values: Iterable[str] | None) -> ColumnElement[bool]:
    if key.startswith("relations."):
        related = select(relations.c.source_ref).where(_lower_type(key.removeprefix("relations.")))
        if values is not None:
            related = related.where(relations.c.target_ref.in_(list(values)))
        return entities.c.ref.in_(related)
    if key == "kind" and values is not None:
        return entities.c.kind.in_(list(values))
    found = select(search.c.entity_id).where(search.c.key == key)
    if values is not None:
        found = found.where(search.c.value.in_(list(values)))
    return entities.c.id.in_(found)


def _lower_type(wanted: str) -> ColumnElement[bool]:
    known = [name for name in RELATION_NAMES if name.lower() == wanted]
    return relations.c.type.in_(known) if known else relations.c.type == wanted


RELATION_NAMES = (
    *("ownedBy", "ownerOf", "partOf", "hasPart", "providesApi", "apiProvidedBy", "consumesApi", "apiConsumedBy"),
    *("dependsOn", "dependencyOf", "memberOf", "hasMember", "childOf", "parentOf"),
)


def order(query: CatalogQuery) -> list[ColumnElement[Any]]:
    """ORDER BY: the wanted column, those without a value last, then the id, so that there is only one order."""
    column = _SORT_COLUMNS[query.sort]
    parts: list[ColumnElement[Any]] = [column.asc(), entities.c.id.asc()]
    if query.descending:
        parts = [column.desc(), entities.c.id.desc()]
    return [_missing(column), *parts] if query.sort in _MAY_BE_MISSING else parts


def after(query: CatalogQuery) -> ColumnElement[bool]:
    """The rows behind the cursor. Raises Invalid (``paging.bad_cursor``) for one of another order."""
    if query.cursor is None:
        return true()
    values = decode_cursor(query.cursor)
    if len(values) != 4 or values[:2] != [query.sort, int(query.descending)] or not isinstance(values[3], int):
        raise Invalid(
            "paging.bad_cursor", "The cursor belongs to another list.", hint="Start again from the first page."
        )
    column = _SORT_COLUMNS[query.sort]
    value: Any = values[2]
    if query.sort == "updated":
        value = _moment(value)
    elif not isinstance(value, str):
        raise Invalid("paging.bad_cursor", "The cursor is not one that this server gave out.")
    id_ = entities.c.id
    beyond = id_ < values[3] if query.descending else id_ > values[3]
    further = column < value if query.descending else column > value
    behind = or_(further, and_(column == value, beyond))
    if query.sort not in _MAY_BE_MISSING:
        return behind
    if value == "":
        return and_(column == "", beyond)
    return or_(column == "", and_(column != "", behind))


def cursor_of(query: CatalogQuery, row: Any) -> str:
    """The cursor of the page after ``row``."""
    value = getattr(row, _SORT_COLUMNS[query.sort].key or "")
    if query.sort == "updated":
        value = value.isoformat()
    return encode_cursor(query.sort, int(query.descending), value, row.id)


def _missing(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((column == "", 1), else_=0)


def _moment(value: object) -> Any:
    try:
        return datetime.fromisoformat(str(value))
    except ValueError as error:
        raise Invalid("paging.bad_cursor", "The cursor is not one that this server gave out.") from error
