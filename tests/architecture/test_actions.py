"""Every action that the product brings goes through the conformance suite."""

from __future__ import annotations

from pathlib import Path

from flagstone.app.build import build
from flagstone.app.rooms import load_settings
from flagstone.platform.runs import ActionRegistry

SOURCE = Path(__file__).parent.parent.parent / "src" / "flagstone"
WITHOUT_SUITE = frozenset(
    {
        "flagstone:deploy",
        "flagstone:promote",
        "flagstone:repository:delete",
        "flagstone:rollback",
        "flagstone:start",
        "flagstone:stop",
        "flagstone:undeploy",
        "publish:git",
        "flagstone:approval",
    }
)
"""They need a running workload or real git hosting: the tests of their slices try them in whole runs."""


def test_an_action_without_a_case_in_the_suite_is_not_let_in(tmp_path):
    settings = load_settings(None, environ={}, overrides={"server.data_dir": str(tmp_path)})
    registry = build(settings, "platform", discover=False).deps.get(ActionRegistry)
    tried = "".join(
        path.read_text()
        for path in SOURCE.rglob("tests/*.py")
        if path.name == "test_every_action.py" or "action_suite" in (text := path.read_text()) or "action_cases" in text
    )
    missing = {
        spec.id
        for spec in registry.specs()
        if f'"{spec.id}"' not in tried and type(registry.get(spec.id)).__name__ not in tried
    }
    assert missing <= WITHOUT_SUITE, "give them an ActionCase"
