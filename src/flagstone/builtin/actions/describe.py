"""Words that many actions share: why there is nothing to undo, and examples for the documentation."""

from __future__ import annotations

import textwrap

from flagstone.sdk import ActionExample

WORKSPACE_ONLY = "There is nothing to undo: it changes only the run's own folder, which goes when the run is over."
READS_ONLY = "There is nothing to undo: it changes nothing."


def example(title: str, steps: str) -> ActionExample:
    """``steps`` is a list of steps in YAML, indented as it stands in the code."""
    return ActionExample(title=title, yaml=textwrap.dedent(steps).strip() + "\n")
