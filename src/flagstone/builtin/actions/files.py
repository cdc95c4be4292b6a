"""``fs:delete``, ``fs:rename`` and ``fs:readdir``: the files of the workspace."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flagstone.builtin.actions.describe import READS_ONLY, WORKSPACE_ONLY, example
from flagstone.builtin.actions.paths import clean
from flagstone.kernel.errors import NotFound
from flagstone.sdk import Action, ActionContext, Files, Inputs, Outputs, PlanContext

_GLOB = frozenset("*?[{!")


class FsDelete(Action):
    """Delete files and folders of the workspace."""

    id = "fs:delete"
    title = "Delete files"
    idempotency = "natural"
    without_undo = WORKSPACE_ONLY
    examples = (
        example(
            "Delete a file and everything below a folder",
            """
            - id: tidy
              action: fs:delete
              input:
                files: [LICENSE.template, "docs/drafts/**"]
            """,
        ),
    )

    class Input(Inputs):
        """Which ones."""

        files: list[str] = Field(description="Paths or globs; those that are not there are fine.")

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """What is deleted, taken out of the throw-away workspace."""
        for path in _delete(ctx.workspace, inputs.files):
            ctx.change("file", "delete", path)
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Delete."""
        for path in _delete(ctx.workspace, inputs.files):
            ctx.log(f"Deleted {path}.")
        return self.Output()


class _Move(Inputs):
    """One move."""

    source: str = Field(alias="from", min_length=1, description="A file or folder of the workspace.")
    target: str = Field(alias="to", min_length=1, description="Its new path; folders on the way are made.")
    overwrite: bool = Field(False, description="Replace what is there already; otherwise that is an error.")


class FsRename(Action):
    """Move files and folders of the workspace."""

    id = "fs:rename"
    title = "Move files"
    idempotency = "natural"
    without_undo = WORKSPACE_ONLY
    examples = (
        example(
            "Give a file its final name, whether or not there is one already",
            """
            - id: move
              action: fs:rename
              input:
                files:
                  - {from: README.service.md, to: README.md, overwrite: true}
            """,
        ),
    )

    class Input(Inputs):
        """The moves, in order."""

        files: list[_Move] = Field(description="The moves.")

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The moves, done in the throw-away workspace."""
        for move in inputs.files:
            if _move(ctx.workspace, move):
                ctx.change("file", "change", clean(move.source), f"moved to {clean(move.target)}")
        return self.Output()

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """Move. A move that an interrupted try did already is left alone."""
        for move in inputs.files:
            done = _move(ctx.workspace, move)
            ctx.log(f"{'Moved' if done else 'Already moved'} {move.source} to {move.target}.")
        return self.Output()


class _Found(Outputs):
    """A file or folder."""

    name: str = Field(description="Its last part.")
    path: str = Field(description="Relative to the folder that was asked for.")
    full_path: str = Field(alias="fullPath", description="Relative to the workspace.")


class FsReaddir(Action):
    """List folders of the workspace."""

    id = "fs:readdir"
    title = "List files"
    idempotency = "natural"
    without_undo = READS_ONLY
    examples = (
        example(
            "List everything below src",
            """
            - id: list
              action: fs:readdir
              input: {paths: [src], recursive: true}
            - id: tell
              action: debug:log
              input: {message: "${{ steps.list.output.files | length }} files"}
            """,
        ),
    )

    class Input(Inputs):
        """Which folders."""

        paths: list[str] = Field(description="Folders of the workspace; . is the workspace itself.")
        recursive: bool = Field(False, description="Also what lies deeper.")

    class Output(Outputs):
        """What they hold. ``fullPath`` is relative to the workspace: nothing outside of it is ever shown."""

        files: list[_Found] = Field(description="The files.")
        folders: list[_Found] = Field(description="The folders.")

    def plan(self, ctx: PlanContext, inputs: Any) -> Outputs:
        """The list as far as the steps before can be foretold."""
        return self._list(ctx.workspace, inputs)

    def run(self, ctx: ActionContext, inputs: Any) -> Outputs:
        """List."""
        found = self._list(ctx.workspace, inputs)
        ctx.log(f"Found {len(found.files)} files and {len(found.folders)} folders.")
        return found

    def _list(self, workspace: Files, inputs: Any) -> Output:
        files: list[_Found] = []
        folders: list[_Found] = []
        for folder in inputs.paths:
            start = clean(folder)
            for entry in workspace.walk(start):
                below = entry.path.removeprefix(start).lstrip("/") if start else entry.path
                if "/" in below and not inputs.recursive:
                    continue
                found = _Found(name=entry.path.rpartition("/")[2], path=below, full_path=entry.path)
                (folders if entry.is_dir else files).append(found)
        return self.Output(files=files, folders=folders)


def _delete(workspace: Files, patterns: list[str]) -> list[str]:
    """Delete what paths and globs name; returns the paths that were there."""
    found: list[str] = []
    for pattern in patterns:
        path = clean(pattern)
        if _GLOB & set(path):
            names = [entry.path for entry in workspace.glob(path)]
        else:
            names = [path] if workspace.exists(path) else []
        for name in names:
            workspace.delete(name)
            found.append(name)
    return found


def _move(workspace: Files, move: _Move) -> bool:
    source, target = clean(move.source), clean(move.target)
    if workspace.exists(source):
        workspace.rename(source, target, overwrite=move.overwrite)
        return True
    if workspace.exists(target):
        return False
    raise NotFound(
        "actions.no_file", f"There is no {source!r} in the workspace.", hint="Check the steps before this one."
    )
