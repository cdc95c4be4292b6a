"""Kinds that are declared as documents: from ``kind: EntityKind`` to a kind that the catalog knows, or its faults."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jsonschema import Draft7Validator, SchemaError

from flagstone.portal.catalog.model import formats
from flagstone.portal.catalog.model.validation import Fault, Path
from flagstone.sdk import EntityKind, RelationField

API_VERSION = "flagstone.dev/v1"
KIND = "EntityKind"
_SPEC = ("apiVersions", "schema", "relations", "icon", "plural", "cards")
_RELATION = ("field", "forward", "reverse", "kind")
_CARD = ("title", "icon", "fields", "relations", "side")


@dataclass(frozen=True, slots=True)
class DeclaredCard:
    """A card on the pages of a declared kind: values of fields, or entities by relation."""

    title: str
    icon: str
    fields: tuple[str, ...]
    relations: tuple[str, ...]
    side: bool


@dataclass(frozen=True, slots=True)
class DeclaredKind:
    """A kind and its cards."""

    kind: EntityKind
    cards: tuple[DeclaredCard, ...] = ()


@dataclass(slots=True)
class _Reading:
    faults: list[Fault] = field(default_factory=list)

    def wrong(self, message: str, path: Path, hint: str) -> None:
        self.faults.append(Fault("catalog.bad_kind", message, path, hint))

    def text(self, value: object, path: Path, example: str, *, needed: bool = False) -> str:
        where = ".".join(str(part) for part in path)
        if value is None and not needed:
            return ""
        if not isinstance(value, str) or not value.strip():
            self.wrong(f"{where} must be a text.", path, f"For example {example}.")
            return ""
        return value

    def known(self, value: Mapping[str, Any], names: Sequence[str], path: Path) -> None:
        for name in value:
            if name not in names:
                self.wrong(f"There is no field {name!r:.60} here.", (*path, name), f"Use {', '.join(names)}.")

    def items(self, value: object, path: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        if value is None:
            return
        if not isinstance(value, list):
            self.wrong(f"{'.'.join(map(str, path))} must be a list.", path, "Write - and the fields below it.")
            return
        for number, item in enumerate(value):
            if isinstance(item, dict):
                yield (*path, number), item
            else:
                self.wrong("This must be an object.", (*path, number), "Write name: value below the dash.")

    def texts(self, value: object, path: Path, example: str) -> tuple[str, ...]:
        if value is None:
            return ()
        if not isinstance(value, list):
            self.wrong(f"{'.'.join(map(str, path))} must be a list.", path, f"For example [{example}].")
            return ()
        return tuple(self.text(item, (*path, n), example, needed=True) for n, item in enumerate(value))


def declared_kind(document: Any) -> DeclaredKind | list[Fault]:
    """The kind that a document declares, or everything that is wrong with it."""
    reading = _Reading()
    if not isinstance(document, dict):
        return [Fault("catalog.bad_kind", "This is not an object.", (), f"Start with apiVersion: {API_VERSION}.")]
    reading.known(document, ("apiVersion", "kind", "metadata", "spec"), ())
    if document.get("apiVersion") != API_VERSION:
        reading.wrong(f"apiVersion must be {API_VERSION}.", ("apiVersion",), f"Write apiVersion: {API_VERSION}.")
    if document.get("kind") != KIND:
        reading.wrong(f"kind must be {KIND}.", ("kind",), f"Write kind: {KIND}.")
    metadata, spec = document.get("metadata"), document.get("spec")
    if not isinstance(metadata, dict):
        reading.wrong("metadata must be an object.", ("metadata",), "Add metadata: with a name: below it.")
        metadata = {}
    if not isinstance(spec, dict):
        reading.wrong("spec must be an object.", ("spec",), "Add spec: with apiVersions: and schema: below it.")
        spec = {}
    kind = _kind(metadata, spec, reading)
    cards = tuple(_cards(spec.get("cards"), reading))
    return reading.faults or DeclaredKind(kind, cards)


def _kind(metadata: Mapping[str, Any], spec: Mapping[str, Any], reading: _Reading) -> EntityKind:
    reading.known(metadata, ("name", "description"), ("metadata",))
    reading.known(spec, _SPEC, ("spec",))
    name = metadata.get("name")
    if not formats.is_kind(name):
        reading.wrong("metadata.name must be the name of a kind.", ("metadata", "name"), "For example Dataset.")
    versions = reading.texts(spec.get("apiVersions"), ("spec", "apiVersions"), "acme.example/v1")
    if not versions:
        reading.wrong("spec.apiVersions names no version.", ("spec", "apiVersions"), "For example [acme.example/v1].")
    for number, version in enumerate(versions):
        if version and not formats.is_api_version(version):
            path = ("spec", "apiVersions", number)
            reading.wrong(f"{version!r:.60} is not an apiVersion.", path, "For example acme.example/v1.")
    return EntityKind(
        str(name),
        versions,
        _schema(spec.get("schema"), reading),
        relations=tuple(_relations(spec.get("relations"), reading)),
        icon=reading.text(spec.get("icon"), ("spec", "icon"), "database") or "box",
        plural=reading.text(spec.get("plural"), ("spec", "plural"), "datasets") or f"{str(name).lower()}s",
        description=reading.text(metadata.get("description"), ("metadata", "description"), "A table of facts"),
    )


def _schema(schema: Any, reading: _Reading) -> dict[str, Any]:
    path: Path = ("spec", "schema")
    if schema is None:
        schema = {"type": "object"}
    if not isinstance(schema, dict):
        reading.wrong("spec.schema must be a JSON Schema of the entity's spec.", path, "Write type: object below it.")
        schema = {}
    if _points_outside(schema):
        reading.wrong("A schema may only refer to its own parts.", path, "Use $ref: '#/definitions/name'.")
    try:
        Draft7Validator.check_schema(schema)
    except SchemaError as error:
        reading.wrong(
            f"This is not a JSON Schema: {error.message:.200}", (*path, *error.absolute_path), "See draft-07."
        )
    definitions = schema.get("definitions")
    whole = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "required": ["spec"],
        "properties": {"spec": {key: value for key, value in schema.items() if key != "definitions"}},
    }
    return {**whole, "definitions": definitions} if definitions else whole


def _points_outside(value: Any) -> bool:
    if isinstance(value, dict):
        ref = value.get("$ref")
        return (isinstance(ref, str) and not ref.startswith("#/definitions/")) or any(
            map(_points_outside, value.values())
        )
    return isinstance(value, list) and any(map(_points_outside, value))


def _relations(value: Any, reading: _Reading) -> Iterator[RelationField]:
    for path, item in reading.items(value, ("spec", "relations")):
        reading.known(item, _RELATION, path)
        target = reading.text(item.get("field"), (*path, "field"), "spec.owner", needed=True)
        forward = reading.text(item.get("forward"), (*path, "forward"), "ownedBy", needed=True)
        reverse = reading.text(item.get("reverse"), (*path, "reverse"), "ownerOf", needed=True)
        kind = reading.text(item.get("kind"), (*path, "kind"), "Group") or None
        if target and not target.startswith("spec."):
            reading.wrong("A relation is declared by a field of spec.", (*path, "field"), "For example spec.owner.")
        yield RelationField(target, forward, reverse, kind)


def _cards(value: Any, reading: _Reading) -> Iterator[DeclaredCard]:
    for path, item in reading.items(value, ("spec", "cards")):
        reading.known(item, _CARD, path)
        title = reading.text(item.get("title"), (*path, "title"), "Contents", needed=True)
        fields = reading.texts(item.get("fields"), (*path, "fields"), "spec.format")
        relations = reading.texts(item.get("relations"), (*path, "relations"), "dependencyOf")
        if bool(fields) == bool(relations):
            reading.wrong("A card shows either fields or relations.", path, "Add fields: [spec.format].")
        side = item.get("side", False)
        if not isinstance(side, bool):
            reading.wrong("side must be true or false.", (*path, "side"), "Write side: true.")
        icon = reading.text(item.get("icon"), (*path, "icon"), "table-2") or "info"
        yield DeclaredCard(title, icon, fields, relations, bool(side))
