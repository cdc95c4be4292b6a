"""Fields of forms that plugins bring: what a template asks for with ``ui:field: CostCentre``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from flagstone.kernel.actor import Principal

FormControl = Literal["text", "textarea", "select", "search", "labels"]
"""``select`` shows all options; ``search`` and ``labels`` (several values) ask for them while somebody types."""


@dataclass(frozen=True, slots=True)
class FormOption:
    """A choice. ``value`` is what is stored."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class FormContext:
    """What a field may look at."""

    principal: Principal
    template_ref: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """``ui:options`` of the field, as the template has them."""
    values: Mapping[str, Any] = field(default_factory=dict)
    """What is filled in so far."""


class FormField(Protocol):
    """A field extension. It stores texts (a list of texts with the control ``labels``)."""

    id: str
    """The name in ``ui:field``."""
    control: FormControl
    description: str

    def options(self, ctx: FormContext, text: str, limit: int) -> Sequence[FormOption]:
        """Choices that fit what was typed, best first; none for a field that is free text."""

    def check(self, ctx: FormContext, value: Any) -> str | None:
        """What is wrong with a value, for people; None when it is fine. Asked again when a run is started."""
