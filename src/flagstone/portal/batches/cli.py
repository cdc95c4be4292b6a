"""Commands: batches."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from flagstone.kernel.errors import Invalid
from flagstone.kernel.refs import parse_ref
from flagstone.toolkit.cli import session
from flagstone.toolkit.cli.plans import read_values, types_of
from flagstone.toolkit.cli.secrets import SecretOption, read_secrets
from flagstone.toolkit.cli.session import AsJson, Session, Token, Url

Ident = Annotated[str, typer.Argument(help="Id of the batch, as `flagstone batches list` shows it.")]
Name = Annotated[str, typer.Argument(help="Golden path or day-2 action, such as add-runbook.")]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", help="Entities: kind=component,spec.type=service; repeatable, any may fit."),
]
Entities = Annotated[list[str] | None, typer.Option("--entity", help="Only this entity, repeatable.")]
Without = Annotated[list[str] | None, typer.Option("--without", help="Not this entity, repeatable.")]
Words = Annotated[str, typer.Option("--search", help="Only entities with these words.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="The same answer for all: name=value, repeatable; JSON for lists.")
]
Values = Annotated[Path | None, typer.Option("--values", help="YAML or JSON file with answers for all.")]
From = Annotated[
    list[str] | None,
    typer.Option("--from", help="Answer out of each entity: name=title, owner=metadata.annotations.x; repeatable."),
]
_COLUMNS = {"id": "ID", "title": "TITLE", "progress": "DONE", "failed": "FAILED", "actor_name": "BY", "state": "STATE"}
_EXIT = {"succeeded": 0, "failed": 1, "cancelled": 1, "stopped": 1}
_LOOK_SECONDS = 1.0


def register(app: typer.Typer) -> None:
    """Add ``batches``."""
    batches = typer.Typer(help="One golden path for each of many entities.", no_args_is_help=True)
    batches.command("list")(list_batches)
    batches.command("show")(show)
    batches.command("preview")(preview)
    batches.command("start")(start)
    batches.command("pause")(pause)
    batches.command("continue")(continue_)
    batches.command("cancel")(cancel)
    batches.command("retry")(retry)
    app.add_typer(batches, name="batches")


def list_batches(url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """List batches, newest first."""
    with session(url, token, as_json) as here:
        rows = list(here.client.pages("/api/v1/batches"))
        shown = rows if as_json else [_row(row) for row in rows]
        here.out.table(shown, _COLUMNS, empty="There is no batch yet. See `flagstone batches start --help`.")


def _row(item: Mapping[str, Any]) -> dict[str, Any]:
    counts = item["counts"]
    return {**item, "progress": f"{_ended(counts)}/{counts['total']}", "failed": counts["failed"] or ""}


def _ended(counts: Mapping[str, int]) -> int:
    return sum(counts[name] for name in ("succeeded", "failed", "cancelled", "skipped"))


def show(
    ident: Ident,
    state: Annotated[list[str] | None, typer.Option(help="Only entities in this state, repeatable.")] = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Progress of a batch, and its entities with their runs."""
    with session(url, token, as_json) as here:
        found = here.client.get(f"/api/v1/batches/{ident}")
        items = list(here.client.pages(f"/api/v1/batches/{ident}/items", state=state or []))
        if as_json:
            here.out.json({**found, "items": items})
            return
        counts = found["counts"]
        here.out.fields(
            {
                "Title": found["title"],
                "State": found["state"],
                "Why": found["reason"],
                "Runs": found["workflow"],
                "Done": f"{_ended(counts)} of {counts['total']}, {counts['failed']} failed",
                "At once": found["at_once"],
                "Stops after": found["stop_after_failures"] or "never",
                "Acts as": found["actor_name"],
                "Query": found["query"],
                "Secrets": _secrets(found),
            }
        )
        columns = {"subject": "ENTITY", "run_number": "RUN", "state": "STATE", "error": "WHY"}
        here.out.table(items, columns, empty="No entity is in this state.")


def _secrets(batch: Mapping[str, Any]) -> str:
    return ", ".join(batch["secrets"]) + ("" if batch["secrets_kept"] or not batch["secrets"] else " (deleted by now)")


def _asked(
    here: Session,
    name: str,
    where: list[str] | None,
    entities: list[str] | None,
    without: list[str] | None,
    search: str,
    values: Path | None,
    set_: list[str] | None,
    from_: list[str] | None,
) -> tuple[str, dict[str, Any]]:
    """The address, and what is sent there."""
    ref = parse_ref(name, default_kind="template")
    path = f"/api/v1/templates/{ref.namespace}/{ref.name}"
    form = here.client.get(path)
    query: dict[str, Any] = {"filter": where or [], "q": search}
    for key, given in (("entity", entities), ("without", without)):
        query[key] = [str(parse_ref(item, default_kind="component")) for item in given or ()]
    body = {
        "query": {key: value for key, value in query.items() if value},
        "values": read_values(types_of([step["schema"] for step in form["steps"]]), values, set_ or []),
        "from_entity": dict(_pair(item) for item in from_ or ()),
    }
    return f"{path}/batches", body


def _pair(text: str) -> tuple[str, str]:
    name, sign, place = text.partition("=")
    if not sign or not place:
        raise Invalid("cli.bad_place", f"{text!r} names no place.", hint="Write name=title or name=metadata.name.")
    return name, place


def _show_preview(here: Session, found: Mapping[str, Any]) -> None:
    rows = [
        {
            "entity": item["entity"],
            "verdict": "yes" if item["valid"] and item["verdict"] == "unknown" else item["verdict"],
            "why": "; ".join(item["reasons"]),
        }
        for item in found["items"]
    ]
    here.out.table(rows, {"entity": "ENTITY", "verdict": "CAN RUN", "why": "WHY NOT"}, empty="No entity.")
    here.out.say(f"{found['valid']} of {found['count']} can be run. Digest {found['digest'][:12]}.")


def preview(
    name: Name,
    where: Where = None,
    entity: Entities = None,
    without: Without = None,
    search: Words = "",
    set_: Set = None,
    values: Values = None,
    from_: From = None,
    plans: Annotated[bool, typer.Option("--plans", help="Also ask for the plan of each: slow for many.")] = False,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show which entities a batch would be of, and what is wrong with each. Starts nothing."""
    with session(url, token, as_json) as here:
        path, body = _asked(here, name, where, entity, without, search, values, set_, from_)
        found = here.client.post(path, {**body, "dry_run": True, "plans": plans})
        if as_json:
            here.out.json(found)
            return
        _show_preview(here, found)


def start(
    name: Name,
    where: Where = None,
    entity: Entities = None,
    without: Without = None,
    search: Words = "",
    set_: Set = None,
    values: Values = None,
    from_: From = None,
    title: Annotated[str, typer.Option(help="What it is called.", show_default="as what it runs")] = "",
    at_once: Annotated[int, typer.Option(help="Runs that may be going at the same time.")] = 5,
    stop_after: Annotated[int, typer.Option(help="Start no more once so many failed; 0: never stop.")] = 1,
    leave_out: Annotated[bool, typer.Option("--leave-out", help="Leave out entities that cannot be run.")] = False,
    secret: SecretOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Show its progress until it ends.")] = True,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Run a golden path for each entity of a query: shows the preview, asks, follows the progress.

    Secrets are given once, for all runs; those that are needed are asked for where there is a terminal.
    """
    with session(url, token, as_json) as here:
        path, body = _asked(here, name, where, entity, without, search, values, set_, from_)
        found = here.client.post(path, {**body, "dry_run": True})
        if not as_json:
            _show_preview(here, found)
        if not yes and not as_json and sys.stdin.isatty() and not typer.confirm("Start these?", err=True):
            raise typer.Exit(1)
        body |= {"title": title, "at_once": at_once, "stop_after_failures": stop_after}
        body["secrets"] = read_secrets(secret or (), found["secrets"])
        made = here.client.post(path, {**body, "digest": found["digest"], "leave_out_invalid": leave_out})
        _follow(here, made, follow=follow)


def _follow(here: Session, batch: dict[str, Any], *, follow: bool = True) -> None:
    """Show the progress until the batch ends or stops; ends the process with an exit code that says how."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    quiet = here.out.as_json or not follow
    with Progress(*columns, console=here.out.remarks, transient=True, disable=quiet) as progress:
        task = progress.add_task(batch["title"], total=batch["counts"]["total"])
        while follow and batch["state"] in ("running", "cancelling"):
            time.sleep(_LOOK_SECONDS)
            batch = here.client.get(f"/api/v1/batches/{batch['id']}")
            progress.update(task, completed=_ended(batch["counts"]))
    if here.out.as_json:
        here.out.json(batch)
    counts = batch["counts"]
    told = f"{counts['succeeded']} succeeded, {counts['failed']} failed of {counts['total']}"
    here.out.say(f"{batch['title']} is {batch['state']}: {told}. Its id is {batch['id']}.")
    if batch["state"] == "stopped":
        here.out.say(f"Go on with: flagstone batches continue {batch['id']}, or retry {batch['id']}")
    raise typer.Exit(_EXIT.get(batch["state"], 0))


def pause(ident: Ident, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Start no more runs; those that are going finish."""
    _change(ident, "pause", url, token, as_json=as_json)


def continue_(ident: Ident, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Go on after a pause or a stop; what failed stays as it is."""
    _change(ident, "continue", url, token, as_json=as_json)


def cancel(ident: Ident, url: Url = None, token: Token = None, as_json: AsJson = False) -> None:
    """Cancel what is going and start no more."""
    _change(ident, "cancel", url, token, as_json=as_json)


def retry(
    ident: Ident, secret: SecretOption = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Let the failed runs go on where they failed, and start the rest; with other secrets if some are given."""
    with session(url, token, as_json) as here:
        before = here.client.get(f"/api/v1/batches/{ident}")
        again = () if before["secrets_kept"] else before["secrets"]
        secrets = read_secrets(secret or (), [{"name": name, "required": True} for name in again])
        _changed(here, here.client.post(f"/api/v1/batches/{ident}/retry", {"secrets": secrets}))


def _change(ident: str, verb: str, url: str | None, token: str | None, *, as_json: bool) -> None:
    with session(url, token, as_json) as here:
        _changed(here, here.client.post(f"/api/v1/batches/{ident}/{verb}"))


def _changed(here: Session, found: Mapping[str, Any]) -> None:
    if here.out.as_json:
        here.out.json(found)
    here.out.say(f"{found['title']} is {found['state']}.")
