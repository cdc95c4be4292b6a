"""A Template entity, read: what it is for people, and the parts of its form and its steps."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flagstone.kernel.errors import Invalid
from flagstone.portal.catalog import Entity, EntitySource
from flagstone.toolkit.web.forms import switched_off

WHAT_YOU_GET = "flagstone.dev/what-you-get"
_PAGE_TITLE = "Please enter the following information"
_DEPRECATED = ("deprecated", "legacy", "end-of-life")


@dataclass(frozen=True, slots=True)
class GoldenPath:
    """A template, ready to be shown and filled in. ``pages`` are JSON Schemas; ``base`` is where its files are."""

    ref: str
    namespace: str
    name: str
    title: str
    description: str
    type: str
    lifecycle: str
    owner: str | None
    tags: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    what_you_get: tuple[str, ...]
    pages: tuple[dict[str, Any], ...]
    parameters: Any
    steps: tuple[Mapping[str, Any], ...]
    output: Mapping[str, Any]
    labels: Mapping[str, str]
    base: str
    version: str
    approvals: Any = None
    """Who has to agree before the first step, as the template writes it (``spec.approvals``)."""
    file: str = ""
    """Its file as people know it."""
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """As written."""

    @property
    def href(self) -> str:
        """Its form."""
        return f"/create/{self.namespace}/{self.name}".lower()

    @property
    def attach_to(self) -> tuple[Mapping[str, Any], ...]:
        """Filters of the catalog: what it can be started for, from its page (``spec.attachTo``)."""
        spec = self.document.get("spec")
        given = spec.get("attachTo") if isinstance(spec, Mapping) else None
        return tuple(item for item in (given if isinstance(given, list) else [given]) if isinstance(item, Mapping))

    @property
    def secrets_schema(self) -> Mapping[str, Any] | None:
        """What the secrets of a run have to fit (``spec.secrets.schema``)."""
        spec = self.document.get("spec")
        secrets = spec.get("secrets") if isinstance(spec, Mapping) else None
        schema = secrets.get("schema") if isinstance(secrets, Mapping) else None
        return schema if isinstance(schema, Mapping) else None

    @property
    def recommended(self) -> bool:
        """Whether its owners recommend it."""
        return "recommended" in self.tags

    @property
    def deprecated(self) -> bool:
        """Whether it should not be used any more."""
        return self.lifecycle.lower() in _DEPRECATED or "deprecated" in self.tags


def golden_path(entity: Entity, features: frozenset[str] = frozenset()) -> GoldenPath:
    """Read a template. What is not as it should be is left out; the template checker tells its author.

    ``features`` are the feature flags that are on: pages and fields behind others are not there.
    """
    spec, metadata = entity.spec, entity.metadata
    given = _pages(spec.get("parameters"), features)
    return GoldenPath(
        ref=entity.ref,
        namespace=entity.namespace,
        name=entity.name,
        title=entity.title,
        description=str(metadata.get("description") or ""),
        type=entity.type,
        lifecycle=entity.lifecycle,
        owner=entity.owner,
        tags=tuple(str(tag) for tag in metadata.get("tags") or ()),
        links=tuple(_links(metadata)),
        what_you_get=tuple(
            line.strip(" -*") for line in entity.annotations.get(WHAT_YOU_GET, "").splitlines() if line.strip()
        ),
        pages=tuple({"title": _PAGE_TITLE, **page} for page in given or [{"title": "Start"}]),
        parameters=given or None,
        steps=tuple(step for step in spec.get("steps") or () if isinstance(step, Mapping)),
        output=spec["output"] if isinstance(spec.get("output"), Mapping) else {},
        labels=_labels(spec),
        base=entity.source.ref,
        version=_digest(entity),
        approvals=spec.get("approvals"),
        file=entity.source.path,
        document=entity.data,
    )


def _pages(parameters: Any, features: frozenset[str]) -> list[dict[str, Any]]:
    given = [page for page in (parameters if isinstance(parameters, list) else [parameters]) if isinstance(page, dict)]
    return [_without_hidden(page, features) for page in given if not switched_off(page, features)]


def _without_hidden(page: dict[str, Any], features: frozenset[str]) -> dict[str, Any]:
    rules = page.get("properties")
    if not isinstance(rules, dict):
        return page
    hidden = {name for name, rule in rules.items() if isinstance(rule, dict) and switched_off(rule, features)}
    if not hidden:
        return page
    required = page.get("required")
    kept = {name: rule for name, rule in rules.items() if name not in hidden}
    left = [name for name in required if name not in hidden] if isinstance(required, list) else []
    return {**page, "properties": kept, "required": left}


def unregistered(document: Mapping[str, Any], base: str) -> GoldenPath:
    """A template that is not in the catalog, for a preview. Raises Invalid when it is none."""
    metadata, spec = document.get("metadata"), document.get("spec")
    api = str(document.get("apiVersion"))
    if document.get("kind") != "Template" or api != "scaffolder.backstage.io/v1beta3":
        raise Invalid(
            "golden_paths.no_template_document",
            f"This is no template: its kind is {document.get('kind')!r:.60}, its apiVersion {api!r:.60}.",
            hint="Write kind: Template and apiVersion: scaffolder.backstage.io/v1beta3.",
        )
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("name"), str) or not isinstance(spec, Mapping):
        raise Invalid("golden_paths.no_template_document", "The template has no metadata.name or no spec.")
    namespace, name = str(metadata.get("namespace") or "default"), str(metadata["name"])
    moment = datetime.fromtimestamp(0, UTC)
    kind, _, target = base.partition(":")
    return golden_path(
        Entity(
            ref=f"template:{namespace}/{name}".lower(),
            uid="",
            kind="Template",
            namespace=namespace,
            name=name,
            title=str(metadata.get("title") or name),
            type=str(spec.get("type") or ""),
            lifecycle=str(spec.get("lifecycle") or ""),
            owner=None,
            system=None,
            etag="",
            data=document,
            text="",
            source=EntitySource("", kind, target, base, target, 1, None, None),
            created_at=moment,
            updated_at=moment,
        )
    )


def _links(metadata: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = [link for link in metadata.get("links") or () if isinstance(link, Mapping)]
    return [(str(link.get("title") or link["url"]), str(link["url"])) for link in found if _is_web(link.get("url"))]


def _is_web(url: object) -> bool:
    return isinstance(url, str) and url.startswith(("https://", "http://"))


def _labels(spec: Mapping[str, Any]) -> dict[str, str]:
    presentation = spec.get("presentation")
    labels = presentation.get("buttonLabels") if isinstance(presentation, Mapping) else None
    return {key: str(value) for key, value in labels.items()} if isinstance(labels, Mapping) else {}


def _digest(entity: Entity) -> str:
    """Of what the form and the run depend on; where it was read from and when make no difference."""
    body = [entity.data.get("apiVersion"), entity.ref, entity.title, entity.spec]
    return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()
