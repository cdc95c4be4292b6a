"""The Location entity that stands for each registered location, as Backstage has them.

It is made, told of failures and removed with its location. It sorts before the first letter: lists and counts of the
product itself leave out what does, because the location has a page of its own; the Backstage API shows it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from flagstone.kernel.clock import utc_now
from flagstone.kernel.ids import new_id
from flagstone.portal.catalog.model.draft import Status, digest_of, final
from flagstone.portal.catalog.model.search_rows import search_rows
from flagstone.portal.catalog.store.bulk import insert_rows
from flagstone.portal.catalog.store.tables import cursors, documents, entities, locations, problems, search
from flagstone.toolkit.db import insert_ignore

PREFIX = "self:"
"""Before a location's id: what such an entity has as its location."""

_BEFORE_LETTERS = "\x01"
_ERRORS = {"source.missing": "NotFoundError", "source.refused": "NotAllowedError", "source.denied": "NotAllowedError"}


def generated_name(type_: str, target: str) -> str:
    """The name of the Location entity of a target."""
    return f"generated-{hashlib.sha1(f'{type_}:{target}'.encode(), usedforsecurity=False).hexdigest()}"


def document(type_: str, target: str, name: str) -> dict[str, Any]:
    """The entity as a file would declare it."""
    ref = f"{type_}:{target}"
    by = {"backstage.io/managed-by-location": ref, "backstage.io/managed-by-origin-location": ref}
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Location",
        "metadata": {"name": name, "namespace": "default", "annotations": by},
        "spec": {"type": type_, "target": target},
    }


def tell(conn: Connection, location_id: str) -> None:
    """Bring the entity of a location in line with it; a location that others lead to has none."""
    row = conn.execute(
        select(locations.c.type, locations.c.target, locations.c.origin, locations.c.error).where(
            locations.c.id == location_id
        )
    ).first()
    if row is None or row.origin == "child":
        return
    known = conn.execute(
        select(entities.c.id, entities.c.uid, entities.c.name, entities.c.etag, entities.c.digest).where(
            entities.c.location_id == PREFIX + location_id
        )
    ).first()
    name = known.name if known else generated_name(row.type, row.target)
    data = document(row.type, row.target, name)
    uid = known.uid if known else new_id()
    body, etag = final(data, uid, (), _statuses(conn, location_id, row.error))
    if known is not None and known.etag == etag:
        return
    now, digest = utc_now(), digest_of(data)
    if known is None:
        number = _add(conn, location_id, row.type, row.target, name, uid, now)
        if number is None:
            return
        conn.execute(insert(documents).values(entity_id=number, body=body, source=""))
    else:
        number = known.id
        conn.execute(update(documents).where(documents.c.entity_id == number).values(body=body))
    values = {"etag": etag, "digest": digest, "updated_at": now, "has_problems": row.error is not None}
    conn.execute(update(entities).where(entities.c.id == number).values(values))
    if known is None or known.digest != digest:
        conn.execute(delete(search).where(search.c.entity_id == number))
        rows = ((number, *item) for item in search_rows(data, uid))
        insert_rows(conn, search, ("entity_id", "key", "value", "original"), rows)
    _changed(conn)


def drop(conn: Connection, location_ids: list[str]) -> None:
    """Remove the entities of locations."""
    where = entities.c.location_id.in_([PREFIX + id_ for id_ in location_ids])
    numbers = list(conn.execute(select(entities.c.id).where(where)).scalars())
    if numbers:
        for table in (search, documents):
            conn.execute(delete(table).where(table.c.entity_id.in_(numbers)))
        conn.execute(delete(entities).where(where))
        _changed(conn)


def _statuses(conn: Connection, location_id: str, error: str | None) -> list[Status]:
    if error is None:
        return []
    where = (problems.c.location_id == location_id, problems.c.code == "catalog.source_failed")
    code = conn.execute(select(problems.c.field).where(*where)).scalar()
    return [Status(error, _ERRORS.get(code or "", "Error"))]


def _add(conn: Connection, location_id: str, type_: str, target: str, name: str, uid: str, now: datetime) -> int | None:
    ref = f"location:default/{name}"
    empty = dict.fromkeys(
        ("title", "lifecycle", "owner_ref", "system_ref", "etag", "digest", "tags", "description", "words"), ""
    )
    values = empty | {
        "uid": uid,
        "ref": ref,
        "kind": "location",
        "namespace": "default",
        "name": name,
        "sort_name": _BEFORE_LETTERS + name,
        "type": type_.lower(),
        "location_id": PREFIX + location_id,
        "source_ref": f"{type_}:{target}",
        "source_path": target,
        "source_line": 1,
        "has_problems": False,
        "created_at": now,
        "updated_at": now,
    }
    if not insert_ignore(conn, entities, values, key=["ref"]):
        return None
    return int(conn.execute(select(entities.c.id).where(entities.c.ref == ref)).scalar_one())


def _changed(conn: Connection) -> None:
    insert_ignore(conn, cursors, {"name": "revision", "value": 0}, key=["name"])
    conn.execute(update(cursors).where(cursors.c.name == "revision").values(value=cursors.c.value + 1))
