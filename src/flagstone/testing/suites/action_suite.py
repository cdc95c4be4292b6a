"""What every action must do. Give it cases, one for each action::

    CASES = [ActionCase(lambda bench: Greet(), {"name": "Ann"}, wrong={"name": 3}, wrong_field="name")]

    @pytest.mark.parametrize("case", CASES, ids=lambda case: ...)
    class TestActions(ActionSuite):
        ...

or subclass it for a single action and override the fixtures ``action`` and ``inputs``, and ``prepare``.
"""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator, Draft202012Validator

from flagstone.kernel.errors import FlagstoneError, Invalid
from flagstone.sdk import Action
from flagstone.testing.actions import ActionBench, contents
from flagstone.testing.suites.action_cases import ActionCase

_ID = re.compile(r"[a-z][a-zA-Z0-9-]*(:[a-zA-Z0-9-]+)+")
_FIELD = re.compile(r"[a-z][a-zA-Z0-9]*")
_CANARY = "CANARY-4f1d0c"


class ActionSuite:
    """See the module. A subclass gives ``action`` and ``inputs``, or is parametrised over ``case``."""

    @pytest.fixture
    def case(self) -> ActionCase | None:
        """The case, when there are cases."""
        return None

    @pytest.fixture
    def action(self, case: ActionCase | None, bench: ActionBench) -> Action:
        """The action."""
        if case is None:
            pytest.fail("Give the suite cases, or a fixture `action`.")
        return case.make(bench)

    @pytest.fixture
    def inputs(self, case: ActionCase | None) -> dict[str, Any]:
        """Inputs with which it succeeds, as a template writes them."""
        return dict(case.inputs) if case is not None else {}

    def prepare(self, bench: ActionBench) -> None:
        """Put in place what the action needs."""

    @pytest.fixture
    def bench(self, case: ActionCase | None, tmp_path: Path) -> ActionBench:
        """The bench, prepared."""
        made = ActionBench(tmp_path / "bench")
        self.prepare(made)
        if case is not None:
            case.prepare(made)
        return made

    @pytest.fixture
    def secrets(self, case: ActionCase | None) -> dict[str, str]:
        """Secrets of the run."""
        return {"unused": _CANARY, **(case.secrets if case is not None else {})}

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

    def test_it_is_documented(self, action: Action, case: ActionCase | None) -> None:
        """Every field has a description, undo says what it does or why there is none, an example is a valid step."""
        if case is None:
            pytest.skip("an action without a case of its own")
        spec = action.spec("test")
        for schema in (spec.input_schema, spec.output_schema):
            for name, member in schema.get("properties", {}).items():
                assert member.get("description"), f"{name} has no description"
        assert spec.undo, "undo() has a docstring, or without_undo says why there is none"
        assert spec.examples, "an example is missing"
        assert any(example.yaml.count(f"action: {spec.id}") for example in spec.examples)
        for example in spec.examples:
            steps = yaml.safe_load(example.yaml)
            assert isinstance(steps, list), example.title
            for step in steps:
                assert {"id", "action"} <= step.keys(), example.title
                if step["action"] == spec.id:
                    assert set(step.get("input", {})) <= set(spec.input_schema.get("properties", {})), example.title
                    assert set(spec.input_schema.get("required", ())) <= set(step.get("input", {})), example.title

    def test_it_refuses_inputs_it_does_not_know(
        self, action: Action, inputs: dict[str, Any], bench: ActionBench
    ) -> None:
        """A typing error is told, not ignored."""
        with pytest.raises(FlagstoneError) as refused:
            bench.plan(action, {**inputs, "noSuchInput": 1})
        assert "noSuchInput" in str(refused.value)

    def test_it_refuses_wrong_inputs_by_their_field(
        self, action: Action, inputs: dict[str, Any], bench: ActionBench, case: ActionCase | None
    ) -> None:
        """Whoever wrote the template is told where to look."""
        if case is None or not case.wrong:
            pytest.skip("the case has no wrong inputs")
        with pytest.raises(Invalid) as refused:
            bench.plan(action, {**inputs, **case.wrong})
        fields = [problem.field or "" for problem in refused.value.problems]
        assert any(case.wrong_field in name for name in fields) or case.wrong_field in str(refused.value)

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

    def test_what_was_planned_is_what_happens(
        self, action: Action, inputs: dict[str, Any], bench: ActionBench, secrets: dict[str, str]
    ) -> None:
        """The outputs that were foretold are the ones that come, and files are the same."""
        planned = bench.plan(action, inputs)
        ran = bench.run(action, inputs, secrets=secrets)
        for name, value in planned.outputs.items():
            if value not in ("", None):
                assert ran.outputs[name] == value, f"output {name} was foretold differently"
        there = contents(bench.workspace)
        for path, text in planned.files.items():
            assert there[path] == text
        promised = action.spec("test").output_schema
        Draft202012Validator(promised).validate(ran.outputs)

    def test_doing_it_again_after_a_crash_is_harmless(
        self, action: Action, inputs: dict[str, Any], bench: ActionBench, secrets: dict[str, str]
    ) -> None:
        """With the same key: the same outputs and the same files, as its idempotency promises."""
        first = bench.run(action, inputs, secrets=secrets)
        after_first = contents(bench.workspace)
        how = action.idempotency_of(action.Input.model_validate(inputs))
        if how == "none":
            return
        if how == "probe":
            found = bench.probe(action, inputs)
            assert found is not None, "probe must find what was done with this key"
            assert found.outputs == first.outputs
            return
        second = bench.run(action, inputs, secrets=secrets, attempt=2)
        assert contents(bench.workspace) == after_first
        assert second.outputs == first.outputs
        assert second.events == first.events

    def test_a_secret_comes_out_nowhere(
        self, action: Action, inputs: dict[str, Any], bench: ActionBench, secrets: dict[str, str]
    ) -> None:
        """Neither in outputs nor log nor events nor files."""
        ran = bench.run(action, inputs, secrets=secrets)
        shown = json.dumps([ran.outputs, ran.events, ran.log, ran.links, contents(bench.workspace)], default=str)
        for value in secrets.values():
            assert value not in shown

    def test_a_cancelled_run_does_not_hang_in_it(
        self, action: Action, inputs: dict[str, Any], bench: ActionBench, secrets: dict[str, str]
    ) -> None:
        """It ends, or says why it did not do it."""
        bench.stop.set()
        with contextlib.suppress(FlagstoneError):
            bench.run(action, inputs, secrets=secrets)


def _tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
