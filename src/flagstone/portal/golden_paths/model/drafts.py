"""A draft: a form on its way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Draft:
    """A form that somebody fills in. ``values`` are those of the form engine; what is secret is never among them."""

    id: str
    user_id: str
    template_ref: str
    version: str
    """Digest of the template when it was filled in last."""
    values: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    """Names of the Secret fields whose value is in the vault."""
    step: int = 0
    """The page it was on last."""
    run_id: str | None = None
    """The run that it became; it is not changed after that."""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    rerun_of: str | None = None
    """The run whose answers it began with."""
    entity_ref: str | None = None
    """The entity that it is about, when the golden path was opened from its page."""

    @property
    def vault_name(self) -> str:
        """Where its secrets are."""
        return f"golden-paths/draft-{self.id}"
