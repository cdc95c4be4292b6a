"""Secrets on the terminal: out of files or asked for, never in the arguments, which others on the machine can see."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from flagstone.kernel.errors import Invalid

SecretOption = Annotated[
    list[str] | None,
    typer.Option("--secret", help="NAME=@FILE, NAME=@- for standard input, or NAME to be asked; repeatable."),
]
_LEAST = 8


def read_secrets(
    given: Sequence[str], asked: Iterable[Mapping[str, Any]] = (), *, ask: bool | None = None
) -> dict[str, str]:
    """The values by name. Raises Invalid (``cli.bad_secret``).

    ``asked`` are those that are wanted (``name``, ``title``, ``required``): the required ones that are not given are
    asked for where there is a terminal (``ask`` says whether there is one).
    """
    found: dict[str, str] = {}
    known = {item["name"]: item for item in asked}
    for text in given:
        name, sign, source = text.partition("=")
        if not name or (sign and not source.startswith("@")):
            raise Invalid(
                "cli.bad_secret",
                f"{name or 'A secret'!s:.100} is not given in a way that keeps it secret.",
                hint="Write NAME=@FILE, NAME=@- for standard input, or NAME alone to be asked.",
            )
        found[name] = _read(name, source[1:]) if sign else _prompt(known.get(name, {"name": name}))
    if sys.stdin.isatty() if ask is None else ask:
        for name, item in known.items():
            if item.get("required") and name not in found:
                found[name] = _prompt(item)
    return found


def asked_by(pages: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The Secret fields that the pages of a form always ask for."""
    return [
        {
            "name": name,
            "title": str(rule.get("title") or name),
            "required": name in (page.get("required") or ()),
            "stars": "*" * max(_LEAST, rule["minLength"] if isinstance(rule.get("minLength"), int) else 0),
        }
        for page in pages
        for name, rule in (page.get("properties") or {}).items()
        if isinstance(rule, Mapping) and rule.get("ui:field") == "Secret"
    ]


def _read(name: str, source: str) -> str:
    """A file without the line end that editors put at its end."""
    try:
        text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("cli.bad_secret", f"The file of the secret {name} cannot be read: {error}.") from error
    return text.removesuffix("\n").removesuffix("\r")


def _prompt(item: Mapping[str, Any]) -> str:
    return str(typer.prompt(str(item.get("title") or item["name"]), hide_input=True, err=True))
