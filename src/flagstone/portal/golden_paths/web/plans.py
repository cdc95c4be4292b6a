"""A plan as pages show it: also those of other slices that show the plan of a golden path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flagstone.contracts.plans import Plan
from flagstone.kernel.errors import FlagstoneError
from flagstone.portal.golden_paths.model import PlanFacts, read_plan
from flagstone.portal.golden_paths.service import Pickers
from flagstone.toolkit.web.filetree import FileEntry

_MANY = 40
_SHOWN = 20_000
_CHANGES: dict[str, Any] = {"create": "added", "change": "changed", "delete": "removed"}


@dataclass(frozen=True, slots=True)
class PlanView:
    """The plan as it is shown, or why there is none."""

    plan: Plan | None = None
    facts: PlanFacts | None = None
    files: tuple[FileEntry, ...] = ()
    error: FlagstoneError | None = None
    changed: bool = False
    """Whether it is not the plan that was seen before."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Of those who must agree, by ref."""


def plan_view(plan: Plan, pickers: Pickers, *, changed: bool = False) -> PlanView:
    """What a page needs to show a plan."""
    facts = read_plan(plan)
    refs = {ref for item in facts.agreements for ref in item.refs}
    return PlanView(plan, facts, plan_files(plan), changed=changed, names=pickers.labels(refs))


def plan_files(plan: Plan) -> tuple[FileEntry, ...]:
    """The files of a plan as their tree shows them; where there are many, shortened and mostly without colours."""
    many = len(plan.files) > _MANY
    return tuple(
        FileEntry(
            file.path,
            _cut(file.text) if many else file.text,
            _CHANGES[file.op],
            "" if file.text is not None else f"{file.size} bytes, not text",
            file.before,
            plain=number >= _MANY,
        )
        for number, file in enumerate(plan.files)
    )


def _cut(text: str | None) -> str | None:
    """Of each of many files only the beginning, so that the page stays small."""
    return (
        text if text is None or len(text) <= _SHOWN else f"{text[:_SHOWN]}\n... {len(text) - _SHOWN:,} characters more"
    )
