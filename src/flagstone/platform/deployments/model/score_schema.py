"""The JSON Schema of a Score document, version ``score.dev/v1b1``, after the upgrade of deprecated forms."""

from __future__ import annotations

from typing import Any

API_VERSION = "score.dev/v1b1"

_LABEL = r"^[a-z0-9][a-z0-9-]{0,61}[a-z0-9]\Z"
_TYPE = r"^[A-Za-z0-9][A-Za-z0-9-]{0,61}[A-Za-z0-9]\Z"
_RESOURCE_ID = r"^[a-z0-9]+(?:-+[a-z0-9]+)*(?:\.[a-z0-9]+(?:-+[a-z0-9]+)*)*\Z"
_ANNOTATION = (
    r"^(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*/)?"
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])\Z"
)
_MEMORY = r"^(0\.\d+|[1-9]\d*(\.\d+)?)(K|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?\Z"
_CPU = r"^\d+(?:m|\.\d+)?\Z"

LABEL_HINT = "Use 2 to 63 lower case letters, digits and hyphens, with a letter or digit at both ends."

HINTS: dict[str, str] = {
    _LABEL: LABEL_HINT,
    _TYPE: "Use 2 to 63 letters, digits and hyphens, with a letter or digit at both ends.",
    _RESOURCE_ID: "Use labels of lower case letters, digits and hyphens, joined by dots.",
    _ANNOTATION: "Use an optional host name and a slash, then letters, digits, dots, hyphens and underscores.",
    _MEMORY: "Write an amount such as 128Mi or 1G.",
    _CPU: "Write cores such as 2 or 0.5, or thousandths such as 500m.",
    r"^0?[0-7]{3}\Z": 'Write the mode in octal and in quotes, such as "0644".',
}
"""What to do about a value that does not match, by pattern."""


def _object(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _map_of(item: dict[str, Any], names: dict[str, Any] | None = None) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "additionalProperties": item}
    if names:
        schema["propertyNames"] = names
    return schema


_NAME = {"type": "string", "minLength": 2, "maxLength": 63, "pattern": _LABEL}
_NAMES = {"minLength": 2, "maxLength": 63, "pattern": _LABEL}
_PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_ANNOTATIONS = _map_of({"type": "string"}, {"minLength": 2, "maxLength": 316, "pattern": _ANNOTATION})

_SERVICE_PORT = _object(
    {"port": _PORT, "protocol": {"type": "string", "enum": ["TCP", "UDP"]}, "targetPort": _PORT}, ("port",)
)
_AMOUNTS = _object(
    {"memory": {"type": "string", "pattern": _MEMORY}, "cpu": {"type": "string", "pattern": _CPU}},
)
_HEADER = _object(
    {"name": {"type": "string", "pattern": r"^[A-Za-z0-9_-]+\Z"}, "value": {"type": "string", "minLength": 1}},
    ("name", "value"),
)
_HTTP_GET = _object(
    {
        "host": {"type": "string", "minLength": 1},
        "scheme": {"type": "string", "enum": ["HTTP", "HTTPS"]},
        "path": {"type": "string"},
        "port": _PORT,
        "httpHeaders": {"type": "array", "items": _HEADER},
    },
    ("port", "path"),
)
_PROBE = {
    **_object({"httpGet": _HTTP_GET, "exec": _object({"command": _TEXTS}, ("command",))}),
    "minProperties": 1,
}
_FILE = {
    **_object(
        {
            "mode": {"type": "string", "pattern": r"^0?[0-7]{3}\Z"},
            "noExpand": {"type": "boolean"},
            "source": {"type": "string", "minLength": 1},
            "content": {"type": "string"},
            "binaryContent": {"type": "string"},
        }
    ),
    "oneOf": [{"required": ["source"]}, {"required": ["content"]}, {"required": ["binaryContent"]}],
}
_VOLUME = _object(
    {"source": {"type": "string", "minLength": 1}, "path": {"type": "string"}, "readOnly": {"type": "boolean"}},
    ("source",),
)
_CONTAINER = _object(
    {
        "image": {"type": "string", "minLength": 1},
        "command": _TEXTS,
        "args": _TEXTS,
        "variables": _map_of({"type": "string"}, {"minLength": 1, "pattern": r"^[^=]+\Z"}),
        "files": _map_of(_FILE, {"minLength": 1}),
        "volumes": _map_of(_VOLUME, {"minLength": 1}),
        "resources": _object({"limits": _AMOUNTS, "requests": _AMOUNTS}),
        "livenessProbe": _PROBE,
        "readinessProbe": _PROBE,
        "before": _map_of(
            _object({"ready": {"type": "string", "enum": ["started", "healthy", "complete"]}}, ("ready",)), _NAMES
        ),
    },
    ("image",),
)
_RESOURCE = _object(
    {
        "type": {"type": "string", "minLength": 2, "maxLength": 63, "pattern": _TYPE},
        "class": {"type": "string", "minLength": 2, "maxLength": 63, "pattern": _TYPE},
        "id": {"type": "string", "minLength": 2, "maxLength": 63, "pattern": _RESOURCE_ID},
        "metadata": {"type": "object", "properties": {"annotations": _ANNOTATIONS}},
        "params": {"type": "object"},
    },
    ("type",),
)

SCHEMA: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    **_object(
        {
            "apiVersion": {"type": "string", "enum": [API_VERSION]},
            "metadata": {
                "type": "object",
                "properties": {"name": _NAME, "annotations": _ANNOTATIONS},
                "required": ["name"],
            },
            "containers": {**_map_of(_CONTAINER, _NAMES), "minProperties": 1},
            "service": _object({"ports": _map_of(_SERVICE_PORT, _NAMES)}),
            "resources": _map_of(_RESOURCE, _NAMES),
        },
        ("apiVersion", "metadata", "containers"),
    ),
}
"""Draft-07; what a schema cannot say is checked in ``score``."""
