"""``fetch:plain``, ``fetch:plain:file`` and ``fetch:template``: files into the workspace."""

from __future__ import annotations

import posixpath
from typing import Any

from pydantic import Field

from flagstone.builtin.actions.paths import clean, join
from flagstone.kernel.errors import NotFound
from flagstone.sdk import Action, ActionContext, Inputs, Outputs, PlanContext

_URL = "Beside the template (./skeleton), or a hosted repository (hosted:project/repository/folder)."
_TARGET = "Folder of the workspace; default: the workspace itself."
_UNUSED = "Accepted for templates that were written for other hosts; nothing here needs it."


class FetchPlain(Action):
    """Copy a folder into the workspace as it is."""

    id = "fetch:plain"
    title = "Copy files"
    idempotency = "natural"

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
    folder, name = posixpath.split(inputs.url.rstrip("/"))
    source, target = ctx.source(folder or "."), clean(inputs.target_path)
    ctx.workspace.write(target, source.read_bytes(name), executable=source.stat(name).executable)
    return target


def _files(count: int) -> str:
    return f"{count} file{'' if count == 1 else 's'}"
