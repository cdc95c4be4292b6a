"""The template checker: what is wrong with a template, and where exactly, before anybody runs it. Pure.

What a run would refuse is an *error*; what would run but hardly as its author meant, a *warning*.
"""

from flagstone.portal.golden_paths.model.checking.findings import Finding, Findings, located
from flagstone.portal.golden_paths.model.checking.template import check_template

__all__ = ["Finding", "Findings", "check_template", "located"]
