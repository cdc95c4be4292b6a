"""When an entity document is valid: the envelope, the schema of its kind, its references. All faults at once."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema import ValidationError

from flagstone.kernel.errors import Invalid
from flagstone.kernel.refs import parse_ref
from flagstone.portal.catalog.model import formats
from flagstone.portal.catalog.model.kinds import KindRegistry, Known, value_at

Path = tuple[str | int, ...]

_ROOT_FIELDS = ("apiVersion", "kind", "metadata", "spec")
_OUTPUT_FIELDS = ("relations", "status")
_NAME_HINT = "Use letters, digits, - _ and . with a letter or digit at both ends, 63 at most."
_QUOTE = "Put it in quotes."
_KEY_HINT = "Use a name as in language, or example.com/language."


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, where in the document, and how to mend it."""

    code: str
    message: str
    path: Path = ()
    hint: str | None = None

    @property
    def field(self) -> str:
        """The path as people write it: ``spec.providesApis[0]``."""
        return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in self.path).removeprefix(".")


def validate(entity: Any, kinds: KindRegistry) -> list[Fault]:
    """Every fault of a document; an empty list means that it is valid."""
    if not isinstance(entity, dict):
        message = f"The document is {_what(entity)}, not an object."
        return [Fault("catalog.schema", message, (), "Start with apiVersion and kind.")]
    found = [*_head(entity), *_root_fields(entity), *_metadata(entity), *_text_that_cannot_be_kept(entity)]
    known = None
    if formats.is_kind(entity.get("kind")) and formats.is_api_version(entity.get("apiVersion")):
        known, fault = _recognise(entity, kinds)
        if fault is not None:
            found.append(fault)
    if "spec" in entity and not isinstance(entity["spec"], dict):
        found.append(Fault("catalog.policy", f"spec must be an object, not {_what(entity['spec'])}.", ("spec",)))
    elif known is not None:
        # One error for each missing field comes from the schema, each of which names all that are required.
        errors = list(dict.fromkeys(f for e in known.validator.iter_errors(entity) for f in _schema_faults(e)))
        found += errors
        found += _references(entity, known, {fault.path for fault in errors})
    return found


def _head(entity: Mapping[str, Any]) -> Iterator[Fault]:
    for name, check, hint in (
        ("apiVersion", formats.is_api_version, "For example backstage.io/v1alpha1."),
        ("kind", formats.is_kind, "For example Component."),
    ):
        value = entity.get(name)
        if name not in entity:
            yield Fault("catalog.schema", f"{name} is missing.", (), f"Add {name}: at the top. {hint}")
        elif not isinstance(value, str) or not value:
            yield Fault("catalog.schema", f"{name} must be a text, not {_what(value)}.", (name,), hint)
        elif not check(value):
            yield Fault("catalog.policy", f"{name} {value!r:.80} is not well-formed.", (name,), hint)


def _root_fields(entity: Mapping[str, Any]) -> Iterator[Fault]:
    for name in entity:
        if name in _OUTPUT_FIELDS:
            yield Fault("catalog.policy", f"{name} is written by the catalog itself.", (name,), f"Remove {name}.")
        elif name not in _ROOT_FIELDS:
            near = difflib.get_close_matches(name, _ROOT_FIELDS, 1)
            hint = f"Did you mean {near[0]}?" if near else "Move it below spec or metadata."
            yield Fault("catalog.policy", f"There is no field {name!r:.80} at the top of an entity.", (name,), hint)


def _metadata(entity: Mapping[str, Any]) -> Iterator[Fault]:
    metadata = entity.get("metadata")
    if not isinstance(metadata, dict):
        message = f"metadata must be an object, not {_what(metadata)}."
        if "metadata" not in entity:
            message = "metadata is missing."
        path: Path = ("metadata",) if "metadata" in entity else ()
        yield Fault("catalog.schema", message, path, "Add metadata: with a name: below it.")
        return
    yield from _name(metadata)
    namespace = metadata.get("namespace")
    if "namespace" in metadata:
        path = ("metadata", "namespace")
        if not isinstance(namespace, str) or not namespace:
            hint = "Remove the line: the namespace is then default."
            yield Fault("catalog.schema", f"metadata.namespace must be a text, not {_what(namespace)}.", path, hint)
        elif not formats.is_namespace(namespace):
            hint = "Use lower case letters, digits and - inside, 63 at most."
            yield Fault("catalog.policy", f"The namespace {namespace!r:.80} is not allowed.", path, hint)
    for name, least in (("title", 1), ("description", 0)):
        if name in metadata and (not isinstance(metadata[name], str) or len(metadata[name]) < least):
            message = f"metadata.{name} must be a text, not {_what(metadata[name])}."
            yield Fault("catalog.policy", message, ("metadata", name), "Put it in quotes, or remove the line.")
    yield from _pairs(metadata, "labels", formats.is_label_value, "Use a text of letters, digits, - _ and . up to 63.")
    yield from _pairs(metadata, "annotations", formats.is_annotation_value, "Annotations are texts: put it in quotes.")
    yield from _tags(metadata)
    yield from _links(metadata)


def _name(metadata: Mapping[str, Any]) -> Iterator[Fault]:
    name = metadata.get("name")
    if "name" not in metadata:
        hint = f"Add name: below metadata. {_NAME_HINT}"
        yield Fault("catalog.schema", "metadata.name is missing.", ("metadata",), hint)
    elif not isinstance(name, str) or not name:
        hint = "Put it in quotes." if isinstance(name, int | float) else _NAME_HINT
        yield Fault("catalog.schema", f"metadata.name must be a text, not {_what(name)}.", ("metadata", "name"), hint)
    elif not formats.is_name(name):
        yield Fault("catalog.policy", f"The name {name!r:.80} is not allowed.", ("metadata", "name"), _NAME_HINT)


def _pairs(
    metadata: Mapping[str, Any], field: str, check: Callable[[object], bool], value_hint: str
) -> Iterator[Fault]:
    if field not in metadata:
        return
    pairs = metadata[field]
    if not isinstance(pairs, dict):
        message = f"metadata.{field} must be an object, not {_what(pairs)}."
        yield Fault("catalog.policy", message, ("metadata", field), f"Write {field}: and below it key: value.")
        return
    for key, value in pairs.items():
        path = ("metadata", field, key)
        if not formats.is_label_key(key):
            yield Fault("catalog.policy", f"The key {key!r:.80} in metadata.{field} is not allowed.", path, _KEY_HINT)
        if not check(value):
            message = f"The value of {key} in metadata.{field} is {_what(value)}, which is not allowed."
            yield Fault("catalog.policy", message, path, value_hint)


def _tags(metadata: Mapping[str, Any]) -> Iterator[Fault]:
    if "tags" not in metadata:
        return
    tags = metadata["tags"]
    hint = "Use lower case letters, digits, : + # and single - inside, 63 at most."
    if not isinstance(tags, list):
        message = f"metadata.tags must be a list, not {_what(tags)}."
        yield Fault("catalog.policy", message, ("metadata", "tags"), "Write - tag.")
        return
    for number, tag in enumerate(tags):
        if not formats.is_tag(tag):
            shown = repr(tag) if isinstance(tag, str) else _what(tag)
            yield Fault("catalog.policy", f"The tag {shown:.80} is not allowed.", ("metadata", "tags", number), hint)


def _links(metadata: Mapping[str, Any]) -> Iterator[Fault]:
    if "links" not in metadata:
        return
    links = metadata["links"]
    if not isinstance(links, list):
        message = f"metadata.links must be a list, not {_what(links)}."
        yield Fault("catalog.policy", message, ("metadata", "links"), "Write - url: …")
        return
    for number, link in enumerate(links):
        path: Path = ("metadata", "links", number)
        if not isinstance(link, dict):
            message = f"A link must be an object, not {_what(link)}."
            yield Fault("catalog.policy", message, path, "Write - url: https://…")
            continue
        if "url" not in link:
            yield Fault("catalog.policy", "The link has no url.", path, "Add url: with an absolute address.")
        elif not formats.is_url(link["url"]):
            hint = "Write the whole address, as in https://example.com/page."
            yield Fault("catalog.policy", f"{link['url']!r:.80} is not an absolute address.", (*path, "url"), hint)
        for name in ("title", "icon", "type"):
            if name in link and (not isinstance(link[name], str) or not link[name].strip()):
                yield Fault(
                    "catalog.policy", f"The {name} of a link must be a text.", (*path, name), "Remove the line."
                )


def _text_that_cannot_be_kept(entity: Mapping[str, Any]) -> Iterator[Fault]:
    text = json.dumps(entity, ensure_ascii=False)
    if "\\u0000" not in text and text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        yield Fault("catalog.schema", "The document holds half a character (a lone surrogate).", (), "Remove it.")
    if any("\0" in part for part in _texts(entity)):
        yield Fault("catalog.schema", "The document holds a NUL character.", (), "Remove it.")


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield key
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


def _recognise(entity: Mapping[str, Any], kinds: KindRegistry) -> tuple[Known | None, Fault | None]:
    kind, version = entity["kind"], entity["apiVersion"]
    known = kinds.find(kind)
    if known is None:
        near = difflib.get_close_matches(kind, kinds.names(), 1, 0.5)
        guess = f"Did you mean {near[0]}? " if near else ""
        hint = f"{guess}Known kinds: {', '.join(kinds.names())}."
        return None, Fault("catalog.unknown_kind", f"There is no kind {kind!r:.80}.", ("kind",), hint)
    name = known.kind.name
    if kind != name:
        return None, Fault("catalog.unknown_kind", f"The kind {kind!r} is written {name}.", ("kind",), f"Write {name}.")
    if version not in known.kind.api_versions:
        hint = f"Use {' or '.join(known.kind.api_versions)}."
        message = f"{name} is not known in the version {version!r:.80}."
        return None, Fault("catalog.unknown_kind", message, ("apiVersion",), hint)
    return known, None


def _schema_faults(error: ValidationError) -> Iterator[Fault]:
    path: Path = tuple(error.absolute_path)
    where = Fault("", "", path).field
    value = error.instance
    rule: Any = error.validator_value
    if error.validator == "required":
        for name in rule:
            if isinstance(value, dict) and name not in value:
                full = f"{where}.{name}" if where else name
                hint = f"Add {name}: to {where or 'the entity'}."
                yield Fault("catalog.kind_schema", f"{full} is missing.", (*path, name), hint)
        return
    if error.validator == "type":
        wanted = _type_words(rule)
        quoted = wanted == "a text" and isinstance(value, bool | int | float)
        yield Fault(
            "catalog.kind_schema", f"{where} must be {wanted}, not {_what(value)}.", path, _QUOTE if quoted else None
        )
    elif error.validator == "minLength":
        yield Fault("catalog.kind_schema", f"{where} must not be empty.", path, "Give it a value, or remove the line.")
    elif error.validator == "enum":
        allowed = ", ".join(str(item) for item in rule)
        yield Fault("catalog.kind_schema", f"{where} is {value!r:.80}.", path, f"Use one of: {allowed}.")
    elif error.validator in ("anyOf", "oneOf"):
        yield Fault("catalog.kind_schema", f"{where} is {_what(value)}, which is not allowed here.", path, None)
    else:
        yield Fault("catalog.kind_schema", f"{where}: {error.message:.300}", path, None)


def _references(entity: Mapping[str, Any], known: Known, wrong: set[Path]) -> Iterator[Fault]:
    metadata = entity.get("metadata")
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    for keys, field in known.relations:
        value = value_at(entity, keys)
        items = list(enumerate(value)) if isinstance(value, list) else [(-1, value)]
        for number, item in items:
            path: Path = keys if number < 0 else (*keys, number)
            if not isinstance(item, str) or path in wrong or not item:
                continue
            try:
                parse_ref(item, default_kind=field.default_kind, default_namespace=namespace or None)
            except Invalid as error:
                hint = error.hint
                if field.default_kind is None and ":" not in item:
                    hint = f"Say what kind it is: component:{item} or resource:{item}."
                yield Fault("catalog.bad_ref", error.message, path, hint)


def _type_words(wanted: object) -> str:
    words = {"string": "a text", "array": "a list", "object": "an object", "boolean": "true or false"}
    names = wanted if isinstance(wanted, list) else [wanted]
    return " or ".join(words.get(str(name), str(name)) for name in names)


def _what(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return "an empty text" if not value else f"the text {value!r:.60}"
    return "a list" if isinstance(value, list) else "an object"
