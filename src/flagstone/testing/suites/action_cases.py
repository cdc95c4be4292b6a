"""Cases for the conformance suite of actions: with which inputs each one succeeds, and what it needs for that.

A package that brings actions has a module ``tests/cases.py`` with ``CASES``; an action without a case fails the suite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flagstone.sdk import Action
from flagstone.testing.actions import ActionBench


def _nothing(_bench: ActionBench) -> None:
    return None


@dataclass(frozen=True)
class ActionCase:
    """``make`` gets the bench, whose ``tools`` are real; ``wrong`` are inputs that are refused, and the field named."""

    make: Callable[[ActionBench], Action]
    inputs: Mapping[str, Any]
    prepare: Callable[[ActionBench], None] = _nothing
    wrong: Mapping[str, Any] = field(default_factory=dict)
    wrong_field: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)
