"""How a file of a repository would change, said in a plan: for actions that write to repositories."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from flagstone.contracts.plans import FileOp
from flagstone.sdk.actions import PlanContext

__all__ = ["FileEdit", "FileOp", "plan_edits"]

_MAX_LINES = 60
_MAX_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class FileEdit:
    """A file before and after; None: it is not there then, or (before) it is too large to be compared.

    The op ``none``: it is there already as it is to be.
    """

    path: str
    op: FileOp
    before: bytes | None
    after: bytes | None


def plan_edits(ctx: PlanContext, edits: list[FileEdit]) -> None:
    """Record each edit as a change of the plan, with its difference as far as it is short enough to be read there."""
    for edit in edits:
        ctx.file(edit.path, edit.op, edit.before, edit.after)
        if edit.op == "none":
            continue
        lines = _difference(edit)
        added = sum(line.startswith("+") for line in lines)
        removed = sum(line.startswith("-") for line in lines)
        facts = {"Diff": "\n".join(lines)} if lines and len(lines) <= _MAX_LINES and edit.op != "create" else {}
        ctx.change("file", edit.op, edit.path, f"+{added} −{removed} lines" if lines else "", **facts)


def _difference(edit: FileEdit) -> list[str]:
    if any(len(data) > _MAX_BYTES or b"\0" in data for data in (edit.before, edit.after) if data):
        return []
    return list(difflib.unified_diff(_lines(edit.before), _lines(edit.after), lineterm="", n=2))[2:]


def _lines(data: bytes | None) -> list[str]:
    return (data or b"").decode("utf-8", "replace").splitlines()
