"""Writing entities: what is new, changed and gone in one transaction, with relations, documents and search rows.

Only entities whose own document or whose relations changed are written again ("stitched").
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from flagstone.kernel.ids import new_id
from flagstone.portal.catalog.model.draft import Draft, Status, assembled, reassembled, words_of
from flagstone.portal.catalog.model.search_rows import uid_row
from flagstone.portal.catalog.store.bulk import add_rows, insert_rows, update_rows
from flagstone.portal.catalog.store.reading import chunks
from flagstone.portal.catalog.store.tables import documents, entities, history, problems, relations, search, unstitched
from flagstone.toolkit.db import PortalDatabase, among, among_pairs


@dataclass(frozen=True, slots=True)
class Stored:
    """What a sync must know of an entity that is there already."""

    id: int
    ref: str
    uid: str
    digest: str
    location_id: str
    source_path: str
    source_line: int
    source_commit: str | None
    has_problems: bool


_STORED = (
    entities.c.id,
    entities.c.ref,
    entities.c.uid,
    entities.c.digest,
    entities.c.location_id,
    entities.c.source_path,
    entities.c.source_line,
    entities.c.source_commit,
    entities.c.has_problems,
)
_RELATED = select(relations.c.source_ref, relations.c.type, relations.c.target_ref)
_STITCHED = select(
    entities.c.id, entities.c.ref, entities.c.uid, entities.c.etag, entities.c.digest, documents.c.body
).select_from(entities.join(documents, documents.c.entity_id == entities.c.id))


class EntityWriter:
    """Changes of entities. Every method joins the current transaction."""

    def __init__(self, db: PortalDatabase) -> None:
        self._db = db

    def of_locations(self, location_ids: Collection[str]) -> dict[str, Stored]:
        """What is stored from some locations, by ref."""
        found: dict[str, Stored] = {}
        with self._db.read() as conn:
            for part in chunks(sorted(location_ids)):
                rows = conn.execute(select(*_STORED).where(among(conn, entities.c.location_id, part)))
                found |= {row.ref: Stored(*row) for row in rows}
        return found

    def of_paths(self, paths: Collection[tuple[str, str]]) -> dict[str, Stored]:
        """What is stored from some files, given by location and path, by ref."""
        found: dict[str, Stored] = {}
        with self._db.read() as conn:
            for part in chunks(sorted(paths)):
                where = among_pairs(conn, entities.c.location_id, entities.c.source_path, part)
                found |= {row.ref: Stored(*row) for row in conn.execute(select(*_STORED).where(where))}
        return found

    def count_of(self, location_id: str) -> int:
        """How many entities come from a location itself."""
        with self._db.read() as conn:
            statement = select(func.count()).select_from(entities).where(entities.c.location_id == location_id)
            return int(conn.execute(statement).scalar_one())

    def of_refs(self, refs: Collection[str]) -> dict[str, Stored]:
        """What is stored under some refs."""
        found: dict[str, Stored] = {}
        with self._db.read() as conn:
            for part in chunks(sorted(refs)):
                rows = conn.execute(select(*_STORED).where(among(conn, entities.c.ref, part)))
                found |= {row.ref: Stored(*row) for row in rows}
        return found

    def create(self, groups: Sequence[tuple[Sequence[Draft], str]], *, actor: str, now: datetime) -> set[str]:
        """Add entities of locations (given by id) with their documents. None of them may be there.

        Returns the refs of all whose relations change, also of those that are added.
        """
        placed = sorted(((draft, where) for group, where in groups for draft in group), key=lambda pair: pair[0].ref)
        drafts = [draft for draft, _ in placed]
        with self._db.write() as conn:
            uids = {draft.ref: new_id() for draft in drafts}
            statuses = self._statuses(conn, uids)
            finals = self._final(conn, drafts, uids, statuses)
            rows = [
                {
                    "uid": uids[draft.ref],
                    "ref": draft.ref,
                    "created_at": now,
                    "has_problems": draft.ref in statuses,
                    "etag": finals[draft.ref][1],
                }
                | _columns(draft, location_id, now)
                for draft, location_id in placed
            ]
            ids = add_rows(conn, entities, rows, key=["ref"], returning="ref")
            ids |= {ref: item.id for ref, item in self.of_refs(uids.keys() - ids.keys()).items()}
            texts = sorted((ids[d.ref], finals[d.ref][0], d.source_text) for d in drafts)
            insert_rows(conn, documents, ("entity_id", "body", "source"), texts)
            self._index(conn, drafts, ids, uids)
            self._remember(conn, ((d, uids[d.ref], "created", None, None) for d in drafts), actor, now)
        return _targets(drafts)

    @staticmethod
    def _final(
        conn: Connection, drafts: Sequence[Draft], uids: Mapping[str, str], statuses: Mapping[str, list[Status]]
    ) -> dict[str, tuple[str, str]]:
        """Documents and etags of what is not there yet: others may have said before how they are related to it."""
        related = _grouped((source, type_, target) for draft in drafts for source, type_, target in draft.relations)
        for part in chunks(sorted(uids)):
            for source, type_, target in conn.execute(_RELATED.where(among(conn, relations.c.source_ref, part))):
                related.setdefault(source, []).append((type_, target))
        return {
            d.ref: assembled(d.head, d.tail, d.digest, uids[d.ref], related.get(d.ref, ()), statuses.get(d.ref, ()))
            for d in drafts
        }

    @staticmethod
    def _statuses(conn: Connection, refs: Collection[str]) -> dict[str, list[Status]]:
        """Problems that the entities themselves show, by ref."""
        found: dict[str, list[Status]] = {}
        for part in chunks(sorted(refs)):
            where = (among(conn, problems.c.entity_ref, part), problems.c.level == "error")
            for ref, message in conn.execute(select(problems.c.entity_ref, problems.c.message).where(*where)):
                found.setdefault(ref, []).append(Status(message))
        return found

    def change(self, pairs: Sequence[tuple[Draft, Stored]], location_id: str, *, actor: str, now: datetime) -> set[str]:
        """Replace entities. Returns the refs of others whose relations change."""
        with self._db.write() as conn:
            ids = [stored.id for _, stored in pairs]
            affected = self._targets_of(conn, ids)
            before = self._bodies(conn, ids)
            statement = update(entities).where(entities.c.id == bindparam("b_id"))
            rows = [{"b_id": stored.id} | _columns(draft, location_id, now) for draft, stored in pairs]
            names = [name for name in rows[0] if name != "b_id"] if rows else []
            if rows:
                conn.execute(statement.values({name: bindparam(name) for name in names}), rows)
            sources = [{"b_id": stored.id, "source": draft.source_text} for draft, stored in pairs]
            if sources:
                conn.execute(update(documents).where(documents.c.entity_id == bindparam("b_id")), sources)
            self._forget(conn, ids)
            drafts = [draft for draft, _ in pairs]
            self._index(conn, drafts, {s.ref: s.id for _, s in pairs}, {s.ref: s.uid for _, s in pairs})
            changes = ((d, s.uid, "updated", before.get(s.id), s.digest) for d, s in pairs)
            self._remember(conn, changes, actor, now)
        return affected | _targets(drafts)

    def touch(self, pairs: Sequence[tuple[Draft, Stored]]) -> None:
        """Note where unchanged entities are found now."""
        rows = [
            {
                "b_id": stored.id,
                "source_path": draft.source_path,
                "source_ref": draft.source_ref,
                "source_line": draft.source_line,
                "source_commit": draft.source_commit,
                "view_url": draft.view_url,
                "edit_url": draft.edit_url,
            }
            for draft, stored in pairs
        ]
        if rows:
            names = [name for name in rows[0] if name != "b_id"]
            statement = update(entities).where(entities.c.id == bindparam("b_id"))
            with self._db.write() as conn:
                conn.execute(statement.values({name: bindparam(name) for name in names}), rows)

    def remove(self, gone: Sequence[Stored], *, actor: str, now: datetime, source: str) -> set[str]:
        """Delete entities, keeping what they were in the history. Returns the refs of others whose relations change."""
        if not gone:
            return set()
        with self._db.write() as conn:
            ids = [item.id for item in gone]
            affected = self._targets_of(conn, ids)
            before = self._bodies(conn, ids)
            rows = [
                {
                    "ref": item.ref,
                    "uid": item.uid,
                    "change": "deleted",
                    "at": now,
                    "actor": actor,
                    "commit": item.source_commit,
                    "source": source,
                    "before_digest": item.digest,
                    "after_digest": None,
                    "before": before.get(item.id),
                }
                for item in gone
            ]
            conn.execute(insert(history), rows)
            self._forget(conn, ids)
            for part in chunks(ids):
                conn.execute(delete(documents).where(among(conn, documents.c.entity_id, part)))
                conn.execute(delete(entities).where(among(conn, entities.c.id, part)))
        return affected

    def stitch(self, refs: Collection[str], drafts: Mapping[str, Draft]) -> int:
        """Write the final documents: from a draft, or from what is there. Returns how many changed."""
        changed = 0
        with self._db.write() as conn:
            for part in chunks(sorted(refs)):
                related = _grouped(conn.execute(_RELATED.where(among(conn, relations.c.source_ref, part))))
                statuses = self._statuses(conn, part)
                found = conn.execute(_STITCHED.where(among(conn, entities.c.ref, part))).all()
                bodies: list[tuple[int, str]] = []
                etags: list[tuple[int, str, bool]] = []
                for row in found:
                    draft = drafts.get(row.ref)
                    status, links = statuses.get(row.ref, []), related.get(row.ref, ())
                    if draft is not None:
                        body, etag = assembled(draft.head, draft.tail, draft.digest, row.uid, links, status)
                    else:
                        body, etag = reassembled(row.body, row.etag, row.digest, row.uid, links, status)
                    if etag != row.etag:
                        bodies.append((row.id, body))
                        etags.append((row.id, etag, bool(status)))
                update_rows(conn, documents, ("entity_id", "body"), bodies)
                update_rows(conn, entities, ("id", "etag", "has_problems"), etags)
                changed += len(etags)
        return changed

    def defer(self, refs: Collection[str]) -> None:
        """Note that the relations of entities have changed; :meth:`stitch_deferred` brings their documents up to it."""
        with self._db.write() as conn:
            add_rows(conn, unstitched, [{"ref": ref} for ref in sorted(refs)], key=["ref"])

    def deferred(self) -> bool:
        """Whether any document waits to be stitched."""
        with self._db.read() as conn:
            return conn.execute(select(unstitched.c.ref).limit(1)).first() is not None

    def stitch_deferred(self, limit: int) -> tuple[int, int]:
        """Stitch some of what was deferred. Returns how many were looked at, and how many changed."""
        with self._db.write() as conn:
            refs = list(conn.execute(select(unstitched.c.ref).order_by(unstitched.c.ref).limit(limit)).scalars())
            changed = self.stitch(refs, {})
            for part in chunks(refs):
                conn.execute(delete(unstitched).where(among(conn, unstitched.c.ref, part)))
        return len(refs), changed

    @staticmethod
    def _index(conn: Connection, drafts: Sequence[Draft], ids: Mapping[str, int], uids: Mapping[str, str]) -> None:
        insert_rows(
            conn,
            relations,
            ("declared_by", "source_ref", "type", "target_ref"),
            ((ids[draft.ref], *relation) for draft in drafts for relation in draft.relations),
        )
        insert_rows(
            conn,
            search,
            ("entity_id", "key", "value", "original"),
            # In the order of the index: its pages are then written once instead of many times.
            sorted(
                ((ids[d.ref], *row) for d in drafts for row in (*d.rows, uid_row(uids[d.ref]))),
                key=lambda row: (row[1], row[2] or ""),
            ),
        )

    @staticmethod
    def _forget(conn: Connection, ids: Sequence[int]) -> None:
        for part in chunks(ids):
            conn.execute(delete(search).where(among(conn, search.c.entity_id, part)))
            conn.execute(delete(relations).where(among(conn, relations.c.declared_by, part)))

    @staticmethod
    def _targets_of(conn: Connection, ids: Sequence[int]) -> set[str]:
        found: set[str] = set()
        for part in chunks(ids):
            rows = conn.execute(select(relations.c.source_ref).where(among(conn, relations.c.declared_by, part)))
            found |= set(rows.scalars())
        return found

    @staticmethod
    def _bodies(conn: Connection, ids: Sequence[int]) -> dict[int, str]:
        found: dict[int, str] = {}
        for part in chunks(ids):
            statement = select(documents.c.entity_id, documents.c.body).where(among(conn, documents.c.entity_id, part))
            found |= {row.entity_id: row.body for row in conn.execute(statement)}
        return found

    @staticmethod
    def _remember(
        conn: Connection,
        changes: Iterable[tuple[Draft, str, str, str | None, str | None]],
        actor: str,
        now: datetime,
    ) -> None:
        rows = [
            {
                "ref": draft.ref,
                "uid": uid,
                "change": change,
                "at": now,
                "actor": actor,
                "commit": draft.source_commit,
                "source": draft.source_ref,
                "before_digest": digest,
                "after_digest": draft.digest,
                "before": before,
            }
            for draft, uid, change, before, digest in changes
        ]
        add_rows(conn, history, rows)


def _columns(draft: Draft, location_id: str, now: datetime) -> dict[str, Any]:
    metadata = draft.data["metadata"]
    spec = draft.data.get("spec") or {}
    kind, _, rest = draft.ref.partition(":")
    title = _title(metadata, spec)
    return {
        "kind": kind,
        "namespace": rest.partition("/")[0],
        "name": metadata["name"],
        "title": title,
        "sort_name": (title or metadata["name"]).lower(),
        "type": _lower(spec.get("type")),
        "lifecycle": _lower(spec.get("lifecycle")),
        "owner_ref": draft.owner,
        "system_ref": draft.system,
        "digest": draft.digest,
        "location_id": location_id,
        "source_ref": draft.source_ref,
        "source_path": draft.source_path,
        "source_line": draft.source_line,
        "source_commit": draft.source_commit,
        "view_url": draft.view_url,
        "edit_url": draft.edit_url,
        "updated_at": now,
        "tags": " ".join(metadata.get("tags") or ()),
        "description": metadata.get("description") or "",
        "words": words_of(draft.data, draft.owner),
    }


def _title(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    if metadata.get("title"):
        return str(metadata["title"])
    profile = spec.get("profile")
    return str(profile.get("displayName") or "") if isinstance(profile, Mapping) else ""


def _lower(value: object) -> str:
    return value.lower() if isinstance(value, str) else ""


def _targets(drafts: Iterable[Draft]) -> set[str]:
    return {source for draft in drafts for source, _, _ in draft.relations}


def _grouped(rows: Iterable[Any]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for source, type_, target in rows:
        found.setdefault(source, []).append((type_, target))
    return found
