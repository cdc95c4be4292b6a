"""What a rendering may cost, and the meter that is charged while it runs.

Every loop and every text that an expression makes is charged here, before it is made. What the language means
belongs to the other modules of this package.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from flagstone.toolkit.templating.faults import LimitError

_STEPS_PER_CLOCK_READING = 500
_CHARACTERS_PER_STEP = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one rendering.

    ``fuel`` counts steps; ``cpu_seconds`` is processor time of this thread, so that a busy machine does not change
    the result; texts are counted in characters; ``depth`` is nesting of expressions, blocks and macros.
    """

    fuel: int = 100_000
    cpu_seconds: float = 0.12
    max_source: int = 1_000_000
    max_text: int = 1_000_000
    max_output: int = 1_000_000
    max_items: int = 10_000
    depth: int = 100


EXPRESSION_LIMITS = Limits()
"""For step inputs, conditions and paths."""

FILE_LIMITS = Limits(
    fuel=5_000_000, cpu_seconds=10, max_source=10_000_000, max_text=10_000_000, max_output=10_000_000, max_items=100_000
)
"""For the contents of one file."""


class Budget:
    """The meter of one rendering. Raises LimitError, naming the limit, when something would go over it."""

    __slots__ = ("_clock_at", "_deadline", "_depth", "_fuel", "_written", "limits")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._fuel = limits.fuel
        self._clock_at = limits.fuel - _STEPS_PER_CLOCK_READING
        self._deadline = time.thread_time() + limits.cpu_seconds
        self._depth = 0
        self._written = 0

    def spend(self, steps: int = 1) -> None:
        """Charge a number of steps."""
        self._fuel -= steps
        if self._fuel < self._clock_at:
            self._check()

    def _check(self) -> None:
        if self._fuel < 0:
            raise LimitError(f"The template took more than {self.limits.fuel} steps.", "fuel")
        if time.thread_time() > self._deadline:
            raise LimitError(f"The template ran for more than {self.limits.cpu_seconds:g} seconds.", "cpu_seconds")
        self._clock_at = self._fuel - _STEPS_PER_CLOCK_READING

    def text(self, length: int) -> None:
        """Charge a text of that many characters; call it before the text is built."""
        if length > self.limits.max_text:
            raise LimitError(f"A text would be longer than {self.limits.max_text} characters.", "max_text")
        self.spend(1 + length // _CHARACTERS_PER_STEP)

    def items(self, count: int) -> None:
        """Charge a list or object with that many members."""
        if count > self.limits.max_items:
            raise LimitError(f"A list would have more than {self.limits.max_items} items.", "max_items")
        self.spend(1 + count)

    def source(self, length: int) -> None:
        """Check the length of a template's own text."""
        if length > self.limits.max_source:
            raise LimitError(f"The template is longer than {self.limits.max_source} characters.", "max_source")

    def output(self, length: int) -> None:
        """Charge characters of the result."""
        self._written += length
        if self._written > self.limits.max_output:
            raise LimitError(f"The result is longer than {self.limits.max_output} characters.", "max_output")
        self.spend(1 + length // _CHARACTERS_PER_STEP)

    def enter(self) -> None:
        """One level deeper; pair it with :meth:`leave`."""
        self._depth += 1
        if self._depth > self.limits.depth:
            raise LimitError(f"The template nests deeper than {self.limits.depth} levels.", "depth")
        self.spend()

    def chain(self, links: int) -> None:
        """Charge one more operator, filter or member in a chain, which is as deep as it is long."""
        if links > self.limits.depth:
            raise LimitError(f"An expression has a chain of more than {self.limits.depth} parts.", "depth")
        self.spend()

    def leave(self) -> None:
        """One level up."""
        self._depth -= 1

    def reset_depth(self, depth: int = 0) -> None:
        """Back to a level after a fault unwound the ones below it."""
        self._depth = depth

    @property
    def depth(self) -> int:
        """How deep the rendering is now."""
        return self._depth
