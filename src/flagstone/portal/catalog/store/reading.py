"""Reading entities: lists in two steps (narrow rows, then documents), facets, relations, options."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select, and_, bindparam, distinct, func, literal, or_, select

from flagstone.kernel.paging import Page, clamp_limit
from flagstone.portal.catalog.model import CatalogQuery, Entity, EntityRow, EntitySource, FacetValue, Relation
from flagstone.portal.catalog.store import queries
from flagstone.portal.catalog.store.survey import FIELDS, Survey
from flagstone.portal.catalog.store.tables import documents, entities, locations, relations, search
from flagstone.portal.catalog.store.words import has_words, match_of
from flagstone.toolkit.db import PortalDatabase

_ROW_COLUMNS = (
    entities.c.id,
    entities.c.ref,
    entities.c.uid,
    entities.c.kind,
    entities.c.namespace,
    entities.c.name,
    entities.c.title,
    entities.c.sort_name,
    entities.c.type,
    entities.c.lifecycle,
    entities.c.owner_ref,
    entities.c.system_ref,
    entities.c.description,
    entities.c.tags,
    entities.c.has_problems,
    entities.c.updated_at,
)
_FACETS = {
    "kinds": entities.c.kind,
    "types": entities.c.type,
    "owners": entities.c.owner_ref,
    "lifecycles": entities.c.lifecycle,
    "systems": entities.c.system_ref,
    "namespaces": entities.c.namespace,
}
_CHUNK = 500
_MOST_SURVEYED = 40_000

# Which index is named, because without statistics of it SQLite would read the wide rows instead.
_FOUND = (
    "SELECT e.kind, e.type, e.lifecycle, e.owner_ref, e.tags, 1"
    " FROM catalog_entities e INDEXED BY catalog_entities_found"
    " WHERE e.id IN (SELECT rowid FROM catalog_words WHERE catalog_words MATCH ?) AND e.sort_name >= ' '"
    " LIMIT ?"
)

# Statements that every page asks are made once: making one costs as much as asking it.
_ENTITY = select(
    entities,
    documents.c.body,
    locations.c.type.label("location_type"),
    locations.c.target.label("location_target"),
    locations.c.read_at.label("location_read_at"),
).select_from(
    entities.join(documents, documents.c.entity_id == entities.c.id).outerjoin(
        locations, locations.c.id == entities.c.location_id
    )
)
_ENTITIES = {
    column.name: _ENTITY.where(column.in_(bindparam("values", expanding=True)))
    for column in (entities.c.ref, entities.c.uid)
}
_ROWS = select(*_ROW_COLUMNS).where(entities.c.ref.in_(bindparam("refs", expanding=True)))
_RELATIONS = (
    select(relations.c.source_ref, relations.c.type, relations.c.target_ref)
    .distinct()
    .where(relations.c.source_ref.in_(bindparam("refs", expanding=True)))
)
_RELATIONS_OF = _RELATIONS.where(relations.c.type.in_(bindparam("types", expanding=True)))

T = TypeVar("T")


def chunks(items: Sequence[T], size: int = _CHUNK) -> Iterator[Sequence[T]]:
    """Slices that fit into the parameters of one statement."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


class EntityReader:
    """Queries. Knows nothing of principals: what a reader may see is a condition of the query."""

    def __init__(self, db: PortalDatabase) -> None:
        self._db = db

    def page(self, query: CatalogQuery) -> Page[EntityRow]:
        """A page of rows, sorted."""
        rows, cursor = self._rows(query)
        return Page(tuple(_row(row) for row in rows), cursor, self.count(query) if query.count else None)

    def texts(self, query: CatalogQuery) -> Page[str]:
        """A page of documents, as stored."""
        rows, cursor = self._rows(query)
        ids = [row.id for row in rows]
        with self._db.read() as conn:
            found = conn.execute(select(documents.c.entity_id, documents.c.body).where(documents.c.entity_id.in_(ids)))
            bodies = {row.entity_id: row.body for row in found}
        texts = tuple(bodies[id_] for id_ in ids if id_ in bodies)
        return Page(texts, cursor, self.count(query) if query.count else None)

    def _rows(self, query: CatalogQuery) -> tuple[Sequence[Any], str | None]:
        if query.owners == () or query.refs == ():
            return (), None
        limit = clamp_limit(query.limit)
        chosen: Select[Any] = (
            select(entities.c.id)
            .where(*queries.conditions(query), queries.after(query))
            .order_by(*queries.order(query))
            .limit(limit + 1)
        )
        if query.text:
            # Sorting what words have found needs narrow columns only, which an index holds.
            statement = select(*_ROW_COLUMNS).where(entities.c.id.in_(chosen)).order_by(*queries.order(query))
        else:
            statement = chosen.with_only_columns(*_ROW_COLUMNS)
        with self._db.read() as conn:
            rows = conn.execute(statement).all()
        if len(rows) <= limit:
            return rows, None
        return rows[:limit], queries.cursor_of(query, rows[limit - 1])

    def count(self, query: CatalogQuery) -> int:
        """How many match, whatever the page."""
        if query.owners == () or query.refs == ():
            return 0
        with self._db.read() as conn:
            return int(
                conn.execute(select(func.count()).select_from(entities).where(*queries.conditions(query))).scalar_one()
            )

    def facet(self, query: CatalogQuery, name: str, *, limit: int = 200) -> list[FacetValue]:
        """Values of one field with counts, most frequent first, as if the field itself were not filtered."""
        where = queries.conditions(query, skip={name})
        column = _FACETS.get(name)
        number = func.count()
        statement: Select[Any]
        if column is not None:
            statement = (
                select(column.label("value"), number.label("number")).where(column != "", *where).group_by(column)
            )
        else:
            column = search.c.value
            statement = (
                select(column.label("value"), number.label("number"))
                .where(search.c.key == "metadata.tags", column.is_not(None))
                .group_by(column)
            )
            if len(where) > len(queries.conditions(CatalogQuery())):
                statement = statement.where(search.c.entity_id.in_(select(entities.c.id).where(*where)))
        with self._db.read() as conn:
            rows = conn.execute(statement.order_by(number.desc(), column).limit(limit)).all()
        return [FacetValue(row.value, row.number) for row in rows]

    def survey(self, query: CatalogQuery) -> Survey | None:
        """What everything but the fields of facets chooses, for counting; None when that is too much."""
        wanted = (entities.c.kind, entities.c.type, entities.c.lifecycle, entities.c.owner_ref)
        where = queries.conditions(query, skip=FIELDS)
        if match := self._only_words(query):
            with self._db.read() as conn:
                # Ten thousand rows: making objects of them takes as long as finding them.
                driver: Any = conn.connection.driver_connection
                return _surveyed(driver.execute(_FOUND, (match, _MOST_SURVEYED + 1)).fetchall(), tagged=True)
        if query.text:
            statement: Select[Any] = select(*wanted, entities.c.tags, literal(1)).where(*where)
        else:
            # In the order of the index, and without tags: of those there are nearly as many sets as entities.
            order = (entities.c.kind, entities.c.type, entities.c.owner_ref, entities.c.lifecycle)
            statement = select(*wanted, literal(""), func.count()).where(*where).group_by(*order)
        with self._db.read() as conn:
            rows = conn.execute(statement.limit(_MOST_SURVEYED + 1)).all()
            # The same few texts again and again: kept once, they take a fifth of the memory.
            keep = dict[str, str]().setdefault
            same = [(*(keep(text, text) for text in row[:-1]), row[-1]) for row in rows]
            return _surveyed(same, tagged=bool(query.text))

    def _only_words(self, query: CatalogQuery) -> str:
        if not self._db.is_sqlite or not query.text or query != CatalogQuery(text=query.text):
            return ""
        return match_of(queries.sound([query.text])[0])

    def values(self, query: CatalogQuery, key: str) -> list[FacetValue]:
        """Values of any search key as written, with the number of entities, sorted by value."""
        number = func.count(distinct(search.c.entity_id))
        original = func.coalesce(search.c.original, search.c.value)
        statement = (
            select(original.label("value"), number.label("number"))
            .select_from(search.join(entities, entities.c.id == search.c.entity_id))
            .where(search.c.key == queries.sound([key])[0], search.c.value.is_not(None), *queries.conditions(query))
            .group_by(original)
        )
        with self._db.read() as conn:
            return sorted((FacetValue(row.value, row.number) for row in conn.execute(statement)), key=lambda v: v.value)

    def rows(self, refs: Collection[str]) -> dict[str, EntityRow]:
        """Rows by ref; missing ones are left out."""
        found: dict[str, EntityRow] = {}
        with self._db.read() as conn:
            for part in chunks(sorted(set(queries.sound(refs)))):
                found |= {row.ref: _row(row) for row in conn.execute(_ROWS, {"refs": part})}
        return found

    def options(self, kinds: Collection[str], text: str, limit: int) -> list[EntityRow]:
        """Rows to choose from: those whose name starts with the text first. What stands for a location is left out."""
        statement = select(*_ROW_COLUMNS).where(entities.c.sort_name >= " ")
        text = queries.sound([text])[0]
        if kinds:
            statement = statement.where(entities.c.kind.in_(queries.sound(kinds)))
        if text.strip():
            statement = statement.where(has_words(text))
        starts = or_(
            entities.c.sort_name.startswith(text.strip(), autoescape=True),
            func.lower(entities.c.name).startswith(text.strip(), autoescape=True),
        )
        statement = statement.order_by(starts.desc(), entities.c.sort_name, entities.c.id).limit(limit)
        with self._db.read() as conn:
            return [_row(row) for row in conn.execute(statement)]

    def entities(self, refs: Collection[str]) -> dict[str, Entity]:
        """Whole entities by ref; missing ones are left out."""
        return self._entities("ref", sorted(set(queries.sound(refs))))

    def entity_by_uid(self, uid: str) -> Entity | None:
        """One entity by its uid."""
        return next(iter(self._entities("uid", [uid]).values()), None)

    def _entities(self, column: str, values: Sequence[str]) -> dict[str, Entity]:
        found: dict[str, Entity] = {}
        with self._db.read() as conn:
            for part in chunks(values):
                for row in conn.execute(_ENTITIES[column], {"values": part}):
                    found[row.ref] = _entity(row)
        return found

    def source_text(self, ref: str) -> str | None:
        """The document as it was written."""
        statement = (
            select(documents.c.source)
            .select_from(documents.join(entities, entities.c.id == documents.c.entity_id))
            .where(entities.c.ref == queries.sound([ref])[0])
        )
        with self._db.read() as conn:
            return conn.execute(statement).scalar()

    def owners_of_locations(self, location_ids: Collection[str]) -> set[str]:
        """Owners of everything that was read from some locations; an empty text stands for "nobody"."""
        found: set[str] = set()
        with self._db.read() as conn:
            for part in chunks(sorted(location_ids)):
                statement = select(entities.c.owner_ref).where(entities.c.location_id.in_(part)).distinct()
                found |= set(conn.execute(statement).scalars())
        return found

    def relations(self, refs: Collection[str], types: Collection[str] = ()) -> list[Relation]:
        """Relations that start at any of the refs, in order."""
        found: list[Relation] = []
        named = {"types": [name.replace("\0", queries.NO_CHARACTER) for name in types]} if types else {}
        statement = _RELATIONS_OF if types else _RELATIONS
        with self._db.read() as conn:
            for part in chunks(sorted(queries.sound(refs))):
                rows = conn.execute(statement, {"refs": part, **named})
                found += [Relation(row.source_ref, row.type, row.target_ref) for row in rows]
        return sorted(found, key=lambda item: (item.source, item.type, item.target))

    def dangling(self, limit: int) -> list[Relation]:
        """Declared relations whose target is not in the catalog."""
        target = entities.alias("target")
        statement = (
            select(relations.c.source_ref, relations.c.type, relations.c.target_ref)
            .select_from(
                relations.join(
                    entities, and_(entities.c.ref == relations.c.source_ref, entities.c.id == relations.c.declared_by)
                ).outerjoin(target, target.c.ref == relations.c.target_ref)
            )
            .where(target.c.id.is_(None))
            .order_by(relations.c.source_ref, relations.c.type, relations.c.target_ref)
            .limit(limit)
        )
        with self._db.read() as conn:
            return [Relation(row.source_ref, row.type, row.target_ref) for row in conn.execute(statement)]


def _surveyed(rows: Sequence[Any], *, tagged: bool) -> Survey | None:
    return Survey(rows, queries.sound, tagged=tagged) if len(rows) <= _MOST_SURVEYED else None


def _row(row: Any) -> EntityRow:
    return EntityRow(
        row.id,
        row.ref,
        row.uid,
        row.kind,
        row.namespace,
        row.name,
        row.title or row.name,
        row.type,
        row.lifecycle,
        row.owner_ref or None,
        row.system_ref or None,
        row.description,
        tuple(row.tags.split()),
        row.has_problems,
        row.updated_at,
    )


def _entity(row: Any) -> Entity:
    data = json.loads(row.body)
    return Entity(
        ref=row.ref,
        uid=row.uid,
        kind=data["kind"],
        namespace=row.namespace,
        name=row.name,
        title=row.title or row.name,
        type=row.type,
        lifecycle=row.lifecycle,
        owner=row.owner_ref or None,
        system=row.system_ref or None,
        etag=row.etag,
        data=data,
        text=row.body,
        source=EntitySource(
            row.location_id,
            row.location_type or "",
            row.location_target or "",
            row.source_ref,
            row.source_path,
            row.source_line,
            row.source_commit,
            row.location_read_at,
            row.view_url,
            row.edit_url,
        ),
        created_at=row.created_at,
        updated_at=row.updated_at,
        has_problems=row.has_problems,
    )
