"""The difference of two texts as lines to show, unified or side by side. Pure; drawn by ``ui.diff``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Literal


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One line: unchanged, added, removed, or a gap of ``skipped`` unchanged lines. Numbers count from 1."""

    kind: Literal["same", "add", "remove", "gap"]
    text: str = ""
    old: int | None = None
    new: int | None = None
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class DiffRow:
    """One row of the side-by-side view; a side without a line is None. A gap is on both sides."""

    left: DiffLine | None
    right: DiffLine | None


def diff_lines(old: str, new: str, *, context: int = 3) -> tuple[DiffLine, ...]:
    """Compare two texts line by line, keeping ``context`` unchanged lines around each change."""
    before, after = old.splitlines(), new.splitlines()
    lines: list[DiffLine] = []
    position = 0
    for group in difflib.SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(context):
        if group[0][1] > position:
            lines.append(DiffLine("gap", skipped=group[0][1] - position))
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                lines += [DiffLine("same", before[i], i + 1, j1 + i - i1 + 1) for i in range(i1, i2)]
            else:
                lines += [DiffLine("remove", before[i], old=i + 1) for i in range(i1, i2)]
                lines += [DiffLine("add", after[j], new=j + 1) for j in range(j1, j2)]
        position = group[-1][2]
    if lines and position < len(before):
        lines.append(DiffLine("gap", skipped=len(before) - position))
    return tuple(lines)


def split_rows(lines: Sequence[DiffLine]) -> tuple[DiffRow, ...]:
    """Pair removed with added lines for the side-by-side view."""
    rows: list[DiffRow] = []
    removed: list[DiffLine] = []
    added: list[DiffLine] = []

    def flush() -> None:
        rows.extend(DiffRow(left, right) for left, right in zip_longest(removed, added))
        removed.clear()
        added.clear()

    for line in lines:
        if line.kind == "remove":
            removed.append(line)
        elif line.kind == "add":
            added.append(line)
        else:
            flush()
            rows.append(DiffRow(line, line))
    flush()
    return tuple(rows)


def counts(lines: Iterable[DiffLine]) -> tuple[int, int]:
    """How many lines were added and removed."""
    kinds = [line.kind for line in lines]
    return kinds.count("add"), kinds.count("remove")
