"""The third page of a new batch: every entity, the plan of one of them, and the secrets that the runs are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flagstone.kernel.actor import Principal
from flagstone.kernel.errors import FlagstoneError
from flagstone.portal.batches.model import Candidate, Preview
from flagstone.portal.batches.web.parts import STEPS, Parts, short
from flagstone.portal.batches.web.posted import Posted
from flagstone.portal.golden_paths import GoldenPath, PlanView, plan_view

ROWS = 50
"""Rows of a preview at a time."""


@dataclass(frozen=True, slots=True)
class RowLine:
    """One entity of a preview, with what is its own among the answers."""

    candidate: Candidate
    own: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PreviewPage:
    """What would be started."""

    path: GoldenPath
    posted: Posted
    preview: Preview
    rows: tuple[RowLine, ...]
    left: int
    """How many rows are not shown yet."""
    after: int
    changed: bool = False
    error: FlagstoneError | None = None
    refused: Mapping[str, str] = field(default_factory=dict)
    """What is wrong with a secret, by its name."""
    problems: tuple[tuple[str, str, str], ...] = ()
    steps: tuple[str, ...] = STEPS


@dataclass(frozen=True, slots=True)
class PlanPage:
    """The plan for one entity."""

    ref: str
    plan: Any
    facts: Any
    view: PlanView
    problems: tuple[str, ...] = ()


def preview_page(path: GoldenPath, posted: Posted, preview: Preview, after: int = 0) -> PreviewPage:
    """A part of the entities, those that cannot be run first."""
    ordered = (*preview.invalid, *preview.valid)
    shown, varying = ordered[after : after + ROWS], preview.varying
    rows = tuple(
        RowLine(item, tuple((name, short(value)) for name, value in item.shown.items() if name in varying))
        for item in shown
    )
    return PreviewPage(path, posted, preview, rows, max(len(ordered) - after - len(shown), 0), after + len(shown))


def refused_page(page: PreviewPage, error: FlagstoneError) -> PreviewPage:
    """The same, when it was not started: the new preview, or what is wrong, at the field of a secret if it is one."""
    if error.code == "batches.preview_changed":
        return replace(page, changed=True)
    told = {str(item.field or "").removeprefix("secrets."): item.message for item in error.problems}
    known = {item.name: (f"f-secret-{at}", item.label) for at, item in enumerate(page.preview.secrets, 1)}
    if error.code != "batches.bad_secrets" or not told.keys() <= known.keys():
        return replace(page, error=error)
    return replace(page, refused=told, problems=tuple((*known[name], text) for name, text in told.items()))


def plan_page(parts: Parts, principal: Principal, path: GoldenPath, posted: Posted, ref: str) -> PlanPage:
    """What the run of one entity would do; what goes wrong is part of the page."""
    try:
        candidate = parts.previews.candidate(principal, path, posted.query, posted.answers, ref)
    except FlagstoneError as error:
        return PlanPage(ref, None, None, PlanView(error=error))
    judged = parts.previews.judge(principal, candidate)
    if judged.plan is None:
        return PlanPage(ref, None, None, PlanView(), judged.reasons)
    view = plan_view(judged.plan, parts.pickers)
    return PlanPage(candidate.title, view.plan, view.facts, view)
