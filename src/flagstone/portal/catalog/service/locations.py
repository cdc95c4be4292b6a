"""Registering, previewing, refreshing and unregistering locations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.kernel.actor import Principal, system
from flagstone.kernel.clock import Now, utc_now
from flagstone.kernel.errors import Conflict, Denied, FlagstoneError, Invalid, NotFound, Problem
from flagstone.kernel.paging import Page
from flagstone.portal.catalog.model import Location, LocationOrigin
from flagstone.portal.catalog.model.draft import Draft
from flagstone.portal.catalog.service.documents import Child
from flagstone.portal.catalog.service.ingest import IngestService
from flagstone.portal.catalog.service.sync import Report, is_dropped
from flagstone.portal.catalog.settings import LocationSetting
from flagstone.portal.catalog.store import CatalogStore

_MAX_PREVIEW_LOCATIONS = 50
_MAX_PREVIEW_ENTITIES = 2_000
_MAY_DELETE_ALL = ("maintainer", "admin")
_SYSTEM = system("catalog")


@dataclass(frozen=True, slots=True)
class PreviewEntity:
    """An entity that registering would bring. ``outcome``: ``new``, ``known`` (from this location) or ``taken``."""

    ref: str
    kind: str
    name: str
    title: str
    owner: str
    outcome: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What registering a location would do. ``exists`` is the id of the location when it is registered already."""

    type: str
    target: str
    entities: tuple[PreviewEntity, ...]
    problems: tuple[Problem, ...]
    locations: tuple[str, ...]
    exists: str | None = None
    truncated: bool = False


class LocationBook:
    """Looking locations up."""

    def __init__(
        self,
        store: CatalogStore,
        ingest: IngestService,
        access: AccessService,
        audit: AuditLog,
        *,
        readonly: bool = False,
        now: Now = utc_now,
    ) -> None:
        self._readonly = readonly
        self._store = store
        self._ingest = ingest
        self._access = access
        self._audit = audit
        self._now = now

    def list(
        self,
        *,
        origins: Sequence[str] = (),
        states: Sequence[str] = (),
        cursor: str | None = None,
        limit: int | None = None,
    ) -> Page[Location]:
        """A page of locations by type and target."""
        return self._store.locations.page(origins=origins, states=states, cursor=cursor, limit=limit)

    def get(self, location_id: str) -> Location:
        """One location. Raises NotFound (``catalog.no_location``)."""
        location = self._store.locations.get(location_id)
        if location is None:
            raise NotFound("catalog.no_location", f"There is no location {location_id}.")
        return location

    def find(self, location_id: str) -> Location | None:
        """One location, or None."""
        return self._store.locations.get(location_id)

    def check_writable(self) -> None:
        """Raise Denied (``catalog.readonly``) when the settings alone say what is read."""
        if self._readonly:
            raise Denied(
                "catalog.readonly",
                "This operation is not allowed: the catalog is read-only.",
                hint="An administrator adds locations to catalog.locations, or takes away catalog.readonly.",
            )

    def origin_of(self, location: Location) -> Location | None:
        """The location of its own that leads to this one (itself, when it is one)."""
        type_, _, target = self._store.locations.origin_of(location.id).partition(":")
        return self._store.locations.find(type_, target)


class LocationService(LocationBook):
    """Use cases of locations. Every change is checked and audited."""

    def source_types(self) -> Sequence[str]:
        """Types of locations that can be registered."""
        return self._ingest.source_types()

    def preview(self, principal: Principal, type_: str, target: str) -> Preview:
        """Read a target and all that it leads to without changing anything. Raises what the source raises."""
        self._access.check(principal, "catalog.location.create", resource=f"{type_}:{target}")
        type_, target = _cleaned(type_, target)
        drafts: list[Draft] = []
        problems: list[Problem] = []
        seen: list[str] = []
        waiting = [Child(type_, target, "required")]
        while waiting and len(seen) < _MAX_PREVIEW_LOCATIONS and len(drafts) < _MAX_PREVIEW_ENTITIES:
            child = waiting.pop(0)
            ref = f"{child.type}:{child.target}"
            if ref in seen:
                continue
            try:
                _snapshot, parsed = self._ingest.look(child.type, child.target)
            except FlagstoneError as error:
                if not seen:
                    raise
                problems.append(Problem(f"{ref} cannot be read: {error.message}", hint=error.hint))
                parsed = None
            seen.append(ref)
            if parsed is not None:
                drafts += parsed.drafts
                problems += [found.problem for found in parsed.problems]
                waiting += parsed.children
        known = self._store.locations.find(type_, target)
        entities = self._outcomes(drafts[:_MAX_PREVIEW_ENTITIES], known)
        registered = known is not None and known.origin != "child"
        return Preview(
            type_,
            target,
            entities,
            tuple(problems),
            tuple(seen),
            known.id if known is not None and registered else None,
            bool(waiting),
        )

    def register(self, principal: Principal, type_: str, target: str, *, origin: LocationOrigin = "user") -> Location:
        """Register a location and read it with all that it leads to.

        Raises Invalid, NotFound, Denied or Unavailable when it cannot be read: then it is not registered. Raises
        Conflict (``catalog.location_exists``) when it is registered already.
        """
        type_, target = _cleaned(type_, target)
        self._access.check(principal, "catalog.location.create", resource=f"{type_}:{target}")
        self.check_writable()
        known = self._store.locations.find(type_, target)
        if known is not None and known.origin != "child":
            raise Conflict(
                "catalog.location_exists",
                f"{known.ref} is registered already.",
                hint=f"Have it read again instead; its id is {known.id}.",
            )
        _snapshot, parsed = self._ingest.look(type_, target)
        if not parsed.drafts and parsed.problems:
            raise Invalid(
                "catalog.nothing_valid",
                f"{type_}:{target} holds no valid entity.",
                hint="Mend the problems and try again.",
                problems=[found.problem for found in parsed.problems],
            )
        location = self._add(principal, type_, target, origin)
        self._ingest.refresh_tree(location.id, actor=principal.id)
        return self.get(location.id)

    def accept(self, type_: str, target: str, *, actor: str) -> Location:
        """Register what a run asked for. Twice is once; what cannot be read yet is tried again by the refresh loop."""
        type_, target = _cleaned(type_, target)
        self.check_writable()
        self._ingest.source(type_)
        location = self._add(_SYSTEM, type_, target, "event", requested_by=actor)
        try:
            self._ingest.refresh_tree(location.id, actor=actor or _SYSTEM.id, force=True)
        except FlagstoneError:
            self._store.locations.mark_due(self._now(), ids=[location.id])
        return location

    def withdraw(
        self, type_: str, target: str, *, actor: str, owner: str | None = None, role: str | None = None
    ) -> int:
        """Take back what a run registered. Returns how many entities went; 0 when there was nothing.

        The platform knows no owners: it let the run do this on behalf of ``owner``. Raises Denied (which the
        audit shows) when anything that comes from the location belongs to somebody else, unless ``role`` may delete
        everywhere; and always when nobody registered it.
        """
        location = self._store.locations.find(*_cleaned(type_, target))
        if location is None:
            return 0
        try:
            self._check_withdrawal(location, owner, role)
        except Denied as error:
            detail = {"requested_by": actor, "owner": owner, "role": role, "reason": error.code}
            self._audit.record(_SYSTEM, "catalog.location.delete", location.ref, outcome="denied", detail=detail)
            raise
        return self._remove(_SYSTEM, location, requested_by=actor)

    def _check_withdrawal(self, location: Location, owner: str | None, role: str | None) -> None:
        self.check_writable()
        if location.origin in ("settings", "child"):
            raise Denied(
                "catalog.location_in_settings",
                f"{location.ref} was not registered: the settings or another location name it.",
                hint="It goes when it is no longer named there.",
            )
        owners = self._store.reader.owners_of_locations(self._store.locations.below(location.id))
        if role not in _MAY_DELETE_ALL and owners != {owner}:
            theirs = ", ".join(sorted(owners)) or "nobody"
            raise Denied(
                "catalog.not_the_owner",
                f"{location.ref} brings entities of {theirs}, and the run acted for {owner}.",
                hint="One of their owners or a maintainer may unregister it.",
            )

    def withdraw_repository(self, repository: str, *, actor: str) -> int:
        """Remove every location that reads a hosted repository that is gone. Returns how many entities went."""
        gone = 0
        for (_type, target), id_ in self._hosted().items():
            if target.startswith(f"{repository}/") or target == repository:
                location = self._store.locations.get(id_)
                gone += self._remove(_SYSTEM, location, requested_by=actor) if location else 0
        return gone

    def _hosted(self) -> dict[tuple[str, str], str]:
        found = self._store.locations.targets("user") | self._store.locations.targets("event")
        return {key: id_ for key, id_ in found.items() if key[0] == "hosted"}

    def unregister(self, principal: Principal, location_id: str) -> int:
        """Remove a location with its entities. Returns how many went. Raises Conflict for one of the settings."""
        location = self.get(location_id)
        self.check_delete(principal, location)
        if location.origin == "settings":
            raise Conflict(
                "catalog.location_in_settings",
                f"{location.ref} is in the settings of the server.",
                hint="An administrator takes it out of catalog.locations.",
            )
        if location.origin == "child":
            origin = self._store.locations.origin_of(location.id)
            raise Conflict(
                "catalog.location_of_another",
                f"{location.ref} is there because {origin} names it.",
                hint="Take it out of the Location entity there, or unregister that location.",
            )
        return self._remove(principal, location)

    def unregister_confirmed(self, principal: Principal, location_id: str, typed: str) -> int:
        """The same, after somebody typed what is removed. Raises Invalid when it is something else."""
        location = self.get(location_id)
        if typed.strip() != location.target:
            raise Invalid(
                "catalog.not_confirmed",
                "What was typed is not the target of the location.",
                hint=f"Type {location.target}",
            )
        return self.unregister(principal, location_id)

    def refresh(self, principal: Principal, location_id: str, *, force: bool = True) -> Report:
        """Read a location again now, with all that it leads to. Raises what the source raises."""
        location = self.get(location_id)
        self._access.check(
            principal, "catalog.entity.refresh", owner=self._owner(principal, location), resource=location.ref
        )
        self._audit.record(principal, "catalog.location.refresh", location.ref)
        return self._ingest.refresh_tree(location.id, actor=principal.id, force=force)[0]

    def approve(self, principal: Principal, location_id: str, digest: str) -> Location:
        """Agree to exactly the deletions that are held, and read again. Raises Conflict when they are others by now."""
        location = self.get(location_id)
        self.check_delete(principal, location)
        if location.held is None or location.held.digest != digest:
            raise Conflict(
                "catalog.nothing_held",
                f"{location.ref} does not wait for an answer about these deletions.",
                hint="Look at the problems again.",
            )
        if is_dropped(location):
            self._remove(principal, location)
            return location
        with self._store.transaction():
            self._store.locations.approve(location.id, digest, self._now())
            self._audit.record(
                principal, "catalog.location.approve_deletions", location.ref, detail={"entities": location.held.count}
            )
        self._ingest.refresh(location.id, actor=principal.id, force=True)
        return self.get(location.id)

    def use_settings(self, wanted: Sequence[LocationSetting]) -> None:
        """Bring the locations of the settings in line with the settings. They are read by the refresh loop.

        One that is no longer there and brought more than a few entities stays until somebody agrees that they go.
        """
        now = self._now()
        targets = {_cleaned(item.type, item.target) for item in wanted}
        for type_, _target in targets:
            self._ingest.source(type_)
        for key, id_ in self._store.locations.targets("settings").items():
            location = self._store.locations.get(id_)
            if location is None:
                continue
            if key in targets:
                if is_dropped(location):
                    self._ingest.undrop(location)
            elif not is_dropped(location):
                gone = self._store.locations.unreachable(without=[id_]) | {id_}
                if not self._ingest.drop(location, sorted(gone)):
                    self._remove(_SYSTEM, location)
        for type_, target in sorted(targets):
            self._store.locations.add(type_, target, origin="settings", actor=_SYSTEM.id, now=now)
        self._store.locations.complete_origins()

    def _add(
        self, principal: Principal, type_: str, target: str, origin: LocationOrigin, *, requested_by: str | None = None
    ) -> Location:
        with self._store.transaction():
            location, new = self._store.locations.add(
                type_, target, origin=origin, actor=requested_by or principal.id, now=self._now()
            )
            if new:
                detail = {"requested_by": requested_by} if requested_by else {}
                self._audit.record(principal, "catalog.location.create", location.ref, detail=detail)
        return location

    def _remove(self, principal: Principal, location: Location, *, requested_by: str | None = None) -> int:
        with self._store.transaction():
            self._store.lock()
            gone = self._store.locations.unreachable(without=[location.id]) | {location.id}
            count = self._ingest.discard(sorted(gone), actor=requested_by or principal.id)
            detail = {"entities": count} | ({"requested_by": requested_by} if requested_by else {})
            self._audit.record(principal, "catalog.location.delete", location.ref, detail=detail)
        return count

    def check_delete(self, principal: Principal, location: Location) -> None:
        """Raise Denied unless the principal may remove what a location brings."""
        if location.origin != "settings":
            self.check_writable()
        owner = self._owner(principal, location)
        self._access.check(principal, "catalog.location.delete", owner=owner, resource=location.ref)

    def _owner(self, principal: Principal, location: Location) -> str | None:
        """An owner of everything that the location brings, if it is the principal; None when they are several."""
        owners = self._store.reader.owners_of_locations(self._store.locations.below(location.id))
        mine = owners & principal.owner_refs
        return min(mine) if mine and owners <= principal.owner_refs else None

    def _outcomes(self, drafts: Sequence[Draft], known: Location | None) -> tuple[PreviewEntity, ...]:
        stored = self._store.writer.of_refs([draft.ref for draft in drafts])
        own = self._store.locations.below(known.id) if known else set()
        found = []
        for draft in drafts:
            there = stored.get(draft.ref)
            outcome = "new" if there is None else "known" if there.location_id in own else "taken"
            metadata = draft.data["metadata"]
            found.append(
                PreviewEntity(
                    draft.ref,
                    draft.data["kind"],
                    metadata["name"],
                    metadata.get("title") or metadata["name"],
                    draft.owner,
                    outcome,
                    draft.source_ref.partition(":")[2],
                    draft.source_line,
                )
            )
        return tuple(found)


def _cleaned(type_: str, target: str) -> tuple[str, str]:
    type_, target = type_.strip(), target.strip()
    if not type_ or not target:
        hint = "For example the type file and the target /srv/catalog."
        raise Invalid("catalog.bad_location", "A location needs a type and a target.", hint=hint)
    return type_, target
