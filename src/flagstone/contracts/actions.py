"""What an action says of itself; forms, docs and checks are made from it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flagstone.contracts.base import JSON, Wire

Idempotency = Literal["natural", "key", "probe", "none"]
"""How a step that was killed half way is made whole.

``natural``: doing it twice equals doing it once; ``key``: the target refuses the same key twice; ``probe``: the
action can ask the target whether it happened; ``none``: a person is asked.
"""


class ActionExample(Wire):
    """A step as a template would have it: ``yaml`` is a list of steps, ready to be copied."""

    title: str
    yaml: str


class ActionSpec(Wire):
    """One kind of step. Schemas are JSON Schema draft-07 objects."""

    id: str
    title: str
    description: str = ""
    input_schema: dict[str, JSON]
    output_schema: dict[str, JSON]
    permission: str
    idempotency: Idempotency
    idempotency_note: str = ""
    """On what it depends, of an action with which it depends on the inputs; ``idempotency`` is the weakest then."""
    has_undo: bool = False
    undo: str = ""
    """What undoing does, or why there is nothing to undo."""
    examples: tuple[ActionExample, ...] = Field(default=())
    source: str = "flagstone"
    """The plugin that brought it."""
