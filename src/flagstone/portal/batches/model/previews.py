"""What came of looking at each entity: what its run would be given, and what is wrong with that."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flagstone.contracts.plans import Plan
from flagstone.contracts.runs import RunRequest
from flagstone.portal.batches.model.queries import EntityQuery
from flagstone.portal.golden_paths import GoldenPath


@dataclass(frozen=True, slots=True)
class AskedSecret:
    """A secret that the runs need: given once for all of them, when the batch starts."""

    name: str
    label: str
    help: str = ""
    required: bool = False


Place = tuple[str, ...]
"""Keys and indexes that lead to an answer."""


def at_place(values: Any, place: Place) -> Any:
    """The answer at a place; None where there is none."""
    for part in place:
        if isinstance(values, Mapping):
            values = values.get(part)
        elif isinstance(values, list) and part.isdecimal() and int(part) < len(values):
            values = values[int(part)]
        else:
            return None
    return values


def put_at(values: Any, place: Place, value: str | None) -> Any:
    """The same answers with another at a place, or without one; unchanged where nothing leads to the place."""
    head, rest = place[0], place[1:]
    if isinstance(values, list) and rest and head.isdecimal() and int(head) < len(values):
        return [put_at(item, rest, value) if at == int(head) else item for at, item in enumerate(values)]
    if not isinstance(values, Mapping) or (rest and head not in values):
        return values
    if rest:
        return {**values, head: put_at(values[head], rest, value)}
    others = {name: item for name, item in values.items() if name != head}
    return others if value is None else {**others, head: value}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One entity. Without a ``request`` it cannot be run, and ``problems`` say why."""

    ref: str
    title: str
    kind: str
    request: RunRequest | None = None
    problems: tuple[str, ...] = ()
    starred: frozenset[Place] = frozenset()
    """Where in the inputs stars may stand for a secret."""

    @property
    def shown(self) -> Mapping[str, Any]:
        """Its inputs without those: whether an optional secret is given is not known before the start."""
        found: Any = self.request.inputs if self.request else {}
        for place in self.starred:
            found = put_at(found, place, None)
        return dict(found)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a batch would be of."""

    path: GoldenPath
    query: EntityQuery
    candidates: tuple[Candidate, ...]
    digest: str
    secrets: tuple[AskedSecret, ...] = ()
    """What it has to be given to start."""

    @property
    def valid(self) -> tuple[Candidate, ...]:
        """Those that can be run."""
        return tuple(item for item in self.candidates if item.request is not None)

    @property
    def varying(self) -> frozenset[str]:
        """Names of the answers that are not the same for all."""
        seen: dict[str, set[str]] = {}
        for item in self.valid:
            for name, value in item.shown.items():
                seen.setdefault(name, set()).add(json.dumps(value, sort_keys=True, default=str))
        return frozenset(name for name, values in seen.items() if len(values) > 1)

    @property
    def invalid(self) -> tuple[Candidate, ...]:
        """Those that cannot."""
        return tuple(item for item in self.candidates if item.request is None)


@dataclass(frozen=True, slots=True)
class Judged:
    """A candidate and what the platform says to its plan."""

    candidate: Candidate
    plan: Plan | None = None
    error: str = ""

    @property
    def word(self) -> str:
        """What the platform would do with it: ready, approval, denied, invalid, unknown."""
        if self.candidate.request is None:
            return "invalid"
        if self.plan is None:
            return "unknown"
        if self.plan.problems or self.plan.allowed is False or self.denials:
            return "denied"
        return "approval" if self.plan.approvals else "ready"

    @property
    def denials(self) -> tuple[str, ...]:
        """What policies forbid."""
        return tuple(item.message for item in self.plan.verdicts if item.severity == "deny") if self.plan else ()

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not simply ready."""
        if self.plan is None:
            return self.candidate.problems or ((self.error,) if self.error else ())
        steps = tuple(step.reason for step in self.plan.steps if not step.allowed and step.reason)
        warned = tuple(item.message for item in self.plan.verdicts if item.severity == "warn")
        asked = tuple(f"{rule.count} of {', '.join(rule.of)} must agree" for rule in self.plan.approvals)
        return tuple(dict.fromkeys((*self.plan.problems, *steps, *self.denials, *asked, *warned)))


def digest_of(path: GoldenPath, candidates: tuple[Candidate, ...]) -> str:
    """Of the golden path as it is, the entities and what each is given."""
    seen = [[item.ref, None if item.request is None else [item.shown, item.request.owner]] for item in candidates]
    return hashlib.sha256(json.dumps([path.ref, path.version, seen], sort_keys=True, default=str).encode()).hexdigest()
