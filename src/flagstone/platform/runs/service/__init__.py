"""Use cases of runs, and the machinery that executes them."""

from __future__ import annotations

from flagstone.platform.runs.service.assembly import RunsAssembly, assemble
from flagstone.platform.runs.service.calling import to_outputs
from flagstone.platform.runs.service.contexts import Place, RunContext, StepContext
from flagstone.platform.runs.service.expressions import (
    MASK,
    Scope,
    condition_holds,
    render_inputs,
    render_output,
    syntax_fault,
    turns_of,
)
from flagstone.platform.runs.service.files import RootFiles
from flagstone.platform.runs.service.registry import ActionRegistry
from flagstone.platform.runs.service.resolving import ResolveService
from flagstone.platform.runs.service.runs import RunService
from flagstone.platform.runs.service.sources import Reading, Sources
from flagstone.platform.runs.service.steps import parse_inputs
from flagstone.platform.runs.service.tools import StepTools
from flagstone.platform.runs.service.waiting import WaitService
from flagstone.platform.runs.service.workspaces import Workspace, Workspaces

__all__ = [
    "MASK",
    "ActionRegistry",
    "Place",
    "Reading",
    "ResolveService",
    "RootFiles",
    "RunContext",
    "RunService",
    "RunsAssembly",
    "Scope",
    "Sources",
    "StepContext",
    "StepTools",
    "WaitService",
    "Workspace",
    "Workspaces",
    "assemble",
    "condition_holds",
    "parse_inputs",
    "render_inputs",
    "render_output",
    "syntax_fault",
    "to_outputs",
    "turns_of",
]
