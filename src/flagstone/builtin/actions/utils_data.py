"""``roadiehq:utils:serialize:*``, ``merge`` and ``jsonata``: JSON and YAML, in the workspace and between steps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, JsonValue

from flagstone.builtin.actions.describe import READS_ONLY, WORKSPACE_ONLY, example
from flagstone.builtin.actions.paths import clean
from flagstone.builtin.actions.plain_data import bounded, indent_of, merge, read_data, read_json, write_json
from flagstone.builtin.actions.utils_files import PathOutput
from flagstone.kernel.errors import Invalid, NotFound
from flagstone.sdk import Action, ActionContext, ActionTools, Inputs, Outputs, PlanContext

_EVALUATOR = str(Path(__file__).with_name("jsonata_process.py"))
_JSONATA_SECONDS = 10
_JSONATA_MEMORY = 256 << 20
_MOST_RESULT = 900_000
_PATH = "Path in the workspace."


class _Serialized(Outputs):
    """The text."""

    serialized: str = Field(description="The text.")


class SerializeJson(Action):
    """Write data as a JSON text, for a step that wants one."""

    id = "roadiehq:utils:serialize:json"
    title = "Data as JSON"
    idempotency = "natural"
    without_undo = READS_ONLY
    examples = (
        example(
            "Indented, without other members than these",
            """
            - id: text
              action: roadiehq:utils:serialize:json
              input: {data: {name: "${{ parameters.name }}", note: left out}, replacer: [name], space: "  "}
            """,
        ),
    )

    class Input(Inputs):
        """The data."""

        data: JsonValue = Field(description="The data.")
        replacer: list[str] | None = Field(None, description="Names of the members to keep, at any depth.")
        space: str | int | None = Field(None, description="Indentation: a text, or a number of blanks.")

    class Output(_Serialized):
        """The text."""

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The text."""
        return _Serialized(serialized=write_json(inputs.data, inputs.space, inputs.replacer))

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """The text."""
        return _Serialized(serialized=write_json(inputs.data, inputs.space, inputs.replacer))


class SerializeYaml(Action):
    """Write data as a YAML text, for a step that wants one."""

    id = "roadiehq:utils:serialize:yaml"
    title = "Data as YAML"
    idempotency = "natural"
    without_undo = READS_ONLY
    examples = (
        example(
            "A text for a file",
            """
            - id: text
              action: roadiehq:utils:serialize:yaml
              input: {data: {name: "${{ parameters.name }}"}}
            """,
        ),
    )

    class Input(Inputs):
        """The data."""

        data: JsonValue = Field(description="The data.")
        replacer: list[str] | None = Field(None, description="Accepted; has no effect, as in the original.")
        options: dict[str, JsonValue] = Field(
            default_factory=dict, description="Accepted; the style is always block style with two blanks."
        )

    class Output(_Serialized):
        """The text."""

    def __init__(self, tools: ActionTools) -> None:
        self._tools = tools

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The text."""
        return _Serialized(serialized=self._tools.write_yaml(inputs.data))

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """The text."""
        return _Serialized(serialized=self._tools.write_yaml(inputs.data))


class _MergeInput(Inputs):
    """What is merged into which file."""

    path: str = Field(min_length=1, description=_PATH)
    content: dict[str, JsonValue] | list[JsonValue] | str = Field(
        description="What is laid over the file: data, or a text of the file's own format."
    )
    merge_arrays: bool = Field(
        False, alias="mergeArrays", description="Lists are joined; otherwise they are merged place by place."
    )
    match_file_indent: bool = Field(
        False, alias="matchFileIndent", description="JSON keeps the indentation of the file; otherwise two blanks."
    )


class JsonMerge(Action):
    """Lay data over a JSON file of the workspace, which is made when it is not there."""

    id = "roadiehq:utils:json:merge"
    title = "Merge into a JSON file"
    idempotency = "natural"
    without_undo = WORKSPACE_ONLY
    examples = (
        example(
            "Add a script to package.json",
            """
            - id: script
              action: roadiehq:utils:json:merge
              input: {path: package.json, content: {scripts: {lint: eslint .}}}
            """,
        ),
    )

    class Output(PathOutput):
        """The file."""

    class Input(_MergeInput):
        """What is merged into which file."""

    def __init__(self, tools: ActionTools) -> None:
        self._tools = tools

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The file, changed in the throw-away workspace."""
        path, old, new = self.merged(ctx, inputs)
        ctx.change("file", "create" if old is None else "change", path)
        if self.loses_comments(old, path):
            ctx.note(f"{path} has comments; they are not kept.")
        ctx.workspace.write(path, new)
        return PathOutput(path=path)

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Merge into what was there when the step began: once, also after a crash."""
        path, old, new = self.merged(ctx, inputs)
        if self.loses_comments(old, path):
            ctx.log(f"The comments of {path} are not kept.", level="warn")
        ctx.workspace.write(path, new)
        ctx.log(f"Merged into {path}.")
        return PathOutput(path=path)

    def merged(self, ctx: ActionContext | PlanContext, inputs: Any) -> tuple[str, str | None, str]:
        """(path, old text, new text)."""
        path = clean(inputs.path)
        old = _text_of(ctx, path)
        content = read_json(inputs.content, "content") if isinstance(inputs.content, str) else inputs.content
        made = merge(read_json(old, path) if old else {}, content, lists=inputs.merge_arrays)
        return path, old, write_json(made, indent_of(old or "") if inputs.match_file_indent else 2)

    @staticmethod
    def loses_comments(old: str | None, path: str) -> bool:
        """Whether the file has comments, which YAML data does not hold."""
        return not path.lower().endswith(".json") and any(
            line.lstrip().startswith("#") or " #" in line for line in (old or "").splitlines()
        )


class _Selector(Inputs):
    """A member that tells which document is meant."""

    key: str = Field(description="Name of the member.")
    value: JsonValue = Field(description="Its value.")


class Merge(JsonMerge):
    """Lay data over a JSON or YAML file of the workspace, by its ending. Comments of YAML are not kept."""

    id = "roadiehq:utils:merge"
    title = "Merge into a file"
    examples = (
        example(
            "Set a value of a YAML file",
            """
            - id: replicas
              action: roadiehq:utils:merge
              input: {path: deploy/values.yaml, content: {replicas: 3}}
            """,
        ),
    )

    class Input(_MergeInput):
        """What is merged into which file."""

        preserve_yaml_comments: bool = Field(
            False, alias="preserveYamlComments", description="Accepted; comments are not kept, and the plan says so."
        )
        use_document_including_field: _Selector | None = Field(
            None,
            alias="useDocumentIncludingField",
            description="Of a file with several documents, the one with this member.",
        )

    def merged(self, ctx: ActionContext | PlanContext, inputs: Any) -> tuple[str, str | None, str]:
        """(path, old text, new text)."""
        path = clean(inputs.path)
        if path.lower().endswith(".json"):
            if _text_of(ctx, path) is None:
                raise _no_file(path)
            return super().merged(ctx, inputs)
        old = _text_of(ctx, path)
        if old is None:
            raise _no_file(path)
        documents = self._tools.read_yaml(bounded(old, path), name=path) or [{}]
        place = _place(documents, inputs.use_document_including_field, path)
        content = inputs.content
        if isinstance(content, str):
            content = read_data(self._tools, content, "content")
        documents[place] = merge(documents[place], content, lists=inputs.merge_arrays)
        return path, old, "---\n".join(self._tools.write_yaml(document) for document in documents)


class YamlMerge(Merge):
    """Lay data over a YAML file of the workspace. Comments are not kept."""

    id = "roadiehq:utils:yaml:merge"
    title = "Merge into a YAML file"
    examples = (
        example(
            "Add an entry to a list",
            """
            - id: nav
              action: roadiehq:utils:yaml:merge
              input: {path: mkdocs.yml, content: {nav: [{Runbook: runbook.md}]}, mergeArrays: true}
            """,
        ),
    )


class _Evaluated(Outputs):
    """What the expression gave."""

    result: JsonValue = Field(None, description="The result; absent when the expression gives nothing.")


class Jsonata(Action):
    """Evaluate a JSONata expression over data, in a process of its own with limits of time and memory."""

    id = "roadiehq:utils:jsonata"
    title = "Transform data"
    idempotency = "natural"
    without_undo = READS_ONLY
    examples = (
        example(
            "Add an item to a list",
            """
            - id: more
              action: roadiehq:utils:jsonata
              input:
                data: {items: [one]}
                expression: '$ ~> | $ | {"items": [items, "two"]}|'
            """,
        ),
    )

    class Input(Inputs):
        """Data and expression."""

        data: JsonValue = Field(description="What the expression sees as $.")
        expression: str = Field(min_length=1, max_length=20_000, description="The JSONata expression.")

    class Output(_Evaluated):
        """What the expression gave."""

    def __init__(self, tools: ActionTools) -> None:
        self._tools = tools

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The result: it depends on nothing else."""
        return _Evaluated(result=self.evaluate(inputs.data, inputs.expression))

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Evaluate."""
        return _Evaluated(result=self.evaluate(inputs.data, inputs.expression))

    def evaluate(self, data: Any, expression: str) -> Any:
        """Raises Invalid for a wrong expression, Permanent for a limit."""
        asked = json.dumps({"data": data, "expression": expression}).encode()
        answer = json.loads(
            self._tools.compute(
                _EVALUATOR, asked, seconds=_JSONATA_SECONDS, memory=_JSONATA_MEMORY, output=_MOST_RESULT
            )
        )
        if "error" in answer:
            raise Invalid("actions.bad_jsonata", f"The expression fails: {answer['error']}")
        return answer.get("result")


class _TransformInput(Inputs):
    """File and expression."""

    path: str = Field(min_length=1, description=_PATH)
    expression: str = Field(min_length=1, max_length=20_000, description="The JSONata expression.")
    result_as: Literal["string", "object"] = Field(
        "string", alias="as", description="The result as a text of the file's format, or as data."
    )


class JsonataJson(Jsonata):
    """Evaluate a JSONata expression over a JSON file of the workspace. The file stays as it is."""

    id = "roadiehq:utils:jsonata:json:transform"
    title = "Transform a JSON file"
    examples = (
        example(
            "Take the names of all scripts",
            """
            - id: scripts
              action: roadiehq:utils:jsonata:json:transform
              input: {path: package.json, expression: $keys(scripts), as: object}
            """,
        ),
    )

    class Input(_TransformInput):
        """File and expression."""

        replacer: list[str] | None = Field(None, description="Names of the members to keep in the text.")
        space: str | int | None = Field(None, description="Indentation of the text.")

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The result, as far as the steps before can be foretold."""
        ctx.change("file", "none", clean(inputs.path), "is read")
        return self._result(ctx, inputs)

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Evaluate."""
        return self._result(ctx, inputs)

    def _result(self, ctx: ActionContext | PlanContext, inputs: Any) -> _Evaluated:
        path = clean(inputs.path)
        result = self.evaluate(self.read(ctx.workspace.read_text(path), path), inputs.expression)
        return _Evaluated(result=result if inputs.result_as == "object" else self.write(result, inputs))

    def read(self, text: str, path: str) -> Any:
        """The data of the file."""
        return read_json(text, path)

    def write(self, result: Any, inputs: Any) -> str:
        """The result as a text."""
        return write_json(result, inputs.space, inputs.replacer)


class JsonataYaml(JsonataJson):
    """Evaluate a JSONata expression over a YAML file of the workspace. The file stays as it is."""

    id = "roadiehq:utils:jsonata:yaml:transform"
    title = "Transform a YAML file"
    examples = (
        example(
            "Take one part of a file, as YAML",
            """
            - id: part
              action: roadiehq:utils:jsonata:yaml:transform
              input: {path: deploy/values.yaml, expression: ingress}
            """,
        ),
    )

    class Input(_TransformInput):
        """File and expression."""

        options: dict[str, JsonValue] = Field(
            default_factory=dict, description="Accepted; the style is always block style with two blanks."
        )

    def read(self, text: str, path: str) -> Any:
        """The data of the file."""
        return read_data(self._tools, text, path if not path.lower().endswith(".json") else f"{path}.yaml")

    def write(self, result: Any, inputs: Any) -> str:
        """The result as a text."""
        return self._tools.write_yaml(result)


def _text_of(ctx: ActionContext | PlanContext, path: str) -> str | None:
    content = ctx.original(path)
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError as error:
        raise Invalid("actions.not_text", f"{path} is not a text in UTF-8.") from error


def _no_file(path: str) -> NotFound:
    return NotFound(
        "actions.no_file", f"There is no {path!r} in the workspace.", hint="Check the steps before this one."
    )


def _place(documents: list[Any], selector: _Selector | None, path: str) -> int:
    """Which document is meant. Raises Invalid when that is not clear."""
    if selector is None and len(documents) == 1:
        return 0
    places = [
        number
        for number, document in enumerate(documents)
        if selector is not None and isinstance(document, dict) and document.get(selector.key) == selector.value
    ]
    if len(places) != 1:
        raise Invalid(
            "actions.many_documents",
            f"{path} holds {len(documents)} documents, and {len(places)} of them are meant.",
            hint="Say which one with useDocumentIncludingField.",
        )
    return places[0]
