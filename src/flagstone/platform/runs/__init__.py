"""Runs: the only place that executes anything.

- *run*: one execution of a workflow, with an actor, inputs, steps, a log, outputs; it keeps its definition as it was
- *step*, *attempt*: its parts (a turn of ``each`` is a step of its own, ``id[key]``) and the tries of one
- *intent*: written before a side effect, so that a recovery knows to probe instead of doing it twice
- *fence*: the number of the executor that has the run; whatever an older one still writes is refused
- *execution*: one life of a run in the engine; a retry is a new one

What a workflow must look like, and its plan, belong to ``workflows``; what actions do belongs to plugins.
"""

from flagstone.platform.runs.model import digest
from flagstone.platform.runs.permissions import PERMISSIONS, START
from flagstone.platform.runs.ports import Engine, HostedFiles
from flagstone.platform.runs.service import (
    MASK,
    ActionRegistry,
    Place,
    Reading,
    ResolveService,
    RootFiles,
    RunContext,
    RunService,
    Scope,
    Sources,
    StepContext,
    StepTools,
    WaitService,
    Workspace,
    Workspaces,
    condition_holds,
    parse_inputs,
    render_inputs,
    render_output,
    syntax_fault,
    to_outputs,
    turns_of,
)
from flagstone.platform.runs.settings import RunsSettings

__all__ = [
    "MASK",
    "PERMISSIONS",
    "START",
    "ActionRegistry",
    "Engine",
    "HostedFiles",
    "Place",
    "Reading",
    "ResolveService",
    "RootFiles",
    "RunContext",
    "RunService",
    "RunsSettings",
    "Scope",
    "Sources",
    "StepContext",
    "StepTools",
    "WaitService",
    "Workspace",
    "Workspaces",
    "condition_holds",
    "digest",
    "parse_inputs",
    "render_inputs",
    "render_output",
    "syntax_fault",
    "to_outputs",
    "turns_of",
]
