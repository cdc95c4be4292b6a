"""What a schema cannot say of a Score document: placeholders that resolve to nothing, orders that cannot be kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flagstone.platform.deployments.model.placeholders import (
    PlaceholderError,
    lookup_in,
    references,
    split_reference,
)
from flagstone.platform.deployments.model.score_faults import Fault, Path

_ESCAPE = "Use $$ to write a dollar sign that is not a placeholder."


def placeholder_faults(document: Mapping[str, Any]) -> list[Fault]:
    resources = document.get("resources", {})
    lookup = lookup_in(document["metadata"], {})
    faults: list[Fault] = []
    for path, text in _expanded_texts(document):
        for reference in references(text):
            message = _placeholder_fault(reference, resources, lookup, volume=path[-1] == "source")
            if message:
                faults.append((path, message, _ESCAPE))
    return faults


def _placeholder_fault(
    reference: str, resources: Mapping[str, Any], lookup: Callable[[str], str], *, volume: bool
) -> str | None:
    root, *rest = split_reference(reference)
    shown = f"placeholder ${{{reference}}}"
    if not rest or not root:
        return f"{shown} is malformed, must contain at least two elements separated by a dot"
    if root == "metadata":
        try:
            lookup(reference)
        except PlaceholderError as error:
            return str(error)
        return None
    if root != "resources":
        return f'{shown} has unsupported first element of "{root}"'
    if rest[0] not in resources:
        return f'{shown} does not resolve to a resource, no resource with name "{rest[0]}"'
    return f"{shown} names a resource, but none of its outputs" if len(rest) == 1 and not volume else None


def _expanded_texts(document: Mapping[str, Any]) -> list[tuple[Path, str]]:
    texts: list[tuple[Path, str]] = []
    for name, container in document["containers"].items():
        here: Path = ("containers", name)
        texts += [((*here, "variables", key), text) for key, text in container.get("variables", {}).items()]
        for target, file in container.get("files", {}).items():
            if "content" in file and not file.get("noExpand", False):
                texts.append(((*here, "files", target, "content"), file["content"]))
        texts += [
            ((*here, "volumes", target, "source"), item["source"])
            for target, item in container.get("volumes", {}).items()
        ]
    for name, resource in document.get("resources", {}).items():
        texts += _strings(("resources", name, "params"), resource.get("params", {}))
    return texts


def _strings(path: Path, value: Any) -> list[tuple[Path, str]]:
    if isinstance(value, str):
        return [(path, value)]
    if isinstance(value, Mapping):
        return [found for key, item in value.items() for found in _strings((*path, key), item)]
    if isinstance(value, Sequence):
        return [found for index, item in enumerate(value) for found in _strings((*path, index), item)]
    return []


def order_faults(containers: Mapping[str, Any]) -> list[Fault]:
    faults: list[Fault] = []
    edges: dict[str, list[str]] = {}
    for name, container in containers.items():
        for other, entry in container.get("before", {}).items():
            path: Path = ("containers", name, "before", other)
            if other == name:
                faults.append((path, f'container "{name}" has a self-referencing before entry', None))
            elif other not in containers:
                faults.append((path, f'container "{name}" before refers to unknown container "{other}"', None))
            else:
                edges.setdefault(name, []).append(other)
            if entry["ready"] == "healthy" and not {"livenessProbe", "readinessProbe"} & set(container):
                faults.append((path, f'container "{name}" must be healthy before "{other}", but has no probe', None))
    if _has_cycle(edges):
        faults.append((("containers",), "containers before relationships contain a cycle", None))
    return faults


def _has_cycle(edges: Mapping[str, list[str]]) -> bool:
    done: set[str] = set()

    def visit(name: str, trail: frozenset[str]) -> bool:
        if name in trail:
            return True
        if name in done:
            return False
        done.add(name)
        return any(visit(other, trail | {name}) for other in edges.get(name, ()))

    return any(visit(name, frozenset()) for name in edges)
