"""What the pages of a new batch stand on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flagstone.kernel.refs import parse_ref
from flagstone.portal.batches.service import BatchPreviews
from flagstone.portal.golden_paths import GoldenPath, Pickers
from flagstone.toolkit.web.pages import Pages

STEPS = ("Entities", "Answers", "Preview")
_LONG = 80


@dataclass(frozen=True, slots=True)
class Parts:
    """Handed to the routes as one."""

    previews: BatchPreviews
    pickers: Pickers
    pages: Pages

    def path(self, template: str) -> GoldenPath:
        """The golden path that a form names. Raises NotFound."""
        ref = parse_ref(template, default_kind="template")
        return self.previews.path(ref.namespace, ref.name)


def short(value: Any) -> str:
    """An answer as one of many, in a few words."""
    text = "nothing" if value in (None, "", [], {}) else value if isinstance(value, str) else str(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}…"
