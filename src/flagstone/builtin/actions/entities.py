"""Entity files as far as actions must understand them: which entities will appear. The catalog reads them properly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flagstone.kernel.errors import Invalid
from flagstone.kernel.refs import EntityRef
from flagstone.sdk import ActionTools

_PREFERRED = ("component", "template")
_MAX_SIZE = 1_000_000


@dataclass(frozen=True, slots=True)
class Described:
    """One entity of a file."""

    ref: EntityRef
    document: dict[str, Any]

    @property
    def facts(self) -> dict[str, str]:
        """What people want to know of it before it appears."""
        spec = self.document.get("spec")
        spec = spec if isinstance(spec, dict) else {}
        labels = {"owner": "Owner", "type": "Type", "lifecycle": "Lifecycle", "system": "System"}
        return {label: spec[key] for key, label in labels.items() if isinstance(spec.get(key), str)}


def parse(tools: ActionTools, text: str, file: str) -> list[Described]:
    """The entities of a YAML file. Raises Invalid for what is no entity file."""
    if len(text) > _MAX_SIZE:
        raise Invalid(
            "actions.too_large", f"{file} is too large for an entity file.", hint=f"At most {_MAX_SIZE:,} bytes."
        )
    documents = [item for item in tools.read_yaml(text, name=file) if item is not None]
    found = [_describe(item, file) for item in documents]
    if not found:
        raise Invalid("actions.no_entities", f"{file} holds no entity.", hint="Describe at least one component in it.")
    return found


def _describe(document: Any, file: str) -> Described:
    metadata = document.get("metadata") if isinstance(document, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    kind = document.get("kind") if isinstance(document, dict) else None
    if not isinstance(name, str) or not isinstance(kind, str):
        raise Invalid(
            "actions.no_entity",
            f"{file} holds a document that is no entity.",
            hint="An entity has apiVersion, kind and metadata.name.",
        )
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    return Described(EntityRef(kind, str(namespace or "default"), name), document)


def main_entity(found: Iterable[Described]) -> Described:
    """The entity that a run is about: the first component, else template, else anything but a location."""
    entities = list(found)
    for kind in _PREFERRED:
        for entity in entities:
            if entity.ref.kind.lower() == kind:
                return entity
    return next((entity for entity in entities if entity.ref.kind.lower() != "location"), entities[0])
