"""``roadiehq:utils:fs:*`` and ``roadiehq:utils:zip``: single files of the workspace."""

from __future__ import annotations

import io
import zipfile
from typing import Any, Literal

from pydantic import Field, JsonValue

from flagstone.builtin.actions.describe import READS_ONLY, WORKSPACE_ONLY, example
from flagstone.builtin.actions.paths import clean
from flagstone.builtin.actions.plain_data import bounded, read_data, read_json, write_json
from flagstone.builtin.actions.replacing import Replacing, check_size
from flagstone.kernel.errors import Invalid, NotFound
from flagstone.sdk import Action, ActionContext, ActionTools, Inputs, Outputs, PlanContext

_MOST_ZIPPED = 200_000_000
_MOST_FILES = 20_000
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PATH = "Path in the workspace."


class PathOutput(Outputs):
    """The file."""

    path: str = Field(description="Its path in the workspace.")


class FsWrite(Action):
    """Write a text into a file of the workspace, whether or not it is there."""

    id = "roadiehq:utils:fs:write"
    title = "Write a file"
    idempotency = "natural"
    without_undo = WORKSPACE_ONLY
    examples = (
        example(
            "Write a file from an answer",
            """
            - id: notes
              action: roadiehq:utils:fs:write
              input: {path: docs/notes.md, content: "${{ parameters.notes }}"}
            """,
        ),
    )

    class Input(Inputs):
        """The file."""

        path: str = Field(min_length=1, description=_PATH)
        content: JsonValue = Field(description="The text; anything else is written as JSON.")
        preserve_formatting: bool = Field(
            False, alias="preserveFormatting", description="A text that is JSON is written as it stands, not tidied."
        )

    class Output(PathOutput):
        """The file."""

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The file, written into the throw-away workspace."""
        return _planned(ctx, clean(inputs.path), self._content(inputs))

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Write."""
        return _written(ctx, clean(inputs.path), self._content(inputs))

    @staticmethod
    def _content(inputs: Any) -> str:
        return inputs.content if isinstance(inputs.content, str) else write_json(inputs.content)


class FsAppend(Action):
    """Add a text to the end of a file of the workspace, which is made when it is not there."""

    id = "roadiehq:utils:fs:append"
    title = "Append to a file"
    idempotency = "natural"
    without_undo = WORKSPACE_ONLY
    examples = (
        example(
            "Add a line",
            """
            - id: ignore
              action: roadiehq:utils:fs:append
              input: {path: .gitignore, content: "build/\\n"}
            """,
        ),
    )

    class Input(Inputs):
        """What is added where."""

        path: str = Field(min_length=1, description=_PATH)
        content: str = Field(description="The text, added as it is.")

    class Output(PathOutput):
        """The file."""

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The file, written into the throw-away workspace."""
        return _planned(ctx, clean(inputs.path), self._content(ctx, inputs))

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Append to what was there when the step began: once, also after a crash."""
        return _written(ctx, clean(inputs.path), self._content(ctx, inputs))

    @staticmethod
    def _content(ctx: ActionContext | PlanContext, inputs: Any) -> bytes:
        added: str = inputs.content
        return (ctx.original(clean(inputs.path)) or b"") + added.encode()


class FsParse(Action):
    """Read a file of the workspace as data for the steps after it."""

    id = "roadiehq:utils:fs:parse"
    title = "Read a file as data"
    idempotency = "natural"
    without_undo = READS_ONLY
    examples = (
        example(
            "Use a value of a file",
            """
            - id: settings
              action: roadiehq:utils:fs:parse
              input: {path: package.json, parser: json}
            - id: tell
              action: debug:log
              input: {message: "${{ steps.settings.output.content.name }}"}
            """,
        ),
    )

    class Input(Inputs):
        """The file."""

        path: str = Field(min_length=1, description=_PATH)
        parser: Literal["yaml", "json", "multiyaml"] | None = Field(
            None, description="How it is read; without it the content is the text. multiyaml gives a list of documents."
        )

    class Output(Outputs):
        """What it holds."""

        content: JsonValue = Field(None, description="The data, or the text.")

    def __init__(self, tools: ActionTools) -> None:
        self._tools = tools

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The data, as far as the steps before can be foretold."""
        ctx.change("file", "none", clean(inputs.path), "is read")
        return self._read(ctx, inputs)

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Read."""
        ctx.log(f"Read {clean(inputs.path)}.")
        return self._read(ctx, inputs)

    def _read(self, ctx: ActionContext | PlanContext, inputs: Any) -> Output:
        path = clean(inputs.path)
        text = bounded(ctx.workspace.read_text(path), path)
        if inputs.parser == "json":
            return self.Output(content=read_json(text, path))
        if inputs.parser == "multiyaml":
            return self.Output(content=self._tools.read_yaml(text, name=path))
        return self.Output(content=read_data(self._tools, text, path) if inputs.parser == "yaml" else text)


class _Replacement(Inputs):
    """What is replaced where."""

    file: str = Field(min_length=1, description="A path or glob of the workspace.")
    find: str = Field(min_length=1, description="The text, or the pattern.")
    match_regex: bool = Field(False, alias="matchRegex", description="find is a regular expression (syntax of RE2).")
    replace_with: str = Field(
        alias="replaceWith", description="The new text; $1 is the first group of a pattern, $& the whole match."
    )
    include_dot_files: bool = Field(
        False, alias="includeDotFiles", description="A glob also finds files whose name begins with a dot."
    )


class FsReplace(Action):
    """Replace texts or patterns in files of the workspace. Patterns are matched in linear time, whatever they are."""

    id = "roadiehq:utils:fs:replace"
    title = "Replace in files"
    idempotency = "natural"
    without_undo = WORKSPACE_ONLY
    examples = (
        example(
            "Set a version",
            """
            - id: version
              action: roadiehq:utils:fs:replace
              input:
                files:
                  - file: "**/*.toml"
                    find: 'version = "[^"]*"'
                    matchRegex: true
                    replaceWith: 'version = "1.0.0"'
            """,
        ),
    )

    class Input(Inputs):
        """The replacements."""

        files: list[_Replacement] = Field(max_length=1_000, description="The replacements, in order.")

    class Output(Outputs):
        """What was changed."""

        files: list[str] = Field(description="Paths of the files that were changed.")

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The files, changed in the throw-away workspace."""
        changed = _replaced(ctx, inputs.files)
        for path in changed:
            ctx.change("file", "change", path)
        if not changed:
            ctx.note("Nothing is found to replace.")
        return self.Output(files=changed)

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Replace in what was there when the step began: once, also after a crash."""
        changed = _replaced(ctx, inputs.files)
        ctx.log(f"Changed {', '.join(changed) or 'nothing'}.")
        return self.Output(files=changed)


class Zip(Action):
    """Pack a file or folder of the workspace into a zip file. The same files give the same bytes."""

    id = "roadiehq:utils:zip"
    title = "Pack files"
    idempotency = "natural"
    without_undo = WORKSPACE_ONLY
    examples = (
        example(
            "Pack a folder",
            """
            - id: pack
              action: roadiehq:utils:zip
              input: {path: dist, outputPath: dist.zip}
            """,
        ),
    )

    class Input(Inputs):
        """What is packed."""

        path: str = Field(description="File or folder of the workspace; . is all of it.")
        output_path: str = Field(alias="outputPath", min_length=1, description="The zip file, in the workspace.")

    class Output(Outputs):
        """The zip file."""

        output_path: str = Field(alias="outputPath", description="Its path in the workspace.")
        path: str = Field(description="The same.")

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The zip file, packed in the throw-away workspace."""
        path, count = self._pack(ctx, inputs)
        ctx.change("file", "create", path, f"{count} files")
        return self.Output(output_path=path, path=path)

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Pack."""
        path, count = self._pack(ctx, inputs)
        ctx.log(f"Packed {count} files into {path}.")
        return self.Output(output_path=path, path=path)

    @staticmethod
    def _pack(ctx: ActionContext | PlanContext, inputs: Any) -> tuple[str, int]:
        start, target = clean(inputs.path), clean(inputs.output_path)
        found = ctx.workspace.stat(start)
        files = [found] if not found.is_dir else [item for item in ctx.workspace.walk(start) if not item.is_dir]
        files = [item for item in files if item.path != target]
        if len(files) > _MOST_FILES or sum(item.size for item in files) > _MOST_ZIPPED:
            limit = f"At most {_MOST_FILES:,} files with {_MOST_ZIPPED:,} bytes together are packed."
            raise Invalid("actions.zip_too_large", f"{start or 'The workspace'} is too large to pack.", hint=limit)
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
            for item in files:
                info = zipfile.ZipInfo(item.path.removeprefix(f"{start}/") if start else item.path, _EPOCH)
                info.external_attr = (0o755 if item.executable else 0o644) << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, ctx.workspace.read_bytes(item.path))
        ctx.workspace.write(target, held.getvalue())
        return target, len(files)


def _planned(ctx: PlanContext, path: str, content: str | bytes) -> PathOutput:
    ctx.change("file", "change" if ctx.workspace.exists(path) else "create", path)
    ctx.workspace.write(path, content)
    return PathOutput(path=path)


def _written(ctx: ActionContext, path: str, content: str | bytes) -> PathOutput:
    ctx.workspace.write(path, content)
    ctx.log(f"Wrote {path}.")
    return PathOutput(path=path)


def _replaced(ctx: ActionContext | PlanContext, replacements: list[_Replacement]) -> list[str]:
    """Everything is worked out before the first file is written; returns the paths that are different."""
    replacing = Replacing()
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    for number, item in enumerate(replacements):
        change = replacing.pattern(item.find, f"files.{number}.find") if item.match_regex else None
        for path in _matching(ctx, item):
            if path not in after:
                before[path] = after[path] = _content(ctx, path)
            text = after[path]
            if change is None:
                grown = text.count(item.find) * (len(item.replace_with) - len(item.find))
                check_size(len(text) + grown, path)
                after[path] = text.replace(item.find, item.replace_with)
            else:
                after[path] = replacing.substituted(change, text, item.replace_with, path)
    changed = sorted(path for path, text in after.items() if text != before[path])
    # Those that are as they were are written, too: a try that was interrupted may have left them half done.
    for path, text in after.items():
        ctx.workspace.write(path, text, executable=ctx.workspace.stat(path).executable)
    return changed


def _content(ctx: ActionContext | PlanContext, path: str) -> str:
    content = ctx.original(path)
    if content is None:
        raise NotFound("actions.no_file", f"There is no {path!r} in the workspace.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Invalid("actions.not_text", f"{path} is not a text in UTF-8, so nothing is replaced in it.") from error


def _matching(ctx: ActionContext | PlanContext, item: _Replacement) -> list[str]:
    path = clean(item.file)
    if not any(char in path for char in "*?[{"):
        if not ctx.workspace.exists(path):
            raise NotFound("actions.no_file", f"There is no {path!r} in the workspace.", hint="Check the steps before.")
        return [path]
    found = [entry.path for entry in ctx.workspace.glob(path) if not entry.is_dir]
    if item.include_dot_files:
        return found
    return [name for name in found if not any(part.startswith(".") for part in name.split("/"))]
