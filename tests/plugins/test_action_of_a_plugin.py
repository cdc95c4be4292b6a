"""The action of the how-to page: it is short, it registers, and it passes the conformance suite."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flagstone.platform.runs.service.registry import ActionRegistry
from flagstone.testing.suites.action_cases import ActionCase
from flagstone.testing.suites.action_suite import ActionSuite

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "write-an-action.md"
SOURCE = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
MODULE: dict = {"__name__": "acme"}
exec(compile(SOURCE, str(PAGE), "exec"), MODULE)  # the page is ours
CASES = [ActionCase(lambda bench: MODULE["Greet"](), {"name": "Ann"}, wrong={"name": ""}, wrong_field="name")]


@pytest.mark.parametrize("case", CASES)
class TestActions(ActionSuite):
    """The one of the page."""


def test_it_takes_about_twenty_lines():
    lines = [line for line in SOURCE.splitlines() if line.strip() and not line.startswith(("from", "import"))]
    assert len(lines) <= 25


def test_it_registers_with_its_plugin():
    registry = ActionRegistry()
    for action in MODULE["flagstone_register_actions"]():
        registry.add(action, "acme")
    spec = registry.spec("acme:greet")
    assert (spec.source, spec.idempotency, spec.has_undo) == ("acme", "natural", False)
    assert spec.examples[0].title == "Greet"
