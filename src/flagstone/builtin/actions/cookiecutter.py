"""``fetch:cookiecutter``: templates of cookiecutter, rendered by our own interpreter. Nothing of them is executed."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field

from flagstone.builtin.actions.describe import WORKSPACE_ONLY, example
from flagstone.builtin.actions.paths import clean
from flagstone.kernel.errors import Invalid, Problem
from flagstone.sdk import Action, ActionContext, Files, Inputs, Outputs, PlanContext

_SETTINGS = "cookiecutter.json"
_LEFT_OUT = (_SETTINGS, "hooks/**", "hooks")
_LARGEST = 200_000
_COMPAT = {"cookiecutter_compat": True}


class FetchCookiecutter(Action):
    """Render a template of cookiecutter into the workspace.

    Defaults come from its ``cookiecutter.json`` (of a list of choices the first one), ``_copy_without_render`` is kept.
    It is rendered by Flagstone's own interpreter, not by Jinja: hooks are never run, and templates that name Jinja
    extensions are refused. ``cookiecutter.json`` and ``hooks`` are no part of the result.
    """

    id = "fetch:cookiecutter"
    title = "Render a cookiecutter template"
    idempotency = "natural"
    without_undo = WORKSPACE_ONLY
    examples = (
        example(
            "Render a template; what is not given comes from its cookiecutter.json",
            """
            - id: skeleton
              action: fetch:cookiecutter
              input:
                url: ./cookiecutter-service
                values: {project_name: "${{ parameters.name }}"}
                copyWithoutRender: [".github/workflows/*"]
            """,
        ),
    )

    class Input(Inputs):
        """The template and its values."""

        url: str = Field(description="The folder of the template, beside this one or hosted:project/repository/folder.")
        target_path: str = Field("", alias="targetPath", description="Folder of the workspace; default: itself.")
        values: dict[str, Any] = Field(
            default_factory=dict, description="What the template sees as {{ cookiecutter.… }}, over its own defaults."
        )
        copy_without_render: list[str] = Field(
            default_factory=list, alias="copyWithoutRender", description="Globs of files that are copied as they are."
        )
        extensions: list[str] = Field(
            default_factory=list, description="Jinja extensions: must be empty, nothing of Python is loaded here."
        )
        image_name: str | None = Field(
            None, alias="imageName", description="Accepted for templates of other hosts; there is no container here."
        )

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The files, rendered into the throw-away workspace."""
        written = _render(ctx, inputs)
        if ctx.source(inputs.url).exists("hooks"):
            ctx.note("The template has hooks; they are never run here, so what they would do does not happen.")
        ctx.change("file", "create", clean(inputs.target_path) or ".", f"{len(written)} files")
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Render."""
        if ctx.source(inputs.url).exists("hooks"):
            ctx.log("The template has hooks. They are not run.", level="warn")
        ctx.log(f"Wrote {len(_render(ctx, inputs))} files.")
        return self.Output()


def _render(ctx: ActionContext | PlanContext, inputs: Any) -> list[str]:
    source = ctx.source(inputs.url)
    stated = _stated(source, inputs.url)
    extensions = [*inputs.extensions, *(stated.get("_extensions") or [])]
    if extensions:
        raise Invalid(
            "actions.cookiecutter_extensions",
            f"The template {inputs.url} wants the Jinja extensions {', '.join(map(str, extensions))}.",
            hint="No code of a template is loaded. Take them out; the filter jsonify is there without one.",
        )
    raw = [*inputs.copy_without_render, *map(str, stated.get("_copy_without_render") or [])]
    options = {
        "target_path": clean(inputs.target_path),
        "copy_without_templating": [*raw, *_LEFT_OUT],
        "leave_out": _LEFT_OUT,
        "cookiecutter_compat": True,
        "replace": True,
    }
    return ctx.render_tree(source, _values(ctx, stated, inputs.values), options)


def _stated(source: Files, url: str) -> dict[str, Any]:
    """``cookiecutter.json`` of the template; empty when there is none."""
    if not source.exists(_SETTINGS):
        return {}
    text = source.read_text(_SETTINGS)
    try:
        if len(text) > _LARGEST:
            raise ValueError(f"it is larger than {_LARGEST:,} characters")
        found = json.loads(text)
        if not isinstance(found, dict):
            raise ValueError("it is not an object")  # noqa: TRY004  told with all other faults of the file
    except (ValueError, RecursionError) as error:
        raise Invalid(
            "actions.bad_cookiecutter",
            f"{_SETTINGS} in {url} cannot be read.",
            problems=[Problem(str(error), file=_SETTINGS, line=getattr(error, "lineno", None))],
        ) from error
    return found


def _values(ctx: ActionContext | PlanContext, stated: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """The defaults in their order, each rendered with those before it, then what was given."""
    values: dict[str, Any] = {}
    for name, default in stated.items():
        if name.startswith("_") and not name.startswith("__"):
            continue
        if name in given:
            values[name] = _chosen(name, default, given[name])
            continue
        first = default[0] if isinstance(default, list) and default else default
        values[name] = _filled(ctx, first, values, name)
    return {**values, **{name: value for name, value in given.items() if name not in values}}


def _chosen(name: str, default: Any, value: Any) -> Any:
    if isinstance(default, list) and default and value not in default:
        raise Invalid(
            "actions.cookiecutter_choice",
            f"{value!r} is not among the choices of {name}.",
            hint=f"Choose one of {', '.join(map(str, default))}.",
            problems=[Problem("is not among the choices", field=f"values.{name}")],
        )
    return value


def _filled(ctx: ActionContext | PlanContext, default: Any, values: dict[str, Any], name: str) -> Any:
    if isinstance(default, str):
        return ctx.render_text(default, values, _COMPAT, name=f"{_SETTINGS}: {name}")
    if isinstance(default, dict):
        return {key: _filled(ctx, item, values, name) for key, item in default.items()}
    return default
