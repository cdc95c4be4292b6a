"""Steps and output: actions that exist, inputs that they take, expressions that say what their author means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flagstone.contracts.actions import ActionSpec
from flagstone.portal.golden_paths.model.checking.findings import Findings, Place, similar
from flagstone.portal.golden_paths.model.checking.parameters import Asked, is_templated
from flagstone.portal.golden_paths.model.durations import HINT, step_timeout
from flagstone.toolkit.templating import survey
from flagstone.toolkit.web.forms.compiled import faults

_STEP_KEYS = ("id", "name", "action", "input", "if", "each", "timeout", "backstage:permissions")
_ROOTS = ("parameters", "steps", "secrets", "user", "each", "context", "environment")
_LINK_KEYS = ("title", "url", "entityRef", "icon", "if")
_TEXT_KEYS = ("title", "content", "icon", "if")


class StepChecker:
    """Checks steps in order; it remembers those before."""

    def __init__(self, actions: Mapping[str, ActionSpec] | None, asked: Asked, found: Findings) -> None:
        self._actions = actions
        self._asked = asked
        self._found = found
        self._before: dict[str, ActionSpec | None] = {}

    def step(self, step: Any, path: Place, index: int) -> None:
        """Check one step."""
        found = self._found
        if not isinstance(step, Mapping):
            found.error("bad_step", path, "a step must be an object")
            return
        ident = str(step.get("id") or f"step-{index + 1}")
        if ident in self._before:
            found.error("step_twice", (*path, "id"), f"two steps have the id {ident!r}", "Give each an id of its own.")
        for key in step:
            if key not in _STEP_KEYS:
                found.warning(
                    "unknown_key", (*path, key), f"{key!r} means nothing in a step", similar(str(key), _STEP_KEYS)
                )
        if step.get("backstage:permissions"):
            found.warning(
                "permissions",
                (*path, "backstage:permissions"),
                "this step is done for everyone",
                "Give the action a permission of its own, or use if.",
            )
        if step.get("if") == "false":
            found.warning("if_text", (*path, "if"), "the text 'false' is true", "Write if: false without quotes.")
        self._timeout(step.get("timeout"), (*path, "timeout"))
        spec = self._action(step, path)
        self._expressions(step.get("if"), (*path, "if"), each="each" in step, secrets=False)
        self._expressions(step.get("each"), (*path, "each"), each=False, secrets=False)
        if "each" in step and not is_templated(step["each"]) and not isinstance(step["each"], list | Mapping):
            found.error("bad_each", (*path, "each"), "each must be a list or an object")
        inputs = step.get("input")
        if inputs is not None and not isinstance(inputs, Mapping):
            found.error("bad_input", (*path, "input"), "the input of a step must be an object")
        else:
            self._input(inputs or {}, spec, (*path, "input"))
            self._expressions(inputs, (*path, "input"), each="each" in step, secrets=True)
            self._source(step.get("action"), inputs or {}, (*path, "input", "url"))
        self._before[ident] = spec

    def _timeout(self, value: Any, path: Place) -> None:
        try:
            _ = step_timeout(value) if value is not None else None
        except ValueError as error:
            self._found.error("bad_timeout", path, str(error), HINT)

    def _source(self, action: Any, inputs: Mapping[str, Any], path: Place) -> None:
        """Where files are fetched from: below the template, or elsewhere by a whole address."""
        url = inputs.get("url")
        if not isinstance(action, str) or not action.startswith("fetch:") or not isinstance(url, str):
            return
        if url.startswith(("../", "/")) or "/../" in url:
            self._found.error(
                "outside",
                path,
                f"{url} leads out of the folder of the template",
                "Put the skeleton below the template, or name it by its whole address.",
            )

    def _action(self, step: Mapping[str, Any], path: Place) -> ActionSpec | None:
        name = step.get("action")
        if not isinstance(name, str) or not name:
            self._found.error("no_action", path, "this step has no action")
            return None
        if self._actions is None:
            return None
        if name not in self._actions:
            hint = similar(name, self._actions) or "`flagstone actions list` and /actions list those that there are."
            self._found.error("unknown_action", (*path, "action"), f"there is no action {name}", hint)
        return self._actions.get(name)

    def _input(self, inputs: Mapping[str, Any], spec: ActionSpec | None, path: Place) -> None:
        if spec is None:
            return
        schema: dict[str, Any] = spec.input_schema
        rules = schema.get("properties")
        rules = rules if isinstance(rules, dict) else {}
        for name in schema.get("required") or ():
            if name not in inputs:
                self._found.error("input_missing", path, f"{spec.id} needs the input {name}")
        for name, value in inputs.items():
            rule = rules.get(name)
            if rule is None:
                if schema.get("additionalProperties") is False:
                    hint = similar(str(name), rules)
                    self._found.error("input_unknown", (*path, name), f"{spec.id} takes no input {name}", hint)
                continue
            if is_templated(value):
                continue
            whole = {**rule, **{key: schema[key] for key in ("$defs", "definitions") if key in schema}}
            for fault in faults(whole, value)[:3]:
                place: Place = (*path, name, *fault.absolute_path)
                self._found.error("input_wrong", place, f"{spec.id} does not take this: {fault.message[:200]}")

    def output(self, output: Any) -> None:
        """Check the output of the run."""
        path: Place = ("spec", "output")
        if output is None:
            return
        if not isinstance(output, Mapping):
            self._found.error("bad_output", path, "output must be an object")
            return
        for key, known in (("links", _LINK_KEYS), ("text", _TEXT_KEYS)):
            items = output.get(key)
            if items is None:
                continue
            if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
                self._found.error("bad_output", (*path, key), f"output.{key} must be a list of objects")
                continue
            for index, item in enumerate(items):
                for name in item:
                    if name not in known:
                        place = (*path, key, index, str(name))
                        self._found.warning(
                            "unknown_key", place, f"{name!r} means nothing here", similar(str(name), known)
                        )
                if key == "links" and not (item.get("url") or item.get("entityRef")):
                    self._found.warning("empty_link", (*path, key, index), "this link has no url and no entityRef")
        self._expressions(output, path, each=False, secrets=False)

    def _expressions(self, value: Any, path: Place, *, each: bool, secrets: bool) -> None:
        for place, text in _texts(value, path):
            if not is_templated(text):
                continue
            used = survey(text)
            if used.fault is not None:
                self._found.error("bad_expression", place, f"this cannot be read: {used.fault}")
                continue
            for name in used.unknown:
                self._found.warning(
                    "unknown_name",
                    place,
                    f"there is no {name}; the text stays as it is written",
                    "Filters, tests and functions are listed in the reference of templates.",
                )
            for names in sorted(used.paths):
                self._name(names, place, each=each, secrets=secrets)

    def _name(self, names: tuple[str, ...], place: Place, *, each: bool, secrets: bool) -> None:
        root, rest = names[0], names[1:]
        warn = self._found.warning
        if root not in _ROOTS:
            warn("unknown_variable", place, f"{root} is nothing here, so it is empty", similar(root, _ROOTS))
        elif root == "each" and not each:
            warn("no_each", place, "each is empty: the step has no each")
        elif root == "environment":
            warn("environment", place, "environment is empty here", "Write the value into the template, or ask for it.")
        elif root == "parameters" and rest and not self._asked.open and rest[0] not in self._asked.names:
            hint = similar(rest[0], self._asked.names)
            warn("unknown_parameter", place, f"the form does not ask for {rest[0]}, so it is empty", hint)
        elif root == "secrets":
            if not secrets:
                warn("secret_outside", place, "secrets are only known in the input of a step; here they are empty")
            elif rest and rest[0] not in self._asked.secrets:
                warn(
                    "unknown_secret",
                    place,
                    f"the form does not ask for the secret {rest[0]}",
                    similar(rest[0], self._asked.secrets) or "Ask for it with ui:field: Secret.",
                )
        elif root == "steps" and rest:
            self._step_output(rest, place)

    def _step_output(self, rest: tuple[str, ...], place: Place) -> None:
        if rest[0] not in self._before:
            hint = similar(rest[0], self._before) or "A step sees those before it, by their id."
            self._found.warning("unknown_step", place, f"no step before this one has the id {rest[0]}", hint)
            return
        spec = self._before[rest[0]]
        if len(rest) > 1 and rest[1] != "output":
            self._found.warning("no_output", place, f"a step has only output, not {rest[1]}")
        elif len(rest) > 2 and spec is not None:
            rules = spec.output_schema.get("properties")
            if (
                isinstance(rules, dict)
                and rules
                and rest[2] not in rules
                and not spec.output_schema.get("additionalProperties")
            ):
                hint = similar(rest[2], rules) or f"It gives {', '.join(rules)}."
                self._found.warning("unknown_output", place, f"{spec.id} gives no {rest[2]}", hint)


def _texts(value: Any, path: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if is_templated(key):
                yield (*path, key), str(key)
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, (*path, index))
