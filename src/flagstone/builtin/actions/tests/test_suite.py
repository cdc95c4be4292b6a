"""Every action of this package through the conformance suite; one without a case fails."""

from __future__ import annotations

import pytest

from flagstone.builtin.actions import plugin
from flagstone.builtin.actions.tests.cases import CASES, settings
from flagstone.testing.actions import ActionBench
from flagstone.testing.suites.action_suite import ActionSuite


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
class TestActions(ActionSuite):
    """All of them."""


def test_every_action_has_a_case(tmp_path):
    bench = ActionBench(tmp_path)
    registered = [item.id for item in plugin.actions(bench.tools, settings())]
    assert sorted(CASES) == sorted(registered)
