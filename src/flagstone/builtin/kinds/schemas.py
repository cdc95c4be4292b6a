"""JSON Schemas (draft-07) of the kinds. Every kind lets additional fields of ``spec`` pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string", "minLength": 1}
TEXTS: Schema = {"type": "array", "items": TEXT}
TEXT_OR_TEXTS: Schema = {"anyOf": [TEXT, TEXTS]}
PROFILE: Schema = {"type": "object", "properties": {"displayName": TEXT, "email": TEXT, "picture": TEXT}}


def entity(required: tuple[str, ...], **properties: Schema) -> Schema:
    """The schema of an entity with these fields of ``spec``."""
    spec = {"type": "object", "required": list(required), "properties": properties}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "required": ["spec"],
        "properties": {"spec": spec},
    }


STEP: Schema = {
    "type": "object",
    "required": ["action"],
    "properties": {
        "id": TEXT,
        "name": TEXT,
        "action": TEXT,
        "input": {"type": "object"},
        "if": {"type": ["string", "boolean"]},
    },
}

LINK: Schema = {
    "type": "object",
    "properties": {"url": TEXT, "entityRef": TEXT, "title": TEXT, "icon": TEXT, "if": {"type": ["string", "boolean"]}},
}

OUTPUT: Schema = {
    "type": "object",
    "properties": {
        "links": {"type": "array", "items": LINK},
        "text": {"type": "array", "items": {"type": "object"}},
    },
    "additionalProperties": {"type": "string"},
}

PARAMETERS: Schema = {
    "anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}],
}
