"""Commands: upgrades."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flagstone.kernel.refs import parse_ref
from flagstone.toolkit.cli import session
from flagstone.toolkit.cli.follow import follow_run
from flagstone.toolkit.cli.plans import read_values, show_plan, types_of
from flagstone.toolkit.cli.session import AsJson, Token, Url

Component = Annotated[str, typer.Argument(help="Component, such as orders or component:default/orders.")]
Values = Annotated[Path | None, typer.Option("--values", help="YAML or JSON file with answers to what is new.")]
Set = Annotated[list[str] | None, typer.Option("--set", help="Answer: name=value, repeatable.")]
_COLUMNS = {"entity_ref": "ENTITY", "template_title": "GOLDEN PATH", "state": "STATE", "repository": "REPOSITORY"}


def register(app: typer.Typer) -> None:
    """Add ``upgrades``."""
    upgrades = typer.Typer(help="Upgrades of what golden paths made: list, preview, open.", no_args_is_help=True)
    upgrades.command("list")(list_upgrades)
    upgrades.command("preview")(preview)
    upgrades.command("open")(open_upgrade)
    app.add_typer(upgrades, name="upgrades")


def list_upgrades(
    everything: Annotated[bool, typer.Option("--all", help="Also what is at the current version.")] = False,
    template: Annotated[str | None, typer.Option(help="Only what this golden path made.")] = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """List what is behind its golden path."""
    with session(url, token, as_json) as here:
        ref = str(parse_ref(template, default_kind="template")) if template else None
        rows = list(here.client.pages("/api/v1/upgrades", behind=None if everything else "true", template=ref))
        shown = rows if as_json else [{**row, "state": _state(row)} for row in rows]
        empty = "No golden path has made anything yet." if everything else "Nothing is behind its golden path."
        here.out.table(shown, _COLUMNS, empty=empty)


def _state(row: dict[str, Any]) -> str:
    if row["change_request"]:
        return f"change request #{row['change_request']} is open"
    if row["current_version"] is None:
        return "its golden path is gone"
    return f"{row['behind']} behind" if row["behind"] else "current"


def preview(
    component: Component,
    values: Values = None,
    set_: Set = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show what the upgrade of a component would change, and the conflicts."""
    with session(url, token, as_json) as here:
        path = _path(component)
        plan = here.client.post(f"{path}/plan", {"values": _given(here, path, values, set_)})
        if as_json:
            here.out.json(plan)
        else:
            show_plan(here.out, {**plan, "files": []})


def open_upgrade(
    component: Component,
    values: Values = None,
    set_: Set = None,
    follow: Annotated[bool, typer.Option("--follow/--no-follow", help="Show the run until it ends.")] = True,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Open the upgrade of a component as a change request."""
    with session(url, token, as_json) as here:
        path = _path(component)
        run = here.client.post(path, {"values": _given(here, path, values, set_)})
        follow_run(here, run, follow=follow)


def _given(here: Any, path: str, values: Path | None, pairs: list[str] | None) -> dict[str, Any]:
    if not values and not pairs:
        return {}
    return read_values(types_of(here.client.get(path)["asks"]), values, pairs or [])


def _path(component: str) -> str:
    ref = parse_ref(component, default_kind="component")
    return f"/api/v1/upgrades/{ref.kind}/{ref.namespace}/{ref.name}".lower()
