"""The gallery, one golden path, its plan, and its start."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import SecretStr

from flagstone.contracts.gateway import GatewayInfo, RunGateway, RunQuery
from flagstone.contracts.plans import Plan
from flagstone.contracts.runs import RunRequest, RunSummary, RunView
from flagstone.foundation.access import AccessService
from flagstone.foundation.audit import AuditLog
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError, Invalid, NotFound, Problem
from flagstone.portal.catalog import CatalogQuery, CatalogService, FacetValue
from flagstone.portal.golden_paths.model import GoldenPath, golden_path, owner_of, workflow
from flagstone.portal.golden_paths.permissions import RUN
from flagstone.portal.golden_paths.service.attachments import Attachments
from flagstone.portal.golden_paths.service.checks import TemplateChecks
from flagstone.portal.golden_paths.service.entities import entities_for
from flagstone.portal.golden_paths.service.pickers import Pickers
from flagstone.portal.golden_paths.service.skeletons import Skeletons
from flagstone.toolkit.web.forms import Fault, answers, check

MAX_VALUES = 500_000
"""Characters of all answers together, as JSON."""
_PAGE = 60
_RUNS = 50
_MOST = 500


@dataclass(frozen=True, slots=True)
class Gallery:
    """A page of golden paths: the recommended ones are only on the first."""

    recommended: tuple[GoldenPath, ...]
    others: tuple[GoldenPath, ...]
    next_cursor: str | None = None

    @property
    def count(self) -> int:
        """How many are on this page."""
        return len(self.recommended) + len(self.others)


@dataclass(frozen=True, slots=True)
class GalleryFilter:
    """What the gallery is narrowed to; of several values of one kind any may fit."""

    types: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    starred_by: str | None = None

    def query(self, text: str) -> CatalogQuery:
        """For the catalog."""
        return CatalogQuery(
            kinds=("template",),
            text=text or None,
            types=self.types,
            owners=self.owners or None,
            tags=self.tags,
            starred_by=self.starred_by,
        )

    @property
    def empty(self) -> bool:
        """Whether nothing is left out."""
        return self == GalleryFilter()


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """The newest runs of a golden path."""

    runs: tuple[RunSummary, ...]

    @property
    def ended(self) -> int:
        """How many of them came to an end by themselves."""
        return sum(run.state in ("succeeded", "failed") for run in self.runs)

    @property
    def percent(self) -> int | None:
        """How many of those that ended were a success; None when none did."""
        good = sum(run.state == "succeeded" for run in self.runs)
        return round(100 * good / self.ended) if self.ended else None


class GoldenPathService:
    """Reads templates from the catalog and asks the platform through the gateway."""

    def __init__(
        self,
        catalog: CatalogService,
        gateway: RunGateway,
        access: AccessService,
        audit: AuditLog,
        pickers: Pickers,
        checks: TemplateChecks,
        features: frozenset[str] = frozenset(),
    ) -> None:
        self._pickers = pickers
        self._checks = checks
        self._features = features
        self._catalog = catalog
        self._gateway = gateway
        self._access = access
        self._audit = audit
        self._skeletons = Skeletons(gateway)
        self.attachments = Attachments(catalog, features)

    def platform(self) -> GatewayInfo:
        """What is behind the door."""
        return self._gateway.info()

    def may_run(self, principal: Principal) -> bool:
        """Whether a person may start golden paths at all."""
        return self._access.decide(principal, RUN).allowed

    def gallery(
        self, text: str = "", *, wanted: GalleryFilter | None = None, cursor: str | None = None, limit: int = _PAGE
    ) -> Gallery:
        """Golden paths by title, the recommended ones before, deprecated ones last on their page."""
        wanted = wanted or GalleryFilter()
        query = replace(wanted.query(text), cursor=cursor, limit=limit)
        page = self._catalog.list(query)
        found = self._read([row.ref for row in page.items])
        first: list[GoldenPath] = []
        if cursor is None:
            recommended = self._catalog.list(replace(query, tags=("recommended",)))
            rows = [row for row in recommended.items if not wanted.tags or {*wanted.tags} & {*row.tags}]
            first = [path for path in self._read([row.ref for row in rows]) if not path.deprecated]
        shown = {path.ref for path in first}
        # Those that were recommended on the first page are not shown a second time further on.
        rest = [
            path
            for path in found
            if path.ref not in shown and not (cursor and path.recommended and not path.deprecated)
        ]
        return Gallery(tuple(first), tuple(sorted(rest, key=lambda path: path.deprecated)), page.next_cursor)

    def all(self) -> tuple[GoldenPath, ...]:
        """The golden paths that are not deprecated, by title; the first few hundred."""
        found: dict[str, GoldenPath] = {}
        cursor: str | None = None
        while len(found) < _MOST:
            page = self.gallery(cursor=cursor)
            found |= {path.ref: path for path in (*page.recommended, *page.others) if not path.deprecated}
            cursor = page.next_cursor
            if cursor is None:
                break
        return tuple(sorted(found.values(), key=lambda path: path.title.lower()))

    def facets(self, text: str, wanted: GalleryFilter) -> dict[str, Sequence[FacetValue]]:
        """What can be filtered by: types, owners and tags, with counts."""
        return self._catalog.facets(wanted.query(text), ("types", "owners", "tags"))

    def record(self, principal: Principal, path: GoldenPath) -> TrackRecord | None:
        """How the newest runs of a golden path ended; None when the platform cannot be asked."""
        try:
            runs = self._gateway.list_runs(RunQuery(template_ref=path.ref, limit=_RUNS), principal).items
        except FlagstoneError:
            return None
        return TrackRecord(tuple(runs))

    def _read(self, refs: list[str]) -> list[GoldenPath]:
        entities = self._catalog.get_many(refs)
        return [golden_path(entities[ref], self._features) for ref in refs if ref in entities]

    def get(self, namespace: str, name: str) -> GoldenPath:
        """One golden path. Raises NotFound (``golden_paths.no_template``)."""
        ref = f"template:{namespace}/{name}".lower()
        entity = self._catalog.find(ref)
        if entity is None:
            raise NotFound(
                "golden_paths.no_template",
                f"There is no golden path {namespace}/{name}.",
                hint="See /create for those that there are, or register the file of a template at /catalog/import.",
            )
        return self._skeletons.versioned(golden_path(entity, self._features))

    def faults(self, path: GoldenPath, values: Mapping[str, Any]) -> list[list[Fault]]:
        """What is wrong with the answers, page by page."""
        complete = {**values, **answers(path.pages, values)}
        return [check(page, complete) for page in path.pages]

    def check_runnable(self, path: GoldenPath) -> None:
        """Raises Invalid (``golden_paths.bad_template``) with every place where a template cannot run as written."""
        errors = self._checks.errors(path)
        if errors:
            raise Invalid(
                "golden_paths.bad_template",
                f"The template {path.ref} cannot be run as it is written.",
                hint=f"Its owner has to mend {path.file or 'the file it comes from'}.",
                problems=[item.problem for item in errors],
            )

    def preview(
        self,
        principal: Principal,
        path: GoldenPath,
        values: Mapping[str, Any],
        secrets: Mapping[str, SecretStr],
        files: Mapping[str, str],
    ) -> Plan:
        """The plan of a template that is not registered, with the files beside it (path to base64)."""
        self._access.check(principal, RUN, resource=path.ref)
        request = self.request(path, values, secrets, principal=principal)
        return self._gateway.plan(request.model_copy(update={"files": dict(files)}), principal)

    def request(
        self,
        path: GoldenPath,
        values: Mapping[str, Any],
        secrets: Mapping[str, SecretStr],
        *,
        plan_digest: str | None = None,
        key: str | None = None,
        principal: Principal | None = None,
        rerun_of: str | None = None,
        entity_ref: str | None = None,
        expressions: bool = False,
    ) -> RunRequest:
        """What the platform is asked for; ``entity_ref`` is what a day-2 action is about.

        ``expressions``: answers may hold ``${{ … }}`` that only the event of a trigger fills in; those are not judged.

        Raises Invalid for wrong answers or a template that cannot run.
        """
        if len(json.dumps(values, default=str)) > MAX_VALUES:
            raise Invalid("golden_paths.too_large", "The answers are too long.", hint="Shorten the longest text.")
        self.check_runnable(path)
        wrong = [fault for page in self.faults(path, values) for fault in page]
        if expressions:
            wrong = [fault for fault in wrong if not _open(values, fault.name)]
        if not wrong and principal is not None:
            wrong = self._pickers.faults(path, principal, values)
            wrong = [fault for fault in wrong if not expressions or not _open(values, fault.name)]
        if wrong:
            raise Invalid(
                "golden_paths.bad_answers",
                f"Some answers for {path.title} are missing or wrong.",
                problems=[Problem(fault.message, field=fault.name or None) for fault in wrong],
            )
        about = self.attachments.subject(path, entity_ref)
        inputs = answers(path.pages, values)
        definition = workflow(path, inputs)
        entities = entities_for(definition.steps, inputs, principal, self._catalog)
        return RunRequest(
            workflow=definition.model_copy(update={"entities": entities}),
            inputs=inputs,
            secrets=dict(secrets),
            subjects=(about.ref,) if about else (),
            owner=about.owner if about else owner_of(path, inputs),
            plan_digest=plan_digest,
            idempotency_key=key,
            rerun_of=rerun_of,
        )

    def plan(
        self,
        principal: Principal,
        path: GoldenPath,
        values: Mapping[str, Any],
        secrets: Mapping[str, SecretStr],
        *,
        entity_ref: str | None = None,
    ) -> Plan:
        """What a run would do; nothing is changed. Raises Invalid, Denied, Unavailable."""
        self._access.check(principal, RUN, resource=path.ref)
        request = self.request(path, values, secrets, principal=principal, entity_ref=entity_ref)
        return self._gateway.plan(request, principal)

    def start(
        self,
        principal: Principal,
        path: GoldenPath,
        values: Mapping[str, Any],
        secrets: Mapping[str, SecretStr],
        *,
        plan_digest: str | None = None,
        key: str | None = None,
        rerun_of: str | None = None,
        entity_ref: str | None = None,
    ) -> RunView:
        """Start a run; the same key gives the same run. Raises Conflict when the plan is not the one that was seen."""
        self._access.check(principal, RUN, resource=path.ref)
        request = self.request(
            path,
            values,
            secrets,
            plan_digest=plan_digest,
            key=key,
            principal=principal,
            rerun_of=rerun_of,
            entity_ref=entity_ref,
        )
        run = self._gateway.submit(request, principal)
        self._audit.record(
            principal, RUN, path.ref, detail={"run": run.id, "number": run.number, "version": path.version}
        )
        return run


def _open(values: Mapping[str, Any], name: str) -> bool:
    """Whether the answer that a fault is about holds an expression."""
    top = name.split("/", 1)[0].replace("~1", "/").replace("~0", "~")
    return "${{" in json.dumps(values.get(top), default=str)
