"""The entities that the steps of a golden path will ask for, looked up before the run: the platform never asks back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flagstone.contracts.runs import StepDefinition
from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import Invalid
from flagstone.kernel.refs import parse_ref
from flagstone.portal.catalog import CatalogService
from flagstone.toolkit.templating import expand_each, render_value

_ASKING = frozenset({"catalog:fetch", "catalog:delete-entity"})
_MOST = 100
_MOST_CHARACTERS = 500_000


def entities_for(
    steps: Sequence[StepDefinition], inputs: Mapping[str, Any], principal: Principal | None, catalog: CatalogService
) -> dict[str, Any]:
    """By ref. References that only a step before can know are left out, and those that are in no catalog."""
    refs: dict[str, None] = {}
    for step in steps:
        if step.action in _ASKING:
            refs |= dict.fromkeys(_refs(step, inputs, principal))
    if not refs:
        return {}
    found = catalog.get_many(list(refs)[:_MOST])
    entities: dict[str, Any] = {}
    size = 0
    for ref in sorted(found):
        document = dict(found[ref].data)
        size += len(json.dumps(document, default=str))
        if size > _MOST_CHARACTERS:
            raise Invalid("golden_paths.too_large", "The entities that the steps ask for are too large together.")
        entities[ref.lower()] = document
    return entities


def _refs(step: StepDefinition, inputs: Mapping[str, Any], principal: Principal | None) -> list[str]:
    ref = principal.entity_ref if principal else None
    context: dict[str, Any] = {"parameters": inputs, "user": {"ref": ref} if ref else {}}
    turns: list[dict[str, Any]] = [context]
    found: list[str] = []
    try:
        if step.each is not None:
            turns = [
                {**context, "each": {"key": key, "value": value}} for key, value in expand_each(step.each, context)
            ]
        for turn in turns[:_MOST]:
            found += _named(render_value(step.input, turn))
    except Invalid:
        return found
    return found


def _named(rendered: Any) -> list[str]:
    if not isinstance(rendered, dict):
        return []
    given = [rendered.get("entityRef"), *(rendered.get("entityRefs") or [])]
    kind, namespace = rendered.get("defaultKind"), rendered.get("defaultNamespace") or "default"
    found: list[str] = []
    for text in given:
        if isinstance(text, str) and text and "${{" not in text:
            try:
                found.append(str(parse_ref(text, default_kind=kind, default_namespace=namespace)))
            except Invalid:
                continue
    return found
