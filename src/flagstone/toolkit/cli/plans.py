"""Plans and the answers they are made for, on the terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from flagstone.kernel.errors import Invalid
from flagstone.toolkit.cli.output import Output
from flagstone.toolkit.yaml import load_documents

_SIGN = {
    "create": ("+", "green"),
    "change": ("~", "yellow"),
    "delete": ("-", "red"),
    "run": (">", "blue"),
    "none": (" ", ""),
}


def show_plan(out: Output, plan: Mapping[str, Any]) -> None:
    """The change set as text."""
    for step in plan["steps"]:
        _step(out, step, [file for file in plan["files"] if file["step"] == step["id"]])
    for verdict in plan.get("verdicts", ()):
        tone = {"deny": "red", "warn": "yellow"}.get(verdict["severity"], "")
        out.console.print(Text(f"! {verdict['policy']}: {verdict['message']}", style=tone))
    for rule in plan.get("approvals", ()):
        reason = f": {rule['reason']}" if rule.get("reason") else ""
        out.console.print(Text(f"? {rule['count']} of {', '.join(rule['of'])} must agree{reason}", style="yellow"))
    if plan.get("cost"):
        out.console.print(Text(f"  Estimated cost: {plan['cost']}"))
    for problem in plan["problems"]:
        out.console.print(Text(f"! {problem}", style="red"))


def _step(out: Output, step: Mapping[str, Any], files: Sequence[Mapping[str, Any]]) -> None:
    skipped = "  (skipped)" if step["skipped"] else ""
    out.console.print(Text(step["name"], style="bold") + Text(f"  {step['action']}{skipped}", style="bright_black"))
    for change in step["changes"]:
        sign, style = _SIGN[change["op"]]
        line = f"  {sign} {change['kind']} {change['subject']}"
        out.console.print(Text(line, style=style) + Text(f"  {change['detail']}", style="bright_black"))
        for label, value in change.get("facts", {}).items():
            out.console.print(Text(f"      {label}: {value}", style="bright_black"))
    for file in files:
        sign, style = _SIGN[file["op"]]
        out.console.print(Text(f"  {sign} {file['path']}", style=style))
    for note in step["notes"]:
        out.console.print(Text(f"  ? {note}", style="yellow"))
    if not step["allowed"]:
        out.console.print(Text(f"  ! {step['reason']}", style="red"))


def read_values(types: Mapping[str, str | None], file: Path | None, pairs: Sequence[str]) -> dict[str, Any]:
    """Answers of a file and of ``name=value`` texts. Raises Invalid. ``types`` are those of the form, by name."""
    found: dict[str, Any] = {}
    if file is not None:
        try:
            documents = load_documents(file.read_bytes(), name=str(file))
        except OSError as error:
            raise Invalid("cli.bad_values_file", f"{file} cannot be read: {error}.") from error
        if len(documents) != 1 or not isinstance(documents[0].value, dict):
            raise Invalid("cli.bad_values_file", f"{file} must hold names and values.")
        found.update(documents[0].value)
    for pair in pairs:
        key, sign, text = pair.partition("=")
        if not sign:
            raise Invalid("cli.bad_value", f"{pair!r} has no =.", hint="Write name=value.")
        found[key] = _typed(key, text, types.get(key))
    return found


def types_of(pages: Sequence[Mapping[str, Any]]) -> dict[str, str | None]:
    """The types of everything that the pages of a form always ask for."""
    return {
        key: item.get("type")
        for page in pages
        for key, item in (page.get("properties") or {}).items()
        if isinstance(item, dict)
    }


def _typed(key: str, text: str, kind: str | None) -> Any:
    if kind in ("integer", "number", "boolean", "array", "object"):
        try:
            return json.loads(text)
        except ValueError:
            if kind == "array":
                return [part.strip() for part in text.split(",") if part.strip()]
            raise Invalid("cli.bad_value", f"{key}={text!r} is not of type {kind}.") from None
    return text
