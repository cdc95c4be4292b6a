"""Finding entities, filling in the form for each, and starting exactly what was previewed."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from flagstone.contracts.batches import MAX_ITEMS, BatchView, NewBatch, NewBatchItem
from flagstone.contracts.gateway import RunGateway
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Conflict, FlagstoneError, Invalid, NotFound, Problem
from flagstone.kernel.paging import MAX_LIMIT
from flagstone.portal.batches.model import (
    Answers,
    AskedSecret,
    BatchOptions,
    Candidate,
    EntityQuery,
    Judged,
    Preview,
    digest_of,
    read_place,
)
from flagstone.portal.batches.permissions import WRITE
from flagstone.portal.batches.service.secrets import SecretFields, check_secrets
from flagstone.portal.catalog import CatalogService, EntityRow, FacetValue
from flagstone.portal.golden_paths import GoldenPath, GoldenPathService, Prefills

FACETS = ("kinds", "owners", "types", "lifecycles", "tags")
_SAMPLE = 5
_TOLD = 50


class BatchPreviews:
    """What a batch would be, before there is one."""

    def __init__(
        self,
        catalog: CatalogService,
        gateway: RunGateway,
        paths: GoldenPathService,
        prefills: Prefills,
        access: AccessService,
        audit: AuditLog,
    ) -> None:
        self._catalog = catalog
        self._gateway = gateway
        self._paths = paths
        self._prefills = prefills
        self._access = access
        self._audit = audit

    def paths(self) -> tuple[GoldenPath, ...]:
        """The golden paths that a batch can run, by title."""
        return self._paths.all()

    def path(self, namespace: str, name: str) -> GoldenPath:
        """A golden path. Raises NotFound."""
        return self._paths.get(namespace, name)

    def narrowed(self, path: GoldenPath, query: EntityQuery) -> EntityQuery:
        """The query itself; where it says nothing, everything that a day-2 action is attached to."""
        if not query.empty or not path.attach_to:
            return query
        told = []
        for rule in path.attach_to:
            parts = [f"{key}={value}" for key, values in rule.items() for value in _listed(values)]
            told.append(",".join(parts))
        return EntityQuery(filter=tuple(text for text in told if text), without=query.without)

    def find(self, principal: Principal, query: EntityQuery) -> tuple[EntityRow, ...]:
        """The entities, by name.

        Raises Invalid: ``batches.no_entities`` when there are none, ``batches.too_many`` when there are more than one
        batch may have.
        """
        wanted = query.of_catalog(principal)
        found: list[EntityRow] = []
        cursor: str | None = None
        while len(found) <= MAX_ITEMS:
            page = self._catalog.list(replace(wanted, limit=MAX_LIMIT, cursor=cursor))
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        left_out = {ref.lower() for ref in query.without}
        found = [row for row in found if row.ref not in left_out]
        if not found:
            raise Invalid(
                "batches.no_entities",
                f"Nothing in the catalog fits {query.words}.",
                hint="Choose others in the list of the catalog.",
            )
        if len(found) > MAX_ITEMS:
            raise Invalid(
                "batches.too_many",
                f"{self._catalog.count(wanted):,} entities fit; a batch may have {MAX_ITEMS:,}.",
                hint="Narrow the query, such as by owner, system or tag, and start several batches.",
            )
        return tuple(found)

    def facets(self, principal: Principal, query: EntityQuery) -> tuple[int, Mapping[str, Sequence[FacetValue]]]:
        """How many entities a query finds, and what can narrow it further."""
        wanted = query.of_catalog(principal)
        return self._catalog.count(wanted), self._catalog.facets(wanted, FACETS)

    def titles(self, refs: Iterable[str]) -> dict[str, str]:
        """What entities are called; those that are not there are left out."""
        return {ref: title for ref, title in self._catalog.titles(set(refs)).items() if title}

    def filled(self, path: GoldenPath, rows: Sequence[EntityRow], mapped: Mapping[str, str]) -> frozenset[str]:
        """Names of the fields that the entities fill in, judged by the first few."""
        found = set(mapped)
        for row in rows[:_SAMPLE]:
            found |= set(json.loads(self._prefills.of_entity(path, row.ref)))
        return frozenset(found)

    def sample(
        self, path: GoldenPath, row: EntityRow, answers: Answers, fits: Callable[..., bool] | None = None
    ) -> dict[str, Any]:
        """What the form is given for one entity; for many, ``fits`` is that of all. Raises NotFound, Invalid."""
        given: dict[str, Any] = json.loads(self._prefills.of_entity(path, row.ref, fits))
        if answers.mapped:
            entity = self._catalog.get(row.ref)
            told = {name: read_place(entity, place) for name, place in answers.mapped.items()}
            given = {name: value for name, value in {**given, **told}.items() if value not in (None, "")}
        return {**given, **answers.fixed}

    def faults(self, path: GoldenPath, values: Mapping[str, Any]) -> dict[str, str]:
        """What is wrong with the answers for one entity, by field."""
        filled, _ = SecretFields(path).starred(values)
        return {fault.name: fault.message for page in self._paths.faults(path, filled) for fault in page}

    def candidate(
        self, principal: Principal, path: GoldenPath, query: EntityQuery, answers: Answers, ref: str
    ) -> Candidate:
        """One of the entities, as :meth:`prepare` finds it. Raises NotFound when it is none of them."""
        self._access.check(principal, WRITE, resource=path.ref)
        found = next((row for row in self.find(principal, query) if row.ref == ref), None)
        if found is None:
            raise NotFound("batches.no_entity", f"{ref:.200} is not among the entities.", hint="Make the preview anew.")
        return self._candidate(principal, path, found, answers, SecretFields(path))

    def asked(self, path: GoldenPath, values: Mapping[str, Any]) -> tuple[AskedSecret, ...]:
        """The secrets that are asked for with these answers."""
        secrets = SecretFields(path)
        secrets.starred(values)
        return secrets.asked

    def prepare(
        self,
        principal: Principal,
        path: GoldenPath,
        query: EntityQuery,
        answers: Answers,
        given: Collection[str] = (),
    ) -> Preview:
        """Every entity with what its run would be given, or what is wrong with that. Nothing is started.

        ``given`` are the names of the secrets that come with the start; the digest does not depend on them. Raises
        Invalid as :meth:`find` does, for a golden path that cannot run, and for a secret among the answers; Denied.
        """
        self._access.check(principal, WRITE, resource=path.ref)
        self._paths.check_runnable(path)
        secrets = SecretFields(path, given)
        secrets.check_answers(answers)
        with self._catalog.snapshot():
            rows = self.find(principal, query)
            # Read together what is asked for one by one below: inside a snapshot it is remembered.
            refs = [row.ref for row in rows]
            self._catalog.get_many(refs)
            self._catalog.rows(refs)
            fits = self._prefills.among(refs)
            candidates = tuple(self._candidate(principal, path, row, answers, secrets, fits) for row in rows)
        return Preview(path, query, candidates, digest_of(path, candidates), secrets.asked)

    def _candidate(
        self,
        principal: Principal,
        path: GoldenPath,
        row: EntityRow,
        answers: Answers,
        secrets: SecretFields,
        fits: Callable[..., bool] | None = None,
    ) -> Candidate:
        about = row.ref if path.attach_to else None
        try:
            values, starred = secrets.starred(self.sample(path, row, answers, fits))
            request = self._paths.request(path, values, secrets.named, principal=principal, entity_ref=about)
        except FlagstoneError as error:
            told = tuple(str(problem) for problem in error.problems) or (error.message,)
            return Candidate(row.ref, row.title, row.kind, problems=told)
        request = request.model_copy(update={"subjects": (row.ref,)})
        return Candidate(row.ref, row.title, row.kind, request, starred=starred)

    def judge(self, principal: Principal, candidate: Candidate) -> Judged:
        """What the platform says of one: may it, must somebody agree, what do the policies say."""
        if candidate.request is None:
            return Judged(candidate)
        try:
            return Judged(candidate, self._gateway.plan(candidate.request, principal))
        except FlagstoneError as error:
            return Judged(candidate, error=" ".join(filter(None, [error.message, *map(str, error.problems)])))

    def start(
        self,
        principal: Principal,
        preview: Preview,
        options: BatchOptions,
        *,
        digest: str,
        secrets: Mapping[str, SecretStr] | None = None,
        leave_out_invalid: bool = False,
        key: str | None = None,
    ) -> BatchView:
        """Start what was previewed; the same key gives the same batch. ``secrets`` are for all its runs.

        Raises Conflict (``batches.preview_changed``) when the entities or what they are given are others by now,
        Invalid when some cannot be run and are not left out, or secrets are missing or do not fit.
        """
        self._access.check(principal, WRITE, resource=preview.path.ref)
        if digest != preview.digest:
            raise Conflict(
                "batches.preview_changed",
                "The entities, what they are given or the golden path changed since the preview.",
                hint="Look at the new preview and start that.",
            )
        if preview.invalid and not leave_out_invalid:
            raise Invalid(
                "batches.not_all_valid",
                f"{len(preview.invalid)} of {len(preview.candidates)} entities cannot be run like this.",
                hint="Correct the answers, or leave these entities out.",
                problems=[Problem("; ".join(item.problems), field=item.ref) for item in preview.invalid[:_TOLD]],
            )
        requests = [(item, item.request) for item in preview.valid if item.request is not None]
        if not requests:
            raise Invalid("batches.none_valid", "None of the entities can be run like this.", hint="See the preview.")
        path = preview.path
        check_secrets(path, preview.secrets, secrets or {})
        plain = {"entities": {}, "title": path.title}
        wanted = NewBatch(
            title=options.title or f"{path.title} for {len(requests)} entities",
            workflow=requests[0][1].workflow.model_copy(update=plain),
            items=tuple(
                NewBatchItem(
                    subject=item.ref,
                    title=request.workflow.title[:300],
                    inputs=request.inputs,
                    owner=request.owner,
                    entities=request.workflow.entities,
                )
                for item, request in requests
            ),
            query=preview.query.words,
            at_once=options.at_once,
            stop_after_failures=options.stop_after_failures,
            idempotency_key=key,
            secrets=dict(secrets or {}),
        )
        made = self._gateway.start_batch(wanted, principal)
        self._audit.record(principal, WRITE, path.ref, detail={"batch": made.id, "entities": len(requests)})
        return made


def _listed(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]
