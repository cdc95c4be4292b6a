"""Output: tables for people, JSON for programs, errors with an exit code that means something."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flagstone.kernel.errors import FlagstoneError

_NEVER_WRAPPED = frozenset({"name", "workload", "kind", "state", "version", "commit", "since", "url", "number", "id"})

TONES = {
    "healthy": "green",
    "succeeded": "green",
    "running": "blue",
    "deploying": "blue",
    "starting": "blue",
    "queued": "blue",
    "scheduled": "cyan",
    "waiting": "yellow",
    "degraded": "yellow",
    "cancelled": "yellow",
    "stopped": "bright_black",
    "skipped": "bright_black",
    "pending": "bright_black",
    "failed": "red",
    "crashed": "red",
    "unknown": "magenta",
}


def terminal(*, stderr: bool = False) -> Console:
    """A console. Into a pipe or file nothing is wrapped: lines are for programs there."""
    stream = sys.stderr if stderr else sys.stdout
    return _Console(stderr=stderr, highlight=False, width=None if stream.isatty() else 400)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """The reader of our pipe has gone (``| head``): nothing is wrong, and nothing more is written."""
        self.quiet = True
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        raise typer.Exit(0)


class Output:
    """Writes to standard output; progress and remarks go to standard error, so that pipes stay clean."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.console = terminal()
        self.remarks = terminal(stderr=True)

    def json(self, value: Any) -> None:
        """One JSON document."""
        sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def table(self, rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, empty: str) -> None:
        """Rows as a table (``columns``: key -> heading), or as JSON; ``empty`` says what to do when there are none."""
        if self.as_json:
            self.json(list(rows))
            return
        if not rows:
            self.remarks.print(empty, style="bright_black")
            return
        table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
        for key, heading in columns.items():
            table.add_column(heading, overflow="fold", no_wrap=key in _NEVER_WRAPPED)
        for row in rows:
            table.add_row(*(cell(key, row.get(key)) for key in columns))
        self.console.print(table)

    def fields(self, pairs: Mapping[str, Any]) -> None:
        """Labelled values, one a line; empty ones are left out."""
        width = max((len(label) for label in pairs), default=0) + 2
        for label, value in pairs.items():
            if value not in (None, "", [], ()):
                self.console.print(Text(f"{label + ':':{width}}", style="bright_black") + cell(label.lower(), value))

    def say(self, text: str, *, style: str | None = None) -> None:
        """A remark for people."""
        if not self.as_json:
            self.remarks.print(Text(text), style=style)


def cell(key: str, value: Any) -> Text:
    """A value as people read it."""
    if value is None:
        return Text("")
    if isinstance(value, list | tuple):
        return Text(", ".join(str(item) for item in value))
    text = str(value)
    if key in ("state", "status", "health"):
        return Text(text, style=TONES.get(text, ""))
    if key in ("age", "since") or key.endswith("_at"):
        return Text(age(text))
    return Text(text)


def age(moment: str) -> str:
    """How long ago an ISO moment was: ``3m``, ``2h``, ``5d``."""
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    except ValueError:
        return moment
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if abs(seconds) >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


@contextmanager
def guard(*, as_json: bool = False) -> Iterator[None]:
    """Turn an error into its message on standard error (problem+json with ``as_json``) and its exit code."""
    try:
        yield
    except FlagstoneError as error:
        if as_json:
            sys.stderr.write(json.dumps(error.as_dict()) + "\n")
        else:
            console = terminal(stderr=True)
            console.print(Text("Error: ", style="bold red") + Text(error.message))
            for problem in error.problems:
                console.print(Text(f"  • {problem}"))
            if error.hint:
                console.print(Text(f"  {error.hint}", style="bright_black"))
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    except BrokenPipeError:
        # The reader of our pipe has gone (`| head`): nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
