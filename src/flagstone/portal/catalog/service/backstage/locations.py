"""Locations, refreshing and deleting as the Backstage API does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.kernel.actor import Principal
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Conflict, FlagstoneError, Invalid, NotFound
from flagstone.kernel.refs import parse_ref
from flagstone.portal.catalog.model import Entity, Location
from flagstone.portal.catalog.model.cursors import decode, encode, malformed
from flagstone.portal.catalog.model.documents import children_of
from flagstone.portal.catalog.model.predicates import All, AnyOf, Has, Not, Predicate, Starts
from flagstone.portal.catalog.service.documents import Child
from flagstone.portal.catalog.service.ingest import IngestService
from flagstone.portal.catalog.service.locations import LocationService
from flagstone.portal.catalog.store import CatalogStore
from flagstone.portal.catalog.store.origins import PREFIX, document, generated_name

_MAX_TRIED = 50
_MAX_DEPTH = 20
_REGISTERED = ("user", "event")


@dataclass(frozen=True, slots=True)
class Registered:
    """A registered location as clients know it."""

    id: str
    type: str
    target: str
    entity_ref: str

    def as_dict(self) -> dict[str, str]:
        """For JSON."""
        return {"id": self.id, "type": self.type, "target": self.target, "entityRef": self.entity_ref}


@dataclass(frozen=True, slots=True)
class Tried:
    """What a location would bring."""

    location: Registered
    entities: tuple[dict[str, Any], ...]
    exists: bool


@dataclass(frozen=True, slots=True)
class Ancestor:
    """An entity on the way up, and the Location entities that lead to it."""

    entity: Entity
    parents: tuple[str, ...]


class BackstageLocations:
    """Only registered locations are known here: those of the settings show as Location entities, as in Backstage."""

    def __init__(
        self,
        store: CatalogStore,
        ingest: IngestService,
        locations: LocationService,
        access: AccessService,
        audit: AuditLog,
        wake: Callable[[], None],
        *,
        now: Now = utc_now,
    ) -> None:
        self._store = store
        self._ingest = ingest
        self._locations = locations
        self._access = access
        self._audit = audit
        self._wake = wake
        self._now = now

    def all(self) -> list[Registered]:
        """Every registered location, by id."""
        return [Registered(*row) for row in self._store.locations.registered(_REGISTERED)]

    def query(self, query: object, cursor: str | None, limit: int) -> tuple[list[Registered], int, str | None]:
        """A page of those that match, how many match, and the cursor of the next page."""
        after = ""
        if cursor is not None:
            value = decode(cursor)
            if not isinstance(value.get("lastId"), str):
                raise malformed()
            query, after = value.get("query"), value["lastId"]
        where = None if query is None else _parsed(query)
        total, rows = self._store.locations.search(_REGISTERED, where, after=after, limit=limit + 1)
        found = [Registered(*row) for row in rows]
        following = None
        if len(found) > limit:
            following = encode({"lastId": found[limit - 1].id, **({} if query is None else {"query": query})})
        return found[:limit], total, following

    def get(self, location_id: str) -> Registered:
        """One. Raises NotFound (``catalog.no_location``)."""
        location = self._store.locations.get(location_id.replace("\0", ""))
        if location is None or location.origin not in _REGISTERED:
            raise NotFound("catalog.no_location", f"Found no location with ID {location_id:.100}")
        return self._registered(location)

    def of_entity(self, ref: str) -> Registered:
        """The registered location that an entity comes from. Raises NotFound."""
        entity = self._entity(ref)
        id_ = entity.source.location_id
        own = id_.removeprefix(PREFIX)
        location = self._store.locations.get(own)
        if location is not None and location.origin == "child":
            location = self._locations.origin_of(location)
        if location is None or location.origin not in _REGISTERED:
            raise NotFound("catalog.no_location", f"No location found for entity {ref:.200}")
        return self._registered(location)

    def register(self, principal: Principal, type_: str, target: str, *, refresh_known: bool) -> Registered:
        """Register; it is read soon. Raises Conflict when it is there, unless it shall then be read again."""
        type_, target = self._allowed(principal, type_, target)
        self._locations.check_writable()
        known = self._store.locations.find(type_, target)
        if known is not None and known.origin != "child":
            if not refresh_known:
                raise Conflict("catalog.location_exists", f"Location {type_}:{target} already exists")
            self._hurry([known.id])
            return self._registered(known)
        with self._store.transaction():
            location, new = self._store.locations.add(type_, target, origin="user", actor=principal.id, now=self._now())
            if new:
                self._audit.record(principal, "catalog.location.create", location.ref)
        self._hurry([location.id])
        return self._registered(location)

    def attempt(self, principal: Principal, type_: str, target: str) -> Tried:
        """Read all that a location leads to, and write nothing. Raises Invalid with what is wrong."""
        type_, target = self._allowed(principal, type_, target)
        name = generated_name(type_, target)
        entities = [document(type_, target, name)]
        faults: list[str] = []
        waiting, seen = [Child(type_, target, "required")], set[Child]()
        while waiting and len(seen) < _MAX_TRIED:
            child = waiting.pop(0)
            if child in seen:
                continue
            seen.add(child)
            try:
                _snapshot, parsed = self._ingest.look(child.type, child.target)
            except FlagstoneError as error:
                if child.presence != "optional":
                    faults.append(f"{child.type}:{child.target}: {error.message}")
                continue
            entities += [dict(draft.data) for draft in parsed.drafts]
            faults += [str(found.problem) for found in parsed.problems if found.level == "error"]
            waiting += parsed.children
        if faults:
            raise Invalid("catalog.bad_location", "; ".join(faults)[:4000])
        known = self._store.locations.find(type_, target)
        exists = known is not None and known.origin != "child"
        location = Registered(
            known.id if known else "00000000-0000-0000-0000-000000000000", type_, target, f"location:default/{name}"
        )
        return Tried(location, tuple(entities), exists)

    def move(self, principal: Principal, location_id: str, type_: str, target: str) -> Registered:
        """Read a registered location from somewhere else. Raises NotFound, Denied, Conflict."""
        self.get(location_id)
        type_, target = self._allowed(principal, type_, target)
        location = self._locations.get(location_id)
        self._locations.check_delete(principal, location)
        other = self._store.locations.find(type_, target)
        if other is not None and other.id != location_id:
            raise Conflict("catalog.location_exists", f"Location {type_}:{target} already exists")
        with self._store.transaction():
            self._store.locations.move(location_id, type_, target, self._now())
            self._audit.record(principal, "catalog.location.move", location.ref, detail={"to": f"{type_}:{target}"})
        self._hurry(self._store.locations.below(location_id))
        return self.get(location_id)

    def unregister(self, principal: Principal, location_id: str) -> None:
        """Remove a registered location with its entities."""
        self.get(location_id)
        self._locations.unregister(principal, location_id)

    def refresh(self, principal: Principal, ref: str) -> None:
        """Have what an entity was read from read again soon. Raises NotFound, Denied."""
        entity = self._entity(ref)
        self._access.check(principal, "catalog.entity.refresh", owner=entity.owner, resource=entity.ref)
        self._hurry([entity.source.location_id.removeprefix(PREFIX)])

    def delete(self, principal: Principal, uid: str) -> None:
        """Delete an entity; one that is not there is fine. It comes back when its file is read anew.

        The Location entity of a registered location is removed by unregistering that.
        """
        entity = self._store.reader.entity_by_uid(uid.replace("\0", ""))
        if entity is None:
            return
        if entity.source.location_id.startswith(PREFIX):
            self._locations.unregister(principal, entity.source.location_id.removeprefix(PREFIX))
            return
        self._access.check(principal, "catalog.entity.delete", owner=entity.owner, resource=entity.ref)
        self._locations.check_writable()
        with self._store.transaction():
            self._store.lock()
            gone = list(self._store.writer.of_refs([entity.ref]).values())
            affected = self._store.writer.remove(gone, actor=principal.id, now=self._now(), source="deleted")
            self._store.writer.stitch(affected, {})
            self._store.changed()
            self._audit.record(principal, "catalog.entity.delete", entity.ref)

    def ancestry(self, ref: str) -> tuple[str, list[Ancestor]]:
        """An entity and all that leads to it, nearest first. Raises NotFound."""
        root = self._entity(ref)
        found: dict[str, Ancestor] = {}
        waiting = [root]
        while waiting:
            entity = waiting.pop(0)
            if entity.ref in found:
                continue
            parents = self._parents(entity)
            found[entity.ref] = Ancestor(entity, tuple(parent.ref for parent in parents))
            waiting += parents
        return root.ref, list(found.values())

    def analyze(self, principal: Principal, target: str) -> dict[str, Any]:
        """What is at an address, or what an entity file for it could say."""
        self._access.check(principal, "catalog.location.create", resource=target)
        try:
            _snapshot, parsed = self._ingest.look("url", target)
            drafts = parsed.drafts
        except FlagstoneError:
            drafts = []
        if drafts:
            registered = self._store.locations.find("url", target) is not None
            place = {"type": "url", "target": target}
            existing = [{"location": place, "isRegistered": registered, "entity": draft.data} for draft in drafts]
            return {"existingEntityFiles": existing, "generateEntities": []}
        return {"existingEntityFiles": [], "generateEntities": [{"entity": _proposal(target), "fields": []}]}

    def _parents(self, entity: Entity) -> list[Entity]:
        id_ = entity.source.location_id
        if id_.startswith(PREFIX):
            return []
        location = self._store.locations.get(id_)
        if location is None:
            return []
        if location.origin != "child":
            refs = [self._registered(location).entity_ref]
            return list(self._store.reader.entities(refs).values())
        found = self._store.reader.entities(self._store.locations.naming(location.id)).values()
        exact = [item for item in found if self._names(item, location)]
        return exact or list(found)

    def _names(self, entity: Entity, location: Location) -> bool:
        for child in children_of(entity.data):
            type_ = child.type or entity.source.location_type
            target = child.target
            try:
                if type_ == entity.source.location_type:
                    target = self._ingest.source(type_).resolve(entity.source.ref.partition(":")[2], target)
            except FlagstoneError:
                continue
            if (type_, target) == (location.type, location.target):
                return True
        return False

    def _entity(self, ref: str) -> Entity:
        try:
            wanted = str(parse_ref(ref))
        except Invalid:
            wanted = ""
        found = self._store.reader.entities([wanted]).get(wanted)
        if found is None:
            raise NotFound("catalog.no_entity", f"Entity {ref:.200} not found")
        return found

    def _allowed(self, principal: Principal, type_: str, target: str) -> tuple[str, str]:
        type_, target = type_.strip(), target.strip()
        if type_ == "file" or type_ not in self._ingest.source_types():
            raise Invalid("catalog.bad_location", f"Registered locations must be of an allowed type, not '{type_:.50}'")
        if not target or len(target) > 2000 or "\0" in target or (type_ == "url" and not urlsplit(target).scheme):
            raise Invalid("catalog.bad_location", f"'{target:.200}' is not an absolute address")
        self._access.check(principal, "catalog.location.create", resource=f"{type_}:{target}")
        return type_, target

    def _registered(self, location: Location) -> Registered:
        ref = self._store.locations.stand_in(location.id)
        return Registered(
            location.id,
            location.type,
            location.target,
            ref or f"location:default/{generated_name(location.type, location.target)}",
        )

    def _hurry(self, ids: Sequence[str] | set[str]) -> None:
        self._store.locations.mark_due(self._now(), ids=list(ids), forget=True)
        self._wake()


def _parsed(query: object, depth: int = 0) -> Predicate:
    """The predicate of a query about the three fields of locations."""
    if not isinstance(query, dict):
        raise _bad_query("must be an object")
    if depth > _MAX_DEPTH:
        raise _bad_query(f"is nested more than {_MAX_DEPTH} times")
    return All(tuple(_part(key, value, depth) for key, value in query.items()))


def _part(key: str, value: Any, depth: int) -> Predicate:
    if key == "$not":
        return Not(_parsed(value, depth + 1))
    if key in ("$all", "$any"):
        if not isinstance(value, list):
            raise _bad_query(f"{key} must be a list")
        parts = tuple(_parsed(part, depth + 1) for part in value)
        return All(parts) if key == "$all" else AnyOf(parts)
    if key not in ("id", "type", "target"):
        raise _bad_query(f"locations have no field {key:.50}")
    if isinstance(value, str):
        return Has(key, (value,))
    if isinstance(value, dict) and len(value) == 1:
        ((operator, operand),) = value.items()
        if operator == "$in" and isinstance(operand, list) and all(isinstance(part, str) for part in operand):
            return Has(key, tuple(operand))
        if operator == "$hasPrefix" and isinstance(operand, str):
            return Starts(key, operand)
        if operator == "$exists" and isinstance(operand, bool):
            return All() if operand else AnyOf()
    raise _bad_query(f"{json.dumps(value, default=str)[:80]} is nothing to compare {key} with")


def _bad_query(what: str) -> Invalid:
    return Invalid("catalog.bad_query", f"Invalid query: {what}")


def _proposal(target: str) -> dict[str, Any]:
    path = urlsplit(target).path.strip("/").removesuffix(".git")
    words = [part for part in path.split("/") if part]
    name = re.sub(r"[^A-Za-z0-9]+", "-", words[-1] if words else "component").strip("-")[:63] or "component"
    metadata: dict[str, Any] = {"name": name}
    if urlsplit(target).hostname == "github.com" and len(words) >= 2:
        metadata = {"name": re.sub(r"[^A-Za-z0-9]+", "-", words[1]).strip("-")[:63] or "component"}
        metadata["annotations"] = {"github.com/project-slug": "/".join(words[:2])}
    return {
        "apiVersion": "backstage.io/v1alpha1",
        "kind": "Component",
        "metadata": metadata,
        "spec": {"type": "other", "lifecycle": "unknown"},
    }
