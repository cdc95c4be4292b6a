"""Following a run on the terminal: its log lines, a progress bar, and an exit code that tells how it ended."""

from __future__ import annotations

from typing import Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from flagstone.kernel.errors import NotFound, Unavailable
from flagstone.toolkit.cli.output import TONES, Output
from flagstone.toolkit.cli.session import Session

_ENDED = ("succeeded", "failed", "cancelled")
_EXIT = {"succeeded": 0, "failed": 1, "cancelled": 1, "unknown": 1}
_RETRIES = 5


def follow_run(session: Session, run: dict[str, Any], *, follow: bool = True) -> None:
    """Show a run until it ends (or as it is), then end the process with its exit code.

    With ``--json`` only the run itself is written, at the end.
    """
    out = session.out
    try:
        if follow:
            _watch(session, run)
        final = session.client.get(f"/api/v1/runs/{run['id']}")
    except KeyboardInterrupt:
        out.say(f"The run goes on. Follow it with: flagstone logs -f run/{run['number']}")
        raise
    except NotFound:
        _elsewhere(session, run)
        raise typer.Exit from None
    if out.as_json:
        out.json(final)
    elif follow:
        summary(out, final)
    else:
        out.say(f"Run {final['number']} is {final['state']}. Follow it with: flagstone logs -f run/{final['number']}")
    raise typer.Exit(_EXIT.get(final["state"], 0))


def _elsewhere(session: Session, run: dict[str, Any]) -> None:
    """A portal alone starts runs, but their API is that of its platform."""
    if session.out.as_json:
        session.out.json(run)
        return
    session.out.say(
        f"Run {run['number']} is {run['state']}. Another server than {session.client.url} executes it; "
        f"its page is {session.client.url}/runs/{run['number']}."
    )


class _Screen:
    """The progress bar, and the lines above it."""

    def __init__(self, progress: Progress, run: dict[str, Any]) -> None:
        self._progress = progress
        self._task = progress.add_task(run["title"], total=max(1, run["steps_total"]))
        self._done: set[str] = set()

    def show(self, event: dict[str, Any]) -> None:
        """One event of the run."""
        if event["type"] == "log":
            self._progress.console.print(Text.from_ansi(f"  {event['text']}"), highlight=False)
        elif event["type"] == "step" and event["state"] == "running":
            self._progress.console.print(Text(event["step"], style="bold"))
            self._progress.update(self._task, description=event["step"])
        elif event["type"] == "step" and event["state"] not in ("pending", "waiting"):
            self._done.add(event["step"])
            self._progress.update(self._task, completed=len(self._done))


def _watch(session: Session, run: dict[str, Any]) -> None:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    quiet = session.out.as_json
    with Progress(*columns, console=session.out.remarks, transient=True, disable=quiet) as progress:
        screen = _Screen(progress, run)
        last: str | None = None
        tries = 0
        while True:
            try:
                for _, cursor, event in session.client.stream(f"/api/v1/runs/{run['id']}/stream", last_id=last):
                    last, tries = cursor, 0
                    if not quiet:
                        screen.show(event)
            except Unavailable:
                # The server was restarted or the network blinked: the cursor says where to go on.
                tries += 1
                if tries > _RETRIES:
                    raise
                continue
            if session.client.get(f"/api/v1/runs/{run['id']}")["state"] in (*_ENDED, "unknown"):
                return


def summary(out: Output, run: dict[str, Any]) -> None:
    """How a run ended, why, and where its results are."""
    out.console.print(
        Text(f"Run {run['number']} ")
        + Text(run["state"], style=TONES.get(run["state"], ""))
        + Text(f": {run['title']}")
    )
    error = run.get("error")
    if error:
        out.console.print(Text(f"  {error.get('detail', '')}", style="red"))
        if error.get("hint"):
            out.console.print(Text(f"  {error['hint']}", style="bright_black"))
    for link in run.get("links", ()):
        where = link.get("url") or link.get("entity_ref")
        if where:
            out.console.print(Text(f"  {link.get('title') or 'Link'}: ", style="bright_black") + Text(where))
