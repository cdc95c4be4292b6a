"""Answers that are there before somebody types: of an address, of a run that is repeated, of an entity."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flagstone.contracts.gateway import RunGateway
from flagstone.contracts.runs import RunView
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError, NotFound
from flagstone.kernel.paging import MAX_LIMIT
from flagstone.portal.catalog import CatalogQuery, CatalogService, Entity
from flagstone.portal.golden_paths.model import GoldenPath
from flagstone.toolkit.web.forms import filter_terms, settle, ui

_SLUGS = {"github.com/project-slug": "github.com", "gitlab.com/project-slug": "gitlab.com"}
_PICKERS = ("EntityPicker", "OwnedEntityPicker")


Fits = Callable[[Entity, Mapping[str, Any]], bool]
"""Whether an entity is one that a picker offers."""


class Prefills:
    """Where answers come from. What a form does not ask for, and secrets, are never among them."""

    def __init__(self, catalog: CatalogService, gateway: RunGateway) -> None:
        self._catalog = catalog
        self._gateway = gateway

    def of_run(self, principal: Principal, path: GoldenPath, run_ref: str) -> tuple[str, RunView]:
        """The answers of a run as JSON, and the run. Raises NotFound for a run of another golden path, Denied."""
        run = self._gateway.get_run(run_ref, principal)
        if (run.template_ref or "").lower() != path.ref.lower():
            raise NotFound(
                "golden_paths.other_template",
                f"Run #{run.number} was not started from {path.title}.",
                hint="Open the run and start it again from there.",
            )
        return json.dumps({key: value for key, value in run.inputs.items() if not _starred(value)}), run

    def among(self, refs: Sequence[str]) -> Fits:
        """For :meth:`of_entity` of many entities: every filter is asked for once for all of them."""
        known: dict[Any, frozenset[str]] = {}

        def fits(entity: Entity, rule: Mapping[str, Any]) -> bool:
            terms = filter_terms(dict(rule))
            if terms not in known:
                parts = (tuple(refs[start : start + MAX_LIMIT]) for start in range(0, len(refs), MAX_LIMIT))
                queries = (CatalogQuery(refs=part, filters=terms, limit=MAX_LIMIT) for part in parts)
                known[terms] = frozenset(row.ref for query in queries for row in self._catalog.list(query).items)
            return entity.ref in known[terms]

        return fits

    def of_entity(self, path: GoldenPath, ref: str, fits: Fits | None = None) -> str:
        """What an entity tells about the answers, as JSON. Raises NotFound.

        ``ui:options.fromEntity`` names a place in the entity (``spec.owner``); without it the first entity picker
        whose filter the entity fits gets its reference, owner pickers its owner, repository pickers its repository.
        """
        entity = self._catalog.find(ref)
        if entity is None:
            raise NotFound("golden_paths.no_entity", f"There is no {ref:.200} in the catalog.")
        found: dict[str, Any] = {}
        picked = False
        for page in path.pages:
            for name, rule in settle(page, found)[0]["properties"].items():
                place, field = ui(rule, "fromEntity"), rule.get("ui:field")
                value: Any = None
                if isinstance(place, str):
                    value = _at(entity.data, place)
                elif field in _PICKERS and not picked and (fits or self._fits)(entity, rule):
                    value, picked = entity.ref, True
                elif field == "OwnerPicker":
                    value = entity.owner
                elif field == "RepoUrlPicker":
                    value = _repository(entity)
                if value not in (None, "", [], {}):
                    found[name] = value
        return json.dumps(found)

    def _fits(self, entity: Entity, rule: Mapping[str, Any]) -> bool:
        query = CatalogQuery(refs=(entity.ref,), filters=filter_terms(dict(rule)), limit=1)
        return bool(self._catalog.list(query).items)


def fitting(path: GoldenPath, text: str, limit: int) -> dict[str, Any]:
    """What an address brought along, without what this form does not ask for and without secrets."""
    if not text or len(text) > limit:
        return {}
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(given, dict):
        return {}
    kept: dict[str, Any] = {}
    known = dict(given)
    for page in path.pages:
        try:
            schema, known = settle(page, known)
        except FlagstoneError:
            return {}
        for name, rule in schema["properties"].items():
            secret = rule.get("ui:field") == "Secret" or ui(rule, "widget") == "password"
            if name in given and not secret:
                kept[name] = given[name]
    return kept


def _starred(value: Any) -> bool:
    return isinstance(value, str) and value.startswith("***")


def _at(data: Any, place: str) -> Any:
    for part in _parts(place):
        data = data.get(part) if isinstance(data, Mapping) else None
    return data


def _parts(place: str) -> list[str]:
    """``metadata.annotations.github.com/project-slug``: a key of an annotation may hold dots."""
    head = "metadata.annotations."
    return ["metadata", "annotations", place.removeprefix(head)] if place.startswith(head) else place.split(".")


def _repository(entity: Entity) -> str | None:
    if entity.source.location_type == "hosted":
        project, _, rest = entity.source.location_target.partition("/")
        return f"flagstone?owner={project}&repo={rest.partition('/')[0]}"
    for annotation, host in _SLUGS.items():
        owner, slash, repo = str(entity.annotations.get(annotation, "")).partition("/")
        if slash and repo:
            return f"{host}?owner={owner}&repo={repo}"
    return None
