"""Nunjucks' two functions that keep a state between calls, for one rendering: ``cycler`` and ``joiner``.

They live in variables of a template and never leave it: they print and serialise as functions do, as an error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flagstone.toolkit.templating.faults import TemplateError
from flagstone.toolkit.templating.values import UNDEFINED, Value


@dataclass(slots=True)
class Cycler:
    """``cycler('odd', 'even')``: its values one after the other, again and again."""

    items: Sequence[Value]
    at: int = -1

    @property
    def current(self) -> Value:
        """What ``next()`` gave last; null before."""
        return self.items[self.at] if self.at >= 0 else None

    def call(self, name: str) -> Value:
        """Its methods. Raises TemplateError for another name."""
        if name == "reset":
            self.at = -1
            return UNDEFINED
        if name != "next":
            raise TemplateError(f"A cycler has no method {name!r:.60}.")
        if not self.items:
            return UNDEFINED
        self.at = (self.at + 1) % len(self.items)
        return self.items[self.at]


@dataclass(slots=True)
class Joiner:
    """``joiner(', ')``: nothing at the first call, then its separator."""

    separator: Value
    used: bool = False

    def call(self) -> Value:
        """The separator, but for the first time."""
        if self.used:
            return self.separator
        self.used = True
        return ""
