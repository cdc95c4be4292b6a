"""Placeholders of Score (``${…}``): the grammar of score-go, applied to plain data.

Nothing is evaluated: a placeholder names a value in a map. Replaced text is not looked at again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

_PLACEHOLDER = re.compile(r"\$((?:\$?{([^}]*)})|\$)")

Lookup = Callable[[str], str]
"""Gives the text for a reference; raises :class:`PlaceholderError`."""


class PlaceholderError(ValueError):
    """A reference that cannot be resolved; the message names it."""


def expand(text: str, lookup: Lookup) -> str:
    """Replace every ``${ref}`` by ``lookup(ref)``; ``$$`` becomes ``$`` and ``$${ref}`` becomes ``${ref}``."""

    def replace(match: re.Match[str]) -> str:
        body = match.group(1)
        if body.startswith("$"):
            return body
        return lookup(match.group(2))

    return _PLACEHOLDER.sub(replace, text)


def references(text: str) -> list[str]:
    """The references in a text, in order, escaped ones left out."""
    return [match.group(2) for match in _PLACEHOLDER.finditer(text) if match.group(1).startswith("{")]


def split_reference(reference: str) -> list[str]:
    r"""The elements of a reference: split on ``.``, where ``\.`` is a dot inside an element."""
    return [part.replace("\\.", ".") for part in re.split(r"(?<!\\)\.", reference)]


def lookup_in(metadata: Mapping[str, Any], resources: Mapping[str, Mapping[str, Any] | None]) -> Lookup:
    """A lookup in a workload's metadata and in the outputs of its resources by name.

    Outputs of None mean that the resource is declared but not provided yet.
    """

    def lookup(reference: str) -> str:
        root, *path = split_reference(reference)
        if root == "metadata":
            if not path:
                raise PlaceholderError(f"invalid ref '{reference}': requires at least a metadata key to lookup")
            return _text(_walk(reference, metadata, path))
        if root == "resources":
            if not path:
                raise PlaceholderError(f"invalid ref '{reference}': requires at least a resource name to lookup")
            name, *rest = path
            if name not in resources:
                raise PlaceholderError(f"invalid ref '{reference}': no known resource '{name}'")
            outputs = resources[name]
            if outputs is None:
                raise PlaceholderError(f"invalid ref '{reference}': resource '{name}' is not provided yet")
            # A volume names its resource alone: what it gives as a source is meant.
            if not rest and "source" not in outputs:
                raise PlaceholderError(f"invalid ref '{reference}': requires at least one output of the resource")
            return _text(_walk(reference, outputs, rest or ["source"]))
        raise PlaceholderError(f"invalid ref '{reference}': unknown reference root, use $$ to escape the substitution")

    return lookup


def _walk(reference: str, value: Any, path: list[str]) -> Any:
    for key in path:
        if not isinstance(value, Mapping):
            raise PlaceholderError(f"invalid ref '{reference}': cannot lookup key '{key}', context is not a map")
        if key not in value:
            raise PlaceholderError(f"invalid ref '{reference}': key '{key}' not found")
        value = value[key]
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
