"""The services that pages of golden paths stand on."""

from __future__ import annotations

from dataclasses import dataclass

from flagstone.portal.catalog import StarService
from flagstone.portal.golden_paths.service import (
    ChoiceService,
    DraftService,
    GoldenPathService,
    Pickers,
    Prefills,
    TemplateChecks,
)


@dataclass(frozen=True, slots=True)
class Parts:
    """Handed to the routes as one."""

    paths: GoldenPathService
    drafts: DraftService
    pickers: Pickers
    choices: ChoiceService
    prefills: Prefills
    checks: TemplateChecks
    stars: StarService
