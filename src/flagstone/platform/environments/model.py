"""Environments as values, and the rules for their names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from flagstone.kernel.errors import Problem

Origin = Literal["settings", "api"]
"""Who wrote it: the settings file (read again at every start) or somebody through the API."""

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class EnvironmentType:
    """A class of environments; ``position`` is its place in the order of promotion, from 0."""

    name: str
    title: str
    description: str
    position: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class Environment:
    """One place for workloads; ``position`` orders environments of one type."""

    name: str
    type: str
    title: str
    description: str
    runtime: str
    position: int
    origin: Origin


def name_problem(name: str, *, field: str) -> Problem | None:
    """What is wrong with the name of an environment or a type, if anything."""
    if _NAME.fullmatch(name):
        return None
    return Problem(
        f"{name!r} is not a name for an environment",
        field=field,
        hint="Use 1 to 63 lower case letters, digits and hyphens, with a letter or digit at both ends.",
    )


def title_of(name: str) -> str:
    """A title for people made from a name: ``pull-request`` becomes ``Pull request``."""
    text = name.replace("-", " ")
    return text[:1].upper() + text[1:]
