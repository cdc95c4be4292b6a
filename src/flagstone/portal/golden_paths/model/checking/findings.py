"""Findings: what is wrong, how bad, where."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from flagstone.kernel.errors import Problem

Severity = Literal["error", "warning"]
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing. ``path`` leads to it in the document; ``line`` counts from 1 in the file, when that is known."""

    severity: Severity
    code: str
    message: str
    path: Place = ()
    hint: str = ""
    file: str | None = None
    line: int | None = None

    @property
    def place(self) -> str:
        """The path as people write it: ``spec.steps[2].input.url``."""
        text = ""
        for part in self.path:
            text += f"[{part}]" if isinstance(part, int) else f".{part}"
        return text.removeprefix(".")

    @property
    def problem(self) -> Problem:
        """The same for an error that is raised."""
        return Problem(self.message, self.file, self.line, self.place or None, self.hint or None)


class Findings:
    """Collects them."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def error(self, code: str, path: Place, message: str, hint: str = "") -> None:
        """Something that a run would refuse."""
        self._found.append(Finding("error", code, message, path, hint))

    def warning(self, code: str, path: Place, message: str, hint: str = "") -> None:
        """Something that would run, but hardly as meant."""
        self._found.append(Finding("warning", code, message, path, hint))

    def all(self) -> list[Finding]:
        """What was found, each once, errors first within a place as they came."""
        return list(dict.fromkeys(self._found))


def located(found: Iterable[Finding], line_of: Callable[[Place], int | None], file: str | None) -> list[Finding]:
    """The same with lines: of the member itself, else of the nearest one around it; in the order of the file."""
    placed = []
    for item in found:
        path, line = item.path, line_of(item.path)
        while line is None and path:
            path = path[:-1]
            line = line_of(path)
        placed.append(replace(item, line=line, file=file))
    return sorted(placed, key=lambda item: item.line or 0)


def similar(name: str, known: Iterable[str]) -> str:
    """A hint that names what was probably meant."""
    found = difflib.get_close_matches(name, list(known), 1, 0.6)
    return f"Did you mean {found[0]}?" if found else ""
