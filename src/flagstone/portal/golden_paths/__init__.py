"""Golden paths: the gallery of templates, their forms, and the plan that is shown before anything happens.

Vocabulary: a *template* is a catalog entity of kind Template; a *page* is one step of its form; a *draft* is a form
that somebody fills in, kept on the server; the *plan* is what the platform says a run would do. Nothing is executed
here: the template becomes a workflow definition and is handed to the gateway. What happens after that belongs to
self_service.
"""

from flagstone.portal.golden_paths.model import GoldenPath, golden_path, unregistered, workflow
from flagstone.portal.golden_paths.model.cases import Case, golden_files, judge_case, judge_refusal, read_cases
from flagstone.portal.golden_paths.model.checking import Finding
from flagstone.portal.golden_paths.model.plans import PlanFacts, read_plan
from flagstone.portal.golden_paths.service import (
    DraftService,
    FormFieldRegistry,
    GoldenPathService,
    Pickers,
    Prefills,
    check_text,
)
from flagstone.portal.golden_paths.web.bodies import read_pairs
from flagstone.portal.golden_paths.web.plans import PlanView, plan_view

__all__ = [
    "Case",
    "DraftService",
    "Finding",
    "FormFieldRegistry",
    "GoldenPath",
    "GoldenPathService",
    "Pickers",
    "PlanFacts",
    "PlanView",
    "Prefills",
    "check_text",
    "golden_files",
    "golden_path",
    "judge_case",
    "judge_refusal",
    "plan_view",
    "read_cases",
    "read_pairs",
    "read_plan",
    "unregistered",
    "workflow",
]
