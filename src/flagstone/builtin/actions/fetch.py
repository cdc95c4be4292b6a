"""The ``fetch:`` family, except for cookiecutter: files into the workspace, as they are or rendered."""

from __future__ import annotations

import posixpath
from typing import Any

from pydantic import Field

from flagstone.builtin.actions.describe import WORKSPACE_ONLY, example
from flagstone.builtin.actions.paths import clean, join
from flagstone.kernel.errors import NotFound
from flagstone.sdk import Action, ActionContext, Inputs, Outputs, PlanContext

_URL = "Beside the template (./skeleton), or a hosted repository (hosted:project/repository/folder)."
_TARGET = "Folder of the workspace; default: the workspace itself."
_SNIFFED = 8_000
_UNUSED = "Accepted for templates that were written for other hosts; nothing here needs it."


class FetchPlain(Action):
    """Copy a folder into the workspace as it is."""

    id = "fetch:plain"
    title = "Copy files"
    idempotency = "natural"
    without_undo = WORKSPACE_ONLY
    examples = (
        example(
            "Copy a folder that lies beside the template",
            """
            - id: licence
              action: fetch:plain
              input: {url: ./licences/apache, targetPath: .}
            """,
        ),
        example(
            "Take the files of a hosted repository, to change them",
            """
            - id: checkout
              action: fetch:plain
              input: {url: "hosted:acme/shop"}
            """,
        ),
    )

    class Input(Inputs):
        """From where to where."""

        url: str = Field(description=_URL)
        target_path: str = Field("", alias="targetPath", description=_TARGET)
        token: str | None = Field(None, description=_UNUSED)

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The files, written into the throw-away workspace."""
        count = _copy(ctx, inputs)
        ctx.change("file", "create", clean(inputs.target_path) or ".", _files(count))
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Copy."""
        ctx.log(f"Copied {_files(_copy(ctx, inputs))}.")
        return self.Output()


class FetchPlainFile(Action):
    """Copy one file into the workspace."""

    id = "fetch:plain:file"
    title = "Copy a file"
    idempotency = "natural"
    without_undo = WORKSPACE_ONLY
    examples = (
        example(
            "Put one file into place",
            """
            - id: licence
              action: fetch:plain:file
              input: {url: ./licences/apache.txt, targetPath: LICENSE}
            """,
        ),
    )

    class Input(Inputs):
        """From where to where."""

        url: str = Field(description=_URL)
        target_path: str = Field(alias="targetPath", min_length=1, description="Path of the file in the workspace.")
        token: str | None = Field(None, description=_UNUSED)

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The file, written into the throw-away workspace."""
        ctx.change("file", "create", _copy_file(ctx, inputs))
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Copy."""
        ctx.log(f"Copied {_copy_file(ctx, inputs)}.")
        return self.Output()


class FetchTemplate(Action):
    """Render a skeleton into the workspace: file contents and paths are templates over ``values``."""

    id = "fetch:template"
    title = "Render a skeleton"
    idempotency = "natural"
    without_undo = WORKSPACE_ONLY
    examples = (
        example(
            "Render a skeleton with the answers of the form",
            """
            - id: skeleton
              action: fetch:template
              input:
                url: ./skeleton
                values:
                  name: ${{ parameters.name }}
                  owner: ${{ parameters.owner }}
            """,
        ),
        example(
            "Leave the workflow files alone: they have expressions of their own",
            """
            - id: skeleton
              action: fetch:template
              input:
                url: ./skeleton
                copyWithoutTemplating: [".github/workflows/*"]
                values: {name: "${{ parameters.name }}"}
            """,
        ),
    )

    class Input(Inputs):
        """The skeleton, its values, and how it is rendered."""

        url: str = Field(description=_URL)
        target_path: str = Field("", alias="targetPath", description=_TARGET)
        values: dict[str, Any] = Field(default_factory=dict, description="What the skeleton sees as ${{ values.… }}.")
        copy_without_templating: list[str] = Field(
            default_factory=list,
            alias="copyWithoutTemplating",
            description="Globs of files whose contents are copied as they are; their paths are still rendered.",
        )
        copy_without_render: list[str] = Field(
            default_factory=list, alias="copyWithoutRender", description="The older name of copyWithoutTemplating."
        )
        template_file_extension: bool | str = Field(
            False,
            alias="templateFileExtension",
            description="Render only files that end so (true: .njk), and take the ending off.",
        )
        cookiecutter_compat: bool = Field(
            False, alias="cookiecutterCompat", description="The skeleton is written for cookiecutter."
        )
        replace: bool = Field(False, description="Overwrite files that are in the workspace already.")
        trim_blocks: bool = Field(False, alias="trimBlocks", description="Take off the line end after a block.")
        lstrip_blocks: bool = Field(False, alias="lstripBlocks", description="Take off blanks before a block.")
        token: str | None = Field(None, description=_UNUSED)

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The files, rendered into the throw-away workspace."""
        written = self._render(ctx, inputs)
        ctx.change("file", "create", clean(inputs.target_path) or ".", _files(len(written)))
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Render."""
        written = self._render(ctx, inputs)
        for path in written[:200]:
            ctx.log(path)
        ctx.log(f"Rendered {_files(len(written))}.")
        return self.Output()

    @staticmethod
    def _render(ctx: ActionContext | PlanContext, inputs: Any) -> list[str]:
        options = {
            "target_path": clean(inputs.target_path),
            "copy_without_templating": [*inputs.copy_without_templating, *inputs.copy_without_render],
            "template_file_extension": inputs.template_file_extension,
            "cookiecutter_compat": inputs.cookiecutter_compat,
            "replace": inputs.replace,
            "trim_blocks": inputs.trim_blocks,
            "lstrip_blocks": inputs.lstrip_blocks,
        }
        return ctx.render_tree(ctx.source(inputs.url), inputs.values, options)


class FetchTemplateFile(Action):
    """Render one file into the workspace. A file that is there already is kept, unless ``replace`` is set."""

    id = "fetch:template:file"
    title = "Render a file"
    idempotency = "natural"
    without_undo = WORKSPACE_ONLY
    examples = (
        example(
            "Render a file under another name",
            """
            - id: readme
              action: fetch:template:file
              input:
                url: ./files/README.md.template
                targetPath: README.md
                values: {name: "${{ parameters.name }}"}
            """,
        ),
    )

    class Input(Inputs):
        """The file, its values, and how it is rendered."""

        url: str = Field(description=_URL)
        target_path: str = Field(alias="targetPath", min_length=1, description="Path of the file in the workspace.")
        values: dict[str, Any] = Field(default_factory=dict, description="What the file sees as ${{ values.… }}.")
        cookiecutter_compat: bool = Field(
            False, alias="cookiecutterCompat", description="The file is written for cookiecutter."
        )
        replace: bool = Field(False, description="Overwrite a file that is in the workspace already.")
        trim_blocks: bool = Field(False, alias="trimBlocks", description="Take off the line end after a block.")
        lstrip_blocks: bool = Field(False, alias="lstripBlocks", description="Take off blanks before a block.")
        token: str | None = Field(None, description=_UNUSED)

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The file, rendered into the throw-away workspace."""
        if (path := self._render(ctx, inputs)) is not None:
            ctx.change("file", "create", path)
        else:
            ctx.change("file", "none", clean(inputs.target_path), "is there already and is kept")
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Render."""
        path = self._render(ctx, inputs)
        ctx.log(f"Rendered {path}." if path else f"{clean(inputs.target_path)} is there already and is kept.")
        return self.Output()

    @staticmethod
    def _render(ctx: ActionContext | PlanContext, inputs: Any) -> str | None:
        """The path written; None when there was a file to keep."""
        path = clean(inputs.target_path)
        if not inputs.replace and ctx.original(path) is not None:
            return None
        content, executable = _read_file(ctx, inputs.url)
        if (text := _as_text(content)) is not None:
            options = {
                "cookiecutter_compat": inputs.cookiecutter_compat,
                "trim_blocks": inputs.trim_blocks,
                "lstrip_blocks": inputs.lstrip_blocks,
            }
            content = ctx.render_text(text, inputs.values, options, name=inputs.url).encode()
        ctx.workspace.write(path, content, executable=executable)
        return path


def _copy(ctx: ActionContext | PlanContext, inputs: Any) -> int:
    source, target, count = ctx.source(inputs.url), clean(inputs.target_path), 0
    if not source.stat("").is_dir:
        raise NotFound("actions.no_folder", f"{inputs.url} is not a folder.", hint="Use fetch:plain:file for one file.")
    for entry in source.walk():
        path = join(target, entry.path)
        if entry.is_dir:
            ctx.workspace.mkdir(path)
        else:
            ctx.workspace.write(path, source.read_bytes(entry.path), executable=entry.executable)
            count += 1
    return count


def _copy_file(ctx: ActionContext | PlanContext, inputs: Any) -> str:
    content, executable = _read_file(ctx, inputs.url)
    target = clean(inputs.target_path)
    ctx.workspace.write(target, content, executable=executable)
    return target


def _read_file(ctx: ActionContext | PlanContext, url: str) -> tuple[bytes, bool]:
    """Content, and whether it is executable."""
    folder, name = posixpath.split(url.rstrip("/"))
    source = ctx.source(folder or ".")
    return source.read_bytes(name), source.stat(name).executable


def _as_text(content: bytes) -> str | None:
    """The text of a file, None for a binary one."""
    try:
        return None if b"\0" in content[:_SNIFFED] else content.decode()
    except UnicodeDecodeError:
        return None


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"
