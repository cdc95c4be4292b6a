"""Golden paths as values, pure: a template entity read, made into a workflow; drafts; the plan grouped for reading."""

from flagstone.portal.golden_paths.model.drafts import Draft
from flagstone.portal.golden_paths.model.plans import ChangeGroup, PlanFacts, read_plan
from flagstone.portal.golden_paths.model.templates import GoldenPath, golden_path, unregistered
from flagstone.portal.golden_paths.model.workflows import owner_of, run_title, workflow

__all__ = [
    "ChangeGroup",
    "Draft",
    "GoldenPath",
    "PlanFacts",
    "golden_path",
    "owner_of",
    "read_plan",
    "run_title",
    "unregistered",
    "workflow",
]
