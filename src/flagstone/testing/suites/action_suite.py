"""What every action must do. Subclass :class:`ActionSuite` and give it an action and inputs::

    class TestGreet(ActionSuite):
        @pytest.fixture
        def action(self):
            return Greet()

        @pytest.fixture
        def inputs(self):
            return {"name": "Ann"}

Override ``prepare`` when it needs files in the workspace, beside the template or in a repository.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from flagstone.kernel.errors import FlagstoneError
from flagstone.sdk import Action
from flagstone.testing.actions import ActionBench, contents

_ID = re.compile(r"[a-z][a-zA-Z0-9-]*(:[a-zA-Z0-9-]+)+")
_FIELD = re.compile(r"[a-z][a-zA-Z0-9]*")


class ActionSuite:
    """See the module. A subclass gives ``action`` and ``inputs``."""

    @pytest.fixture
    def action(self) -> Action:
        """The action."""
        raise NotImplementedError

    @pytest.fixture
    def inputs(self) -> dict[str, Any]:
        """Inputs with which it succeeds, as a template writes them."""
        return {}

    def prepare(self, bench: ActionBench) -> None:
        """Put in place what the action needs."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> ActionBench:
        """The bench, prepared."""
        made = ActionBench(tmp_path / "bench")
        self.prepare(made)
        return made

    def test_it_describes_itself(self, action: Action) -> None:
        """Id, title, description, permission and schemas are fit to be shown."""
        spec = action.spec("test")
        assert _ID.fullmatch(spec.id), "an id is written domain:verb"
        assert spec.title
        assert spec.description
        assert spec.permission.count(".") >= 1
        for schema in (spec.input_schema, spec.output_schema):
            Draft7Validator.check_schema(schema)
            Draft202012Validator.check_schema(schema)
            json.dumps(schema)
        for name in (*spec.input_schema.get("properties", {}), *spec.output_schema.get("properties", {})):
            assert _FIELD.fullmatch(name), f"{name} is not camelCase"

    def test_it_refuses_inputs_it_does_not_know(
        self, action: Action, inputs: dict[str, Any], bench: ActionBench
    ) -> None:
        """A typing error is told, not ignored."""
        with pytest.raises(FlagstoneError) as refused:
            bench.plan(action, {**inputs, "noSuchInput": 1})
        assert "noSuchInput" in str(refused.value)

    def test_planning_says_what_would_happen_and_changes_nothing(
        self, action: Action, inputs: dict[str, Any], bench: ActionBench
    ) -> None:
        """Nothing outside the throw-away workspace is different afterwards, and twice is the same."""
        before = _tree(bench.folder)
        first = bench.plan(action, inputs)
        second = bench.plan(action, inputs)
        assert _tree(bench.folder) == before
        assert first == second, "a plan must not hold anything random"
        assert first.changes or first.notes or first.outputs or first.files, "a plan must say something"

    def test_what_was_planned_is_what_happens(self, action: Action, inputs: dict[str, Any], bench: ActionBench) -> None:
        """The outputs that were foretold are the ones that come, and files are the same."""
        planned = bench.plan(action, inputs)
        ran = bench.run(action, inputs)
        for name, value in planned.outputs.items():
            if value not in ("", None):
                assert ran.outputs[name] == value, f"output {name} was foretold differently"
        there = contents(bench.workspace)
        for path, text in planned.files.items():
            assert there[path] == text

    def test_doing_it_again_after_a_crash_is_harmless(
        self, action: Action, inputs: dict[str, Any], bench: ActionBench
    ) -> None:
        """With the same key: the same outputs and the same files, as its idempotency promises."""
        first = bench.run(action, inputs)
        after_first = contents(bench.workspace)
        if action.idempotency == "none":
            return
        if action.idempotency == "probe":
            found = bench.probe(action, inputs)
            assert found is not None, "probe must find what was done with this key"
            assert found.outputs == first.outputs
            return
        second = bench.run(action, inputs, attempt=2)
        assert contents(bench.workspace) == after_first
        assert second.outputs == first.outputs
        assert second.events == first.events


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
